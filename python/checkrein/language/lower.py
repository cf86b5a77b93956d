"""Checked tree to plain tables: names become indices, conditions become postfix operations.

It expects a policy that `check` found no error in, and reports nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from checkrein.language.check.vocabulary import currency_of
from checkrein.language.facts import (
    ARG_PREFIX,
    BUILT_IN,
    BuiltIn,
    Context,
    Unknown,
    context_of,
    find,
)
from checkrein.language.names import ENFORCED, Names
from checkrein.language.prices import snapshot_id, tariffs_of
from checkrein.language.tree import (
    Affix,
    And,
    Calendar,
    Compare,
    Defined,
    Has,
    Limit,
    Loop,
    Member,
    Not,
    Or,
    Order,
    Require,
    Retry,
    Route,
    Rule,
)
from checkrein.language.zones import UTC_NAME, Zone, zone

if TYPE_CHECKING:
    from checkrein.language.facts import Known
    from checkrein.language.tree import (
        Bound,
        Condition,
        Define,
        Dimension,
        Literal,
        Outcome,
        Policy,
        Selector,
    )
    from checkrein.prices import Tariff

DIMENSIONS = ("text", "flag", "count", "money", "tokens", "duration", "percent")
SOURCES = ("host", "arg", "builtin")
OPERATORS = ("==", "!=", "<", "<=", ">", ">=")
CLASSES = (None, "retrieve", "reason", "act")
PLACES = ("edge", "cloud")
MEASURES = (
    "cost", "tokens", "input_tokens", "output_tokens", "steps", "model_calls", "tool_calls", "attempts",
    "retries", "escalations", "active_time", "wall_time", "calls of",
)  # fmt: skip
SCOPES = ("run", "session", "user", "team", "org")
KEY_SCOPE = len(SCOPES)
PERIODS = ("hour", "day", "week", "month")
BASES = ("attempted", "executed", "succeeded")
FAILURES = ("spend", "deny", "allow")
AMOUNTS = ("cost", "tokens", "input_tokens", "output_tokens")
MONEY_UNITS = (None, "units", "cents")
OUTCOMES = ("stop", "fail", "deny", "escalate")

Constant = tuple[int, "str | bool | int"]
"""(dimension, value)"""
Key = tuple[str, int]
"""(fact, dimension): what an entry of the fact table is known by."""


@dataclass(slots=True)
class FactEntry:
    """One row of the fact table. `presence` is 0 required, 1 optional, 2 default."""

    source: int
    presence: int
    default: Constant | None = None
    choices: tuple[str, ...] = ()


class BoundRow(NamedTuple):
    """One bound; `selector` only of `calls of`, `withheld` is what a wrap-up keeps back."""

    measure: int
    selector: tuple[int, int | None] | None
    most: int
    withheld: int


@dataclass(slots=True)
class Tables:
    """A policy without names to resolve; `emit.py` writes it down as it stands."""

    policy: Policy
    names: Names
    currency: str
    tariffs: dict[str, tuple[Tariff, ...]]
    """Of every model, by its name; none if it is free."""
    prices: str
    """The price snapshot that one of them is from; empty if none is."""
    zones: list[Zone] = field(default_factory=list)
    """Ascending by name: the index is what windows refer to."""
    facts: dict[Key, FactEntry] = field(default_factory=dict)
    statements: list[tuple[int, Any]] = field(default_factory=list)
    """(kind, node), ascending by name and kind: the index is what other rows refer to."""
    conditions: list[list[tuple[Any, ...]]] = field(default_factory=list)
    """Operations refer to facts by key; `emit.py` knows their indices."""
    condition_of: dict[int, int] = field(default_factory=dict)
    """`id` of a condition's node in the tree to its index."""


def lower(policy: Policy) -> Tables:
    """The tables of a checked policy."""
    names = Names(policy)
    currency = currency_of(policy)
    tariffs = {name: tariffs_of(model, currency) or () for name, model in names.models.items()}
    looked_up = any(model.price is None for model in names.models.values())
    tables = Tables(policy, names, currency, tariffs, snapshot_id() if looked_up else "")
    tables.zones = _zones(policy)
    for name, fact in names.facts.items():
        dimension = DIMENSIONS.index(fact.type.dimension)
        default = None if fact.default is None else _constant(fact.default)
        presence = 2 if default is not None else int(fact.optional)
        tables.facts[(name, dimension)] = FactEntry(0, presence, default, tuple(sorted(fact.type.choices)))
    enforced = [(ENFORCED.index(type(s)), s) for s in policy.statements if isinstance(s, ENFORCED)]
    tables.statements = sorted(enforced, key=lambda s: (s[1].name.text.encode(), s[0]))
    _Conditions(tables).lower_all()
    return tables


def _zones(policy: Policy) -> list[Zone]:
    windows = (limit.window for limit in policy.of(Limit))
    used = {zone_name(window) for window in windows if isinstance(window, Calendar)}
    found = [zone(name) for name in sorted(used, key=lambda name: name.encode())]
    return [each for each in found if each is not None]


def zone_name(window: Calendar) -> str:
    """The zone of a calendar window, UTC if it names none."""
    return UTC_NAME if window.zone is None else window.zone.text


def _constant(literal: Literal) -> Constant:
    return (DIMENSIONS.index(literal.dimension), literal.value)


def _built_in_entry(fact: BuiltIn) -> FactEntry:
    if fact.default is not None:
        return FactEntry(2, 2, (DIMENSIONS.index(fact.dimension), fact.default))
    return FactEntry(2, int(fact.optional))


class _Conditions:
    """Lowers the conditions in the order in which the artifact's sections use them."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.names = tables.names

    def lower_all(self) -> None:
        for kind in (Rule, Retry, Require, Route):
            for _, statement in self.tables.statements:
                match statement:
                    case Rule() if kind is Rule:
                        self._lower(statement.when, context_of(self.names, statement.selector, "rule"))
                    case Retry() if kind is Retry:
                        context = context_of(self.names, statement.selector, "retry", error=True)
                        self._lower(statement.when, context)
                    case Require() if kind is Require:
                        self._lower(statement.when, Context("model", "a requirement"))
                    case Route() if kind is Route:
                        for arm in statement.arms:
                            self._lower(arm.when, Context("model", "a route"))
                    case _:
                        pass

    def _lower(self, condition: Condition | None, context: Context) -> None:
        if condition is None:
            return
        self.tables.condition_of[id(condition)] = len(self.tables.conditions)
        self.tables.conditions.append(self._operations(condition, context))

    def _operations(self, condition: Condition, context: Context) -> list[tuple[Any, ...]]:
        match condition:
            case Not():
                return [*self._operations(condition.operand, context), ("not",)]
            case And():
                return self._joined(condition.operands, context, "jump_if_false", "and")
            case Or():
                return self._joined(condition.operands, context, "jump_if_true", "or")
            case Defined():
                define: Define = self.names.defines[condition.name.text]
                return self._operations(define.condition, context)
            case Has():
                return [("has", self._key(condition.fact.text, context))]
            case Compare():
                operator = OPERATORS.index(condition.operator)
                key = self._key(condition.fact.text, context)
                return [("compare", key, operator, _constant(condition.literal))]
            case Member():
                constants = sorted({_constant(x) for x in condition.literals}, key=_constant_order)
                return [("member", self._key(condition.fact.text, context), constants)]
            case Affix():
                key = self._key(condition.fact.text, context)
                return [(condition.end, key, condition.literal.value)]

    def _joined(
        self, operands: tuple[Condition, ...], context: Context, jump: str, join: str
    ) -> list[tuple[Any, ...]]:
        """The first operand, then for each further one: jump over it and its join if that is decided."""
        operations = self._operations(operands[0], context)
        for operand in operands[1:]:
            further = self._operations(operand, context)
            operations += [(jump, len(further) + 1), *further, (join,)]
        return operations

    def _key(self, name: str, context: Context) -> Key:
        known = find(self.names, name, context)
        if isinstance(known, Unknown):
            raise ValueError(f"a policy with errors cannot be lowered: {known.message}")  # noqa: TRY004
        return self._enter(known)

    def _enter(self, known: Known) -> Key:
        """The fact's key, after its row is in the table."""
        key = (known.name, DIMENSIONS.index(known.dimension))
        if key not in self.tables.facts:
            if known.source == "arg":
                self.tables.facts[key] = self._argument_entry(known.name, known.dimension)
            else:
                self.tables.facts[key] = _built_in_entry(BUILT_IN[known.name])
        return key

    def _argument_entry(self, name: str, dimension: Dimension) -> FactEntry:
        """An argument's row holds for every tool that declares it with this dimension."""
        arg = name.removeprefix(ARG_PREFIX)
        declared = [
            a
            for tool in self.names.tools.values()
            for a in tool.args
            if a.name.text == arg and a.type.dimension == dimension
        ]
        return FactEntry(1, int(any(a.optional for a in declared)))


def _constant_order(constant: Constant) -> Any:
    value = constant[1]
    return value.encode() if isinstance(value, str) else value


# -- small translations that emit.py asks for ------------------------------------------------------


def selector_row(names: Names, selector: Selector) -> tuple[int, int | None]:
    """(kind, index or class)"""
    if selector.point == "model":
        if selector.name is None:
            return (0, None)
        return (1, sorted(names.models).index(selector.name.text))
    if selector.name is not None:
        return (3, sorted(names.tools).index(selector.name.text))
    if selector.tool_class is not None:
        return (4, CLASSES.index(selector.tool_class))
    return (2, None)


def outcome_row(names: Names, outcome: Outcome) -> tuple[int, int | None]:
    """(kind, index of the state or queue)"""
    kind = OUTCOMES.index(outcome.kind)
    if outcome.target is None:
        return (kind, None)
    table: Any = names.queues if outcome.kind == "escalate" else names.states
    return (kind, ordered(table).index(outcome.target.text))


def ordered(table: dict[str, Any]) -> list[str]:
    """Names in the order of the artifact: by their bytes."""
    return sorted(table, key=lambda name: name.encode())


def bounds_row(names: Names, limit: Limit) -> list[BoundRow]:
    """The bounds, ascending by measure and selector."""
    rows = []
    for bound in limit.bounds:
        selector = None if bound.selector is None else selector_row(names, bound.selector)
        most = int(bound.literal.value)
        rows.append(BoundRow(MEASURES.index(bound.dimension), selector, most, _withheld(limit, bound)))
    return sorted(rows, key=lambda row: (row.measure, _selector_order(row.selector)))


def _selector_order(selector: tuple[int, int | None] | None) -> tuple[int, int]:
    return (0, 0) if selector is None else (selector[0], selector[1] or 0)


def _withheld(limit: Limit, bound: Bound) -> int:
    """What the wrap-up keeps back of a bound: its own amount, the same share of other amounts, its calls."""
    wrap_up = limit.wrap_up
    if wrap_up is None:
        return 0
    most, kept = int(bound.literal.value), int(wrap_up.amount.value)
    own = "cost" if wrap_up.amount.dimension == "money" else "tokens"
    if bound.dimension == own:
        return kept
    if bound.dimension in AMOUNTS:
        whole = next(int(b.literal.value) for b in limit.bounds if b.dimension == own)
        return -(-most * kept // whole)
    calls = bound.selector is not None and bound.selector.point == "model"
    if calls or bound.dimension in ("steps", "model_calls", "attempts"):
        return min(wrap_up.calls, most)
    return 0


def failure_code(limit: Limit) -> int:
    """What a limit does while its store is away."""
    return 0 if limit.failure is None else FAILURES.index(limit.failure.text)


def basis_code(limit: Limit) -> int:
    """Which attempts its count bounds count."""
    return 0 if limit.basis is None else BASES.index(limit.basis.text)


__all__ = ["Limit", "Loop", "Order", "Tables", "lower"]
