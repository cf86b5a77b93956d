"""The policy with a probe for each atom of its conditions, so that the engine itself tells their values.

A probe is a rule (after an error a retry) on the same calls, with the atom as its condition. It votes only
when a fact that no host can send names its group, so without that fact the engine decides as it does without
probes. What a tool succeeds by, and a cascade asks by, is probed by an atom in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checkrein import _core
from checkrein.errors import CheckreinError, LoadError
from checkrein.frozen import replace
from checkrein.language.emit import emit
from checkrein.language.lower import lower
from checkrein.language.tree import (
    And,
    Compare,
    Defined,
    Fact,
    Literal,
    Name,
    Not,
    Or,
    Outcome,
    Retry,
    Route,
    Rule,
    Tool,
    Type,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checkrein.coverage.points import Points, Use, Value
    from checkrein.language.tree import Arm, Call, Condition, Policy, Selector, Span

FACT = "checkrein: probe"
"""No policy can declare a fact of this name."""
AFTER_ERROR = "error"
CALL = "call"
NOTHING = ""
"""What the fact is where nothing is probed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one decision told about one condition: of its atoms, and of all of it."""

    use: Use
    whole: Value
    atoms: tuple[tuple[Condition, Value], ...]


class Probes:
    """The probes of one policy and the program that they are in."""

    def __init__(self, points: Points) -> None:
        self.points = points
        self.count = 0
        # Of each use: the probe that tells that it was looked at, that of the condition, those of its atoms.
        self.of: list[tuple[Use, str, str | None, list[tuple[Condition, str]]]] = []
        self.statements: list[Rule | Retry] = []
        for use in points.uses:
            control = self._add(use, None)
            whole = None if use.when is None else self._add(use, use.when)
            leaves = points.leaves(use.when) if use.when else ()
            self.of.append((use, control, whole, [(leaf, self._add(use, leaf)) for leaf in leaves]))
        policy = points.policy
        span = policy.name.span
        fact = Fact(Name(FACT, span), Type("text", span), False, Literal("text", NOTHING, span), span)
        own = [self._switched(each) for each in policy.statements]
        self.program = _load(replace(policy, statements=(*own, fact, *self.statements)))

    def groups(self, item: Call, *, failed: bool) -> list[str]:
        """The groups that may tell something new about a call, and about its error if it failed."""
        tools = {tool.name.text: tool for tool in self.points.names.tools.values()}
        found: dict[str, None] = {}
        for use, *_ in self.of:
            if use.after_error > failed or not _selects(use.selector, item, tools):
                continue
            leaves = self.points.leaves(use.when) if use.when else ()
            is_open = use.point.times == 0 and use.point.kind == "route"
            if is_open or not all(self.points.atom(leaf).is_done for leaf in leaves):
                found[group_of(use)] = None
        return list(found)

    def read(self, group: str, decision: Any) -> list[Reading]:
        """What a decision under this group tells: of conditions that were not looked at, nothing."""
        votes = {name: undecided for _, name, _, undecided in decision.votes}
        votes |= {name: undecided for _, _, name, _, undecided in decision.would}

        def value(probe: str) -> Value:
            return "false" if probe not in votes else "unknown" if votes[probe] else "true"

        return [
            Reading(
                use, "true" if whole is None else value(whole), tuple((leaf, value(p)) for leaf, p in atoms)
            )
            for use, control, whole, atoms in self.of
            if group_of(use) == group and control in votes
        ]

    def _switched(self, statement: Any) -> Any:
        """A tool that succeeds, or a route that asks a larger model, by what the fact names."""
        if isinstance(statement, Tool) and statement.succeeds is not None:
            return replace(statement, succeeds=self._switch(statement.succeeds))
        if isinstance(statement, Route):
            return replace(statement, arms=tuple(self._switched_arm(arm) for arm in statement.arms))
        return statement

    def _switched_arm(self, arm: Arm) -> Arm:
        return replace(arm, then=arm.then and replace(arm.then, when=self._switch(arm.then.when)))

    def _switch(self, condition: Condition) -> Condition:
        """One atom of the condition, or its contrary, where the fact names that; else all of it."""
        span = condition.span
        ways: list[Condition] = [And((_is(NOTHING, span), condition), span)]
        for place, leaf in enumerate(self.points.leaves(condition)):
            ways.append(And((_is(f"{place}", span), leaf), span))
            ways.append(And((_is(f"not {place}", span), Not(leaf, span)), span))
        return Or(tuple(ways), span)

    def _add(self, use: Use, condition: Condition | None) -> str:
        self.count += 1
        name = f"{FACT} {self.count}"
        span = use.point.span
        switch = _is(group_of(use), span)
        when: Condition = switch if condition is None else And((switch, condition), span)
        otherwise = Outcome("deny", span, reason="probe")
        self.statements.append(_probe(Name(name, span), use, when, otherwise, span))
        return name


def _load(policy: Policy) -> Any:
    try:
        return _core.Program.load(emit(lower(policy)))
    except LoadError as error:
        message = f"a condition of `{policy.file}` is too long for its parts to be looked at"
        raise CheckreinError(
            f"{message}\n  help: leave `--cov` out, or write it as two statements"
        ) from error


def _is(group: str, span: Span) -> Compare:
    return Compare(Name(FACT, span), "==", Literal("text", group, span), span)


def group_of(use: Use) -> str:
    """Probes of one group vote together. A vote on one model hides those on the next, so each has a group."""
    if use.after_error:
        return AFTER_ERROR
    named = use.selector.point == "model" and use.selector.name is not None
    return f"model {use.selector.name.text}" if named and use.selector.name else CALL


def combined(points: Points, condition: Condition, values: dict[int, Value]) -> Value:
    """What the values of its atoms, by their ids, come to: false beats unknown in `and`, true in `or`."""
    match condition:
        case Not():
            inner = combined(points, condition.operand, values)
            return "unknown" if inner == "unknown" else "false" if inner == "true" else "true"
        case And():
            return _first("false", "true", (combined(points, each, values) for each in condition.operands))
        case Or():
            return _first("true", "false", (combined(points, each, values) for each in condition.operands))
        case Defined():
            return combined(points, points.names.defines[condition.name.text].condition, values)
        case _:
            return values[id(condition)]


def _first(wins: Value, loses: Value, values: Iterable[Value]) -> Value:
    all_values = set(values)
    return wins if wins in all_values else "unknown" if "unknown" in all_values else loses


def _probe(name: Name, use: Use, when: Condition, otherwise: Outcome, span: Span) -> Rule | Retry:
    if use.after_error:
        # Observed as what it looks into is: where no retry is enforced, errors lead to a fallback.
        return Retry(name, use.selector, when, 1, None, None, None, otherwise, span, observed=use.observed)
    return Rule(name, use.selector, when, otherwise, span)


def _selects(selector: Selector, item: Call, tools: dict[str, Tool]) -> bool:
    if selector.point != item.point:
        return False
    if item.point == "model":
        return True
    tool = tools.get(item.name.text) if item.name else None
    by_name = selector.name is None or (tool is not None and selector.name.text == tool.name.text)
    by_class = selector.tool_class is None or (tool is not None and selector.tool_class == tool.tool_class)
    return by_name and by_class
