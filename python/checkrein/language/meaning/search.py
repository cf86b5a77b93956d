"""Facts that make conditions true, false or unknown, found by trying the cells: exact, or not decided.

Facts are set one by one. Of what is not set yet every truth is possible, so a branch is left as soon as no
truth that is wanted can come out of it. Who asks too much gets `Undecided`, never a guess.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from checkrein.language.meaning.cells import Undecided as Undecided
from checkrein.language.meaning.cells import representatives, truth
from checkrein.language.meaning.clock import PAIRS, edges
from checkrein.language.tree import And, Defined, Not, Or

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from checkrein.language.meaning.cells import Domain, Leaf, Value
    from checkrein.language.tree import Condition, Define

FALSE, UNKNOWN, TRUE = 1, 2, 4
"""Sets of truths are sums of these."""
ANY = FALSE | UNKNOWN | TRUE
LOOKS_MAX = 20_000
"""Truths of whole conditions that one question may work out."""
FACTS_MAX = 200

OPEN = -1
Witness = dict[str, "Value"]
Truths = Callable[[Sequence[int]], int]
"""From the places of the facts' values to a set of truths."""


def expanded(condition: Condition, defines: Mapping[str, Define]) -> Condition:
    """The condition with its defines written out."""
    match condition:
        case Defined():
            return expanded(defines[condition.name.text].condition, defines)
        case Not():
            return Not(expanded(condition.operand, defines), condition.span)
        case And():
            return And(tuple(expanded(each, defines) for each in condition.operands), condition.span)
        case Or():
            return Or(tuple(expanded(each, defines) for each in condition.operands), condition.span)
    return condition


def leaves_of(condition: Condition) -> Iterator[Leaf]:
    """The comparisons of an expanded condition, in source order."""
    match condition:
        case Not():
            yield from leaves_of(condition.operand)
        case And() | Or():
            for operand in condition.operands:
                yield from leaves_of(operand)
        case Defined():
            raise ValueError("a condition is expanded first")
        case _:
            yield condition


class Budget:
    """How much several questions may cost together."""

    def __init__(self, looks: int) -> None:
        self.looks = looks


class Search:
    """One or several expanded conditions about one call. `domains` has every fact that they read."""

    def __init__(
        self, conditions: Sequence[Condition], domains: Mapping[str, Domain], budget: Budget | None = None
    ) -> None:
        self._budget = budget
        read: dict[str, list[Leaf]] = {}
        for condition in conditions:
            for leaf in leaves_of(condition):
                read.setdefault(leaf.fact.text, []).append(leaf)
        self._facts = list(read)
        self._values = [
            representatives(domains[name], leaves, edges(name, read)) for name, leaves in read.items()
        ]
        self._pairs = [
            (pair.fit, self._facts.index(pair.coarse), self._facts.index(pair.fine))
            for pair in PAIRS
            if pair.coarse in read and pair.fine in read
        ]
        self._possible = [self._built(condition) for condition in conditions]
        self._set: list[int] = []
        self._looks = 0

    def find(self, *goals: int) -> Witness | None:
        """Facts for which each condition has one of the truths of its goal; None if there are none.

        A fact that is not in the witness may be anything. Raises `Undecided` beyond the budget.
        """
        if len(self._facts) > FACTS_MAX:
            raise Undecided
        self._set = [OPEN] * len(self._facts)
        self._looks = LOOKS_MAX if self._budget is None else min(LOOKS_MAX, self._budget.looks)
        before = self._looks
        try:
            found = self._reach(0, goals)
        finally:
            if self._budget is not None:
                self._budget.looks -= before - max(self._looks, 0)
        if not found:
            return None
        chosen = zip(self._facts, self._values, self._set, strict=True)
        return {name: values[at] for name, values, at in chosen if at != OPEN}

    def _reach(self, fact: int, goals: Sequence[int]) -> bool:
        """Whether the goals can be met with the facts before this one as they are."""
        self._looks -= len(goals)
        if self._looks < 0:
            raise Undecided
        possible = [truths(self._set) for truths in self._possible]
        if any(not found & goal for found, goal in zip(possible, goals, strict=True)):
            return False
        if all(not found & ~goal for found, goal in zip(possible, goals, strict=True)):
            return True
        for at in range(len(self._values[fact])):
            self._set[fact] = at
            if self._is_possible() and self._reach(fact + 1, goals):
                return True
        self._set[fact] = OPEN
        return False

    def _is_possible(self) -> bool:
        """Whether a clock can show at once what is set of it."""
        for fit, coarse, fine in self._pairs:
            if OPEN in (self._set[coarse], self._set[fine]):
                continue
            one, other = self._values[coarse][self._set[coarse]], self._values[fine][self._set[fine]]
            if isinstance(one, int) and isinstance(other, int) and not fit(one, other):
                return False
        return True

    def _built(self, condition: Condition) -> Truths:
        """What tells the truths that a condition can still have."""
        match condition:
            case Not():
                inner = self._built(condition.operand)
                return lambda facts: _inverse(inner(facts))
            case And():
                return _all([self._built(operand) for operand in condition.operands])
            case Or():
                none = _all([self._built(Not(each, each.span)) for each in condition.operands])
                return lambda facts: _inverse(none(facts))
            case Defined():
                raise ValueError("a condition is expanded first")
        place = self._facts.index(condition.fact.text)
        table = [_as_set(truth(condition, value)) for value in self._values[place]]
        table.append(functools.reduce(operator.or_, table, 0))  # the last one, for a fact that is open
        return lambda facts: table[facts[place]]


def _all(operands: Sequence[Truths]) -> Truths:
    def truths(facts: Sequence[int]) -> int:
        found = TRUE
        for operand in operands:
            found = _both(found, operand(facts))
            if found == FALSE:
                break
        return found

    return truths


def _as_set(value: bool | None) -> int:
    return UNKNOWN if value is None else TRUE if value else FALSE


def _inverse(found: int) -> int:
    return found & UNKNOWN | (TRUE if found & FALSE else 0) | (FALSE if found & TRUE else 0)


def _both(one: int, other: int) -> int:
    """What `and` can be, if its sides can be these, each by itself."""
    result = (one | other) & FALSE
    if one & TRUE and other & TRUE:
        result |= TRUE
    # Unknown: one side is, and the other is no worse than unknown.
    if (one & UNKNOWN and other & (UNKNOWN | TRUE)) or (other & UNKNOWN and one & TRUE):
        result |= UNKNOWN
    return result
