"""All that a run can do under a policy, as one linear program: what can be done is what no row forbids.

Variables are how often something happens in a run and all runs below it: steps, attempts of each model at
each corner, attempts of tools, retries. Rows without a limit say what a logical call can be; all others are
limits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from checkrein.analysis.attempts import corners
from checkrein.analysis.courses import model_courses, selects_model, selects_tool, tool_courses
from checkrein.analysis.rows import held_of
from checkrein.analysis.simplex import Optimum, maximise
from checkrein.language.check.vocabulary import currency_of
from checkrein.language.names import Names
from checkrein.language.prices import tariffs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from checkrein.analysis.attempts import Corner
    from checkrein.analysis.courses import Course
    from checkrein.analysis.rows import Held, Loose
    from checkrein.analysis.simplex import Row
    from checkrein.language.tree import Bound, Policy

MANY = 16
"""More models than that are not told apart in what one step can be."""
STEPS, RETRIES = 0, 1
"""The first two variables."""


@dataclass(slots=True)
class Problem:
    """What a run can do, before it is asked for the most of anything."""

    policy: Policy
    names: Names
    models: list[Course]
    tools: list[Course]
    held: list[Held]
    loose: list[Loose]
    kinds: dict[int, tuple[Course, Corner]] = field(default_factory=dict)
    """Variable to the model and the corner that it counts."""
    alike: dict[int, list[Course]] = field(default_factory=dict)
    """Variable to the tools that it counts together: no limit tells them apart."""
    shape: list[Row] = field(default_factory=list)
    """The rows without a limit."""
    limits: list[tuple[Held, Row]] = field(default_factory=list)

    def most(
        self, objective: Mapping[int, int | Fraction], limits: Iterable[tuple[Held, Row]] | None = None
    ) -> Optimum | None:
        """The most of an objective under these limits, all if none are given; the prices are theirs."""
        chosen = [row for _, row in (self.limits if limits is None else limits)]
        optimum = maximise(objective, [*chosen, *self.shape])
        if optimum is None:
            return None
        return Optimum(optimum.value, optimum.levels, optimum.prices[: len(chosen)])

    def of_step(self, objective: Mapping[int, int | Fraction]) -> Optimum:
        """The most in one logical model call, whatever the limits say."""
        optimum = maximise(objective, [({STEPS: 1}, 1), *self.shape])
        assert optimum is not None, "a call has only so many attempts"  # noqa: S101  (each row above)
        return optimum

    def objective(self, measure: str) -> dict[int, int | Fraction]:
        """How much of a measure each variable brings."""
        models = {variable: _worth(measure, corner) for variable, (_, corner) in self.kinds.items()}
        tools = dict.fromkeys(self.alike, 1)
        match measure:
            case "steps":
                return {STEPS: 1}
            case "retries":
                return {RETRIES: 1}
            case "tool_calls":
                return dict(tools)
            case "attempts":
                return models | tools
        return models


def problem(policy: Policy) -> Problem:
    """The linear program of a checked policy."""
    names = Names(policy)
    held, loose = held_of(policy, names)
    found = Problem(policy, names, model_courses(policy, names), tool_courses(policy, names), held, loose)
    _shape_steps(found)
    _group_tools(found)
    for each in held:
        row = _row(found, each.bound)
        if row is not None:
            found.limits.append((each, (row, each.most)))
    return found


def _worth(measure: str, corner: Corner) -> int | Fraction:
    match measure:
        case "cost":
            return corner.cost
        case "tokens":
            return corner.input + corner.output
        case "input_tokens":
            return corner.input
        case "output_tokens":
            return corner.output
    return 1


def _shape_steps(found: Problem) -> None:
    """One step sends so many attempts to each model; all but the last of them are followed by another."""
    currency = currency_of(found.policy)
    free = RETRIES + 1
    everything: dict[int, int] = {}
    last: dict[int, int] = {}
    for courses in _together(found.models):
        own: dict[int, int] = {}
        for course in courses:
            model = found.names.models[course.name]
            kinds = enumerate(corners(model, tariffs_of(model, currency) or ()), free)
            found.kinds |= (new := {variable: (course, corner) for variable, corner in kinds})
            own |= dict.fromkeys(new, 1)
            free += len(new)
        everything |= own
        followed = sum(each.attempts if each.goes_on else each.attempts - 1 for each in courses)
        if not all(each.goes_on for each in courses):
            last[free] = 1
            own[free] = -1
            free += 1
        found.shape.append(({**own, STEPS: -followed}, 0))
    found.shape.append(({**last, STEPS: -1}, 0))
    found.shape.append(({STEPS: 1, **dict.fromkeys(everything, -1)}, 0))
    found.shape.append(({**everything, STEPS: -1, RETRIES: -1}, 0))


def _together(models: list[Course]) -> list[list[Course]]:
    """Each model alone; where there are many, those with the same course as one: no less, and far faster."""
    if len(models) <= MANY:
        return [[each] for each in models]
    groups: dict[tuple[int, bool], list[Course]] = {}
    for each in models:
        groups.setdefault((each.attempts, each.goes_on), []).append(each)
    return list(groups.values())


def _group_tools(found: Problem) -> None:
    """Tools that the same limits count are one variable."""
    selectors = [held.bound.selector for held in found.held if held.bound.selector is not None]
    groups: dict[tuple[bool, ...], list[Course]] = {}
    for course in found.tools:
        tool = found.names.tools[course.name]
        groups.setdefault(tuple(selects_tool(each, tool) for each in selectors), []).append(course)
    free = max([RETRIES, *found.kinds, *(each for row, _ in found.shape for each in row)]) + 1
    found.alike = {free + place: group for place, group in enumerate(groups.values())}


def _row(found: Problem, bound: Bound) -> dict[int, int] | None:
    """What a bound counts of each variable; None if it counts nothing that is one here."""
    selector = bound.selector
    if selector is not None:
        models = {
            each: 1 for each, (course, _) in found.kinds.items() if selects_model(selector, course.name)
        }
        tools = {
            each: 1
            for each, group in found.alike.items()
            if selects_tool(selector, found.names.tools[group[0].name])
        }
        return models | tools
    if bound.dimension == "escalations":
        return None
    return found.objective(bound.dimension)  # type: ignore[return-value]
