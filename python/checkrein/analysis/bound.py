"""The worst case of one run: how much of everything it can use, and which statements make it so much."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from checkrein.analysis.operations import operations
from checkrein.analysis.problem import problem
from checkrein.analysis.rows import time_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from checkrein.analysis.attempts import Corner
    from checkrein.analysis.courses import Course
    from checkrein.analysis.operations import Operations
    from checkrein.analysis.problem import Problem
    from checkrein.analysis.rows import Held, Loose
    from checkrein.language.tree import Policy

MEASURES = (
    "steps",
    "model_calls",
    "tool_calls",
    "attempts",
    "input_tokens",
    "output_tokens",
    "tokens",
    "cost",
)
"""What a run uses up, in the order in which it is told; its active time stands beside them."""
OF_A_STEP = ("model_calls", "input_tokens", "output_tokens", "tokens", "cost")


@dataclass(frozen=True, slots=True)
class Term:
    """A limit and what one unit of its bound brings at worst."""

    held: Held
    each: Fraction


@dataclass(frozen=True, slots=True)
class Figure:
    """The most of one measure in a run, None if there is no most.

    It is the sum of its terms. `without` is what it would be without the one limit that fixes it, None if
    there would be no most; it is told only where one limit does.
    """

    measure: str
    most: int | None
    terms: tuple[Term, ...] = ()
    without: int | None = None

    @property
    def is_alone(self) -> bool:
        """Whether the bound on the measure itself is all that bounds it."""
        return [term.held.bound.dimension for term in self.terms] == [self.measure]


@dataclass(frozen=True, slots=True)
class Step:
    """The most of one measure in one step, whatever the limits say, and the attempts that come to that."""

    measure: str
    most: int
    attempts: tuple[tuple[Course, Corner, int], ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """All that is known of what a run can use; `time` bounds when its last call can begin."""

    policy: Policy
    figures: tuple[Figure, ...]
    time: Held | None
    steps: tuple[Step, ...]
    tools: tuple[Course, ...]
    loose: tuple[Loose, ...]
    operations: Operations

    def of(self, measure: str) -> Figure:
        """The figure of a measure."""
        return next(figure for figure in self.figures if figure.measure == measure)


def bound(policy: Policy) -> Bounds:
    """The worst case of a policy in which `check` finds no error."""
    found = problem(policy)
    return Bounds(
        policy,
        tuple(_figure(found, measure) for measure in MEASURES),
        time_of(policy, "active_time", "wall_time"),
        tuple(_step(found, measure) for measure in OF_A_STEP) if found.models else (),
        tuple(found.tools),
        tuple(found.loose),
        operations(policy),
    )


def _figure(found: Problem, measure: str) -> Figure:
    objective = found.objective(measure)
    optimum = found.most(objective)
    if optimum is None:
        return Figure(measure, None)
    terms = [
        Term(held, price)
        for (held, _), price in zip(found.limits, optimum.prices, strict=True)
        if price > 0 and held.most > 0
    ]
    if len(terms) > 1:
        terms = _simpler(found, objective, optimum.value) or terms
    without = None
    if len(terms) == 1:
        rest = found.most(objective, [each for each in found.limits if each[0] is not terms[0].held])
        without = None if rest is None else int(rest.value)
    # All these are whole numbers, so the most is below what mixtures of them come to.
    return Figure(measure, int(optimum.value), tuple(terms), without)


def _simpler(found: Problem, objective: Mapping[int, int | Fraction], value: Fraction) -> list[Term]:
    """One limit that bounds as much alone, if there is one."""
    for held, row in found.limits:
        alone = found.most(objective, [(held, row)])
        if alone is not None and alone.value == value:
            return [Term(held, alone.prices[0])]
    return []


def _step(found: Problem, measure: str) -> Step:
    optimum = found.of_step(found.objective(measure))
    attempts = [
        (*found.kinds[variable], int(level))
        for variable, level in sorted(optimum.levels.items())
        if variable in found.kinds
    ]
    return Step(measure, int(optimum.value), tuple(attempts))
