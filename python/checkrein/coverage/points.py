"""What the tests of a policy can cover: statements that vote, arms of the route, outcomes of conditions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from checkrein.language.facts import CASCADE, CONFIDENCE, Unknown, context_of, find, result_of
from checkrein.language.names import KIND_WORDS, Names
from checkrein.language.tree import (
    And,
    Arm,
    Breaker,
    Defined,
    Has,
    Limit,
    Loop,
    Not,
    Or,
    Order,
    Require,
    Retry,
    Route,
    Rule,
    Selector,
    Tool,
    Truth,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.language.facts import Context
    from checkrein.language.tree import Condition, Observed, Policy, Span

Value = Literal["true", "false", "unknown"]
VOTERS = (Limit, Retry, Breaker, Require, Order, Loop, Truth, Rule)
"""The statements that vote. A route's arms are covered one by one."""


@dataclass(slots=True)
class Point:
    """A statement that may vote, or an arm of the route that may be taken."""

    kind: str
    name: str
    span: Span
    times: int = 0
    """In how many decisions it did."""


@dataclass(slots=True)
class Atom:
    """A part of conditions that compares one fact, wherever it is used."""

    text: str
    span: Span
    wanted: set[Value]
    """The values that it may have. Unknown is one where a host or a model may leave the fact out."""
    met: set[Value] = field(default_factory=set)

    @property
    def is_done(self) -> bool:
        """Whether nothing more can be learnt about it."""
        return self.wanted <= self.met


@dataclass(frozen=True, slots=True)
class Use:
    """A condition where it stands: of which statement, seen by which calls, and what it is made of."""

    point: Point
    selector: Selector
    when: Condition | None
    after_error: bool = False
    observed: Observed | None = None


class Points:
    """All that is to be covered in one policy."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.names = Names(policy)
        self.voters: dict[tuple[str, str], Point] = {}
        self.arms: list[tuple[str, Use]] = []
        self.atoms: dict[tuple[int, int], Atom] = {}
        self.uses: list[Use] = []
        self.results: dict[str, Tool] = {}
        """The tools that say what they succeed by."""
        self.cascade: Arm | None = None
        """The arm that asks a larger model as well; a route has one at most."""
        for statement in policy.statements:
            if isinstance(statement, VOTERS) and not getattr(statement, "built_in", None):
                kind, name = KIND_WORDS[type(statement)], statement.name.text
                point = self.voters[kind, name] = Point(kind, name, statement.span)
                self._conditions_of(statement, point)
            elif isinstance(statement, Route):
                self._arms_of(statement)
            elif isinstance(statement, Tool) and statement.succeeds is not None:
                self.results[statement.name.text] = statement
                self._atoms_of(statement.succeeds, result_of(statement))

    @property
    def all(self) -> list[Point]:
        """Statements and arms, in the order of the file."""
        points = [*self.voters.values(), *(use.point for _, use in self.arms)]
        return sorted(points, key=lambda point: point.span.start)

    def leaves(self, condition: Condition) -> Iterator[Condition]:
        """The atoms of a condition, those of its defines among them."""
        match condition:
            case Not():
                yield from self.leaves(condition.operand)
            case And() | Or():
                for operand in condition.operands:
                    yield from self.leaves(operand)
            case Defined():
                yield from self.leaves(self.names.defines[condition.name.text].condition)
            case _:
                yield condition

    def atom(self, leaf: Condition) -> Atom:
        """The atom that stands there."""
        return self.atoms[leaf.span.start, leaf.span.end]

    def _conditions_of(self, statement: object, point: Point) -> None:
        match statement:
            case Rule():
                self._use(Use(point, statement.selector, statement.when))
            case Retry():
                self._use(Use(point, statement.selector, statement.when, True, statement.observed))
            case Require():
                self._use(Use(point, Selector("model", statement.span), statement.when))

    def _arms_of(self, route: Route) -> None:
        for arm in route.arms:
            point = Point("route", f'{route.name.text}: to "{arm.model.text}"', arm.span)
            use = Use(point, Selector("model", arm.span), arm.when)
            self.arms.append((arm.model.text, use))
            self._use(use)
            if arm.then is not None:
                self.cascade = arm
                self._atoms_of(arm.then.when, CASCADE)

    def _use(self, use: Use) -> None:
        self.uses.append(use)
        if use.when is not None:
            kind = use.point.kind
            self._atoms_of(use.when, context_of(self.names, use.selector, kind, error=use.after_error))

    def _atoms_of(self, condition: Condition, context: Context) -> None:
        for leaf in self.leaves(condition):
            place = (leaf.span.start, leaf.span.end)
            if place not in self.atoms:
                text = " ".join(self.policy.source[leaf.span.start : leaf.span.end].split())
                self.atoms[place] = Atom(text, leaf.span, {"true", "false"})
            if self._may_be_unknown(leaf, context):
                self.atoms[place].wanted.add("unknown")

    def _may_be_unknown(self, leaf: Condition, context: Context) -> bool:
        """Whether a host, a model or a tool may leave its fact out although it has to be there."""
        if isinstance(leaf, (Has, Not, And, Or, Defined)):
            return False
        known = find(self.names, leaf.fact.text, context)
        if isinstance(known, Unknown) or known.optional:
            return False
        declared = self.names.facts.get(known.name)
        is_sent = known.source in ("arg", "result") or known.name == CONFIDENCE
        return is_sent or (declared is not None and declared.default is None)
