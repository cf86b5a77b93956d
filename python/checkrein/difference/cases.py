"""Conditions with outcomes, compared exactly: facts for which one policy says more than the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checkrein.difference.shapes import shape
from checkrein.language.facts import BUILT_IN
from checkrein.language.meaning.cells import Domain
from checkrein.language.meaning.search import FALSE, TRUE, UNKNOWN, Search, Undecided, leaves_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkrein.difference.sides import Sides
    from checkrein.difference.verdict import Point
    from checkrein.language.meaning.search import Budget, Witness
    from checkrein.language.tree import Condition

APPLIES = TRUE | UNKNOWN
AT_FIRST = {"step.index": (0, 1), "call.attempt": (1, 1)}
"""What the engine's counters are when a run is asked for its first tool, or its first model; others are 0."""


FEW, MANY = 12, 100
"""How many others are tried first, and how many at most."""


@dataclass(frozen=True, slots=True)
class Case:
    """Somebody who votes where its condition has one of the truths in `when`; `strength` says how hard."""

    name: str
    strength: int
    condition: Condition | None
    when: int = APPLIES
    doubt: str | None = None

    @property
    def key(self) -> Any:
        """Equal for cases that vote for the same facts."""
        return shape(self.condition), self.when


@dataclass(frozen=True, slots=True)
class Gap:
    """A case that one side has and the other does not make up for: for which facts, or why nobody knows."""

    case: Case
    witness: Witness | None
    is_first: bool = False
    """Whether the facts are those of a run's very first call."""
    doubt: str | None = None


def uncovered(
    sides: Sides, point: Point, case: Case, others: Sequence[Case], budget: Budget
) -> Gap | None:  # fmt: skip
    """Facts for which the case votes and none of the others does; None if there are none."""
    strong = [each for each in others if each.doubt is None]
    if any((each.condition is None and each.when & TRUE) or each.key == case.key for each in strong):
        return Gap(case, None, doubt=case.doubt) if case.doubt else None
    if case.doubt:
        return Gap(case, None, doubt=case.doubt)
    hidden = next((each.doubt for each in others if each.doubt), None)
    near = sorted(strong, key=lambda each: _farness(case, each))
    try:
        found = _searched(sides, point, case, near[:FEW], budget)
        if found is not None and len(near) > FEW:
            if len(near) > MANY:
                return Gap(case, None, doubt="there are too many rules to compare it with")
            found = _searched(sides, point, case, near, budget)
    except Undecided:
        return Gap(case, None, doubt="too much to try")
    if found is None:
        return None
    return Gap(case, found[0], found[1], doubt=hidden)


def _farness(case: Case, other: Case) -> tuple[bool, int]:
    """How little it has to do with a case: the same statement is nearest, then what reads the same facts."""
    return other.name != case.name, len(_read(case) ^ _read(other))


def _read(case: Case) -> set[str]:
    return set() if case.condition is None else {leaf.fact.text for leaf in leaves_of(case.condition)}


def _searched(
    sides: Sides, point: Point, case: Case, others: Sequence[Case], budget: Budget
) -> tuple[Witness, bool] | None:
    """The facts, and whether they can be those of a first call; those that people can read come first."""
    mine = [(case.condition, case.when)] if case.condition is not None else []
    asked = mine + [(each.condition, ~each.when & 7) for each in others if each.condition is not None]
    if not asked:
        return {}, True
    names = {leaf.fact.text for condition, _ in asked for leaf in leaves_of(condition)}
    free = {name: sides.domain(name, point) for name in names}
    first = {name: _at_first(name, point, domain) for name, domain in free.items()}
    conditions = [condition for condition, _ in asked]
    goals = [goal for _, goal in asked]
    plain = [goal & ~UNKNOWN or goal for goal in goals]
    for domains, wanted, is_first in ((first, plain, True), (first, goals, True), (free, goals, False)):
        found = Search(conditions, domains, budget).find(*wanted)
        if found is not None:
            return found, is_first
    return None


def harmless(sides: Sides, point: Point, conditions: Sequence[Condition], budget: Budget) -> Witness | None:
    """Facts of a first call for which all of these conditions are false."""
    names = {leaf.fact.text for condition in conditions for leaf in leaves_of(condition)}
    domains = {name: _at_first(name, point, sides.domain(name, point)) for name in names}
    if len(conditions) > MANY:
        return None
    try:
        return Search(conditions, domains, budget).find(*([FALSE] * len(conditions)))
    except Undecided:
        return None


def _at_first(name: str, point: Point, domain: Domain) -> Domain:
    """What a fact can be at the first call of a run."""
    if name in AT_FIRST:
        value = AT_FIRST[name][0 if point.kind == "tool" else 1]
    elif name in BUILT_IN and BUILT_IN[name].counts and not name.endswith(".left"):
        value = 0
    else:
        return domain
    return Domain(domain.dimension, (), (), value, value)


def same_truth(sides: Sides, point: Point, old: Condition, new: Condition, budget: Budget) -> bool | None:
    """Whether two conditions are true for the same facts and unknown for the same; None if nobody knows."""
    if shape(old) == shape(new):
        return True
    names = {leaf.fact.text for each in (old, new) for leaf in leaves_of(each)}
    domains = {name: sides.domain(name, point, error=True) for name in names}
    try:
        for goal in (TRUE, UNKNOWN, FALSE):
            if Search([old, new], domains, budget).find(goal, 7 & ~goal) is not None:
                return False
    except Undecided:
        return None
    return True
