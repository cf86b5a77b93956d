"""Tables to bytes: the `.reinc` artifact. The same tables give the same bytes, always.

The layout is written down in `docs/ARCHITECTURE.md`; the loader in the core is its judge.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Any

from checkrein.language.facts import ARG_PREFIX
from checkrein.language.lower import (
    CLASSES,
    DIMENSIONS,
    KEY_SCOPE,
    MONEY_UNITS,
    PERIODS,
    PLACES,
    SCOPES,
    basis_code,
    bounds_row,
    failure_code,
    ordered,
    outcome_row,
    selector_row,
    zone_name,
)
from checkrein.language.tree import Calendar, Limit, Loop, Order, Require, Retry, Rolling, Route, Rule, Store
from checkrein.language.writer import Collector, Writer

if TYPE_CHECKING:
    from checkrein.language.lower import BoundRow, Tables
    from checkrein.language.tree import Arg, Grants, Outcome, Selector
    from checkrein.language.zones import Zone
    from checkrein.prices import Tariff

MAGIC = b"REIN"
FORMAT = 1
SCHEMA = b"slice003"
JUMPS = {"jump_if_false": 8, "jump_if_true": 9}
JOINTS = {"not": 5, "and": 6, "or": 7}
AFFIXES = {"starts": 3, "ends": 4}
ADVICE = {"tell agent": 0, "warn": 1}


def emit(tables: Tables) -> bytes:
    """The artifact: a header with a digest, then the payload."""
    strings: set[str] = set()
    _write(tables, Collector(strings))
    table = sorted(strings, key=lambda s: s.encode())
    writer = Writer({text: index for index, text in enumerate(table)})
    writer.sequence(table, writer.raw_text)
    _write(tables, writer)
    payload = bytes(writer.out)
    header = MAGIC + struct.pack("<HH", FORMAT, tables.policy.language) + SCHEMA
    return header + hashlib.sha256(payload).digest() + struct.pack("<I", len(payload)) + payload


def _write(tables: Tables, w: Writer) -> None:
    w.text(tables.policy.name.text)
    w.text(tables.policy.file)
    w.text(tables.currency)
    w.text(tables.prices)
    w.byte(int(bool(tables.policy.of(Store))))
    sections = _Sections(tables, w)
    sections.vocabulary()
    sections.conditions()
    w.sequence(tables.statements, sections.statement)
    for kind, write in (
        (Rule, sections.rule),
        (Limit, sections.limit),
        (Retry, sections.retry),
        (Require, sections.require),
        (Route, sections.route),
        (Order, sections.order),
        (Loop, sections.loop),
    ):
        rows = [(i, s) for i, (_, s) in enumerate(tables.statements) if isinstance(s, kind)]
        w.sequence(rows, write)


class _Sections:
    """One method for a row of each section, in the order of the format."""

    def __init__(self, tables: Tables, writer: Writer) -> None:
        self.t = tables
        self.w = writer
        self.fact_keys = sorted(tables.facts, key=lambda key: (key[0].encode(), key[1]))
        self.fact_index = {key: index for index, key in enumerate(self.fact_keys)}
        self.model_names = ordered(tables.names.models)

    # -- vocabulary ---------------------------------------------------------------------------

    def vocabulary(self) -> None:
        names, w = self.t.names, self.w
        w.sequence(self.fact_keys, self.fact)
        w.sequence(self.model_names, self.model)
        w.sequence(ordered(names.tools), self.tool)
        w.sequence(ordered(names.states), self.state)
        w.sequence(ordered(names.queues), self.queue)
        w.sequence(self.t.zones, self.zone)

    def fact(self, key: tuple[str, int]) -> None:
        entry = self.t.facts[key]
        self.w.text(key[0])
        self.w.byte(key[1])
        self.w.byte(entry.source)
        self.w.byte(entry.presence)
        if entry.default is not None:
            self.w.constant(entry.default)
        self.w.sequence(sorted(entry.choices, key=lambda c: c.encode()), self.w.text)

    def model(self, name: str) -> None:
        model, w = self.t.names.models[name], self.w
        w.text(name)
        w.text(model.target.text)
        w.number(model.tier or 0)
        w.byte(PLACES.index(str(model.place)))
        for amount in (model.window, model.output, model.least_output):
            w.number(amount or 0)
        tariffs = self.t.tariffs[name]
        w.byte(int(bool(tariffs)))
        if tariffs:
            w.sequence(tariffs, self.tariff)

    def tariff(self, tariff: Tariff) -> None:
        for number in tariff:
            self.w.number(number)

    def tool(self, name: str) -> None:
        tool, w = self.t.names.tools[name], self.w
        w.text(name)
        w.byte(CLASSES.index(tool.tool_class))
        w.byte(int(tool.once))
        w.maybe(tool.timeout, w.number)
        read = []
        for arg in sorted(tool.args, key=lambda a: a.name.text.encode()):
            key = (ARG_PREFIX + arg.name.text, DIMENSIONS.index(arg.type.dimension))
            if key in self.fact_index:
                read.append((arg, self.fact_index[key]))
        w.sequence(read, self.arg)

    def arg(self, row: tuple[Arg, int]) -> None:
        arg, fact = row
        self.w.text(arg.name.text)
        self.w.number(fact)
        self.w.byte(MONEY_UNITS.index(arg.type.unit))
        self.w.sequence(sorted(set(arg.type.choices), key=lambda c: c.encode()), self.w.text)

    def state(self, name: str) -> None:
        state = self.t.names.states[name]
        self.w.text(name)
        self.w.maybe(state.tell_agent, self.w.text)
        self.w.maybe(state.tell_user, self.w.text)

    def queue(self, name: str) -> None:
        queue = self.t.names.queues[name]
        self.w.text(name)
        self.w.number(queue.expires or 0)
        self.w.byte(int(queue.default_stop is not None))
        if queue.default_stop is not None:
            self.w.number(ordered(self.t.names.states).index(queue.default_stop.text))
        self.w.maybe(queue.grants, self.grants)

    def grants(self, grants: Grants) -> None:
        self.w.byte(DIMENSIONS.index(grants.amount.dimension))
        self.w.number(int(grants.amount.value))
        self.w.number(grants.times)

    def zone(self, zone: Zone) -> None:
        self.w.text(zone.name)
        self.w.text(zone.version)
        self.w.signed(zone.offset)
        self.w.sequence(zone.transitions, self.transition)

    def transition(self, transition: tuple[int, int]) -> None:
        self.w.number(transition[0])
        self.w.signed(transition[1])

    # -- conditions ---------------------------------------------------------------------------

    def conditions(self) -> None:
        self.w.sequence(self.t.conditions, lambda operations: self.w.sequence(operations, self.operation))

    def operation(self, operation: tuple[Any, ...]) -> None:
        w, word = self.w, operation[0]
        if word in JOINTS:
            w.byte(JOINTS[word])
        elif word in JUMPS:
            w.byte(JUMPS[word])
            w.number(operation[1])
        elif word == "compare":
            w.byte(0)
            w.number(self.fact_index[operation[1]])
            w.byte(operation[2])
            w.constant(operation[3])
        elif word == "member":
            w.byte(1)
            w.number(self.fact_index[operation[1]])
            w.sequence(operation[2], w.constant)
        elif word == "has":
            w.byte(2)
            w.number(self.fact_index[operation[1]])
        else:
            w.byte(AFFIXES[word])
            w.number(self.fact_index[operation[1]])
            w.text(operation[2])

    def condition(self, condition: Any) -> None:
        index = None if condition is None else self.t.condition_of[id(condition)]
        self.w.maybe(index, self.w.number)

    # -- statements ---------------------------------------------------------------------------

    def statement(self, row: tuple[int, Any]) -> None:
        kind, node = row
        self.w.byte(kind)
        self.w.text(node.name.text)
        self.w.number(node.span.line)
        self.w.number(node.span.column)
        self.w.text(self.t.policy.source[node.span.start : node.span.end])

    def selector(self, selector: Selector) -> None:
        self.selected(selector_row(self.t.names, selector))

    def selected(self, row: tuple[int, int | None]) -> None:
        kind, which = row
        self.w.byte(kind)
        if kind == 4:
            self.w.byte(which or 0)
        elif which is not None:
            self.w.number(which)

    def outcome(self, outcome: Outcome) -> None:
        kind, target = outcome_row(self.t.names, outcome)
        self.w.byte(kind)
        if target is not None:
            self.w.number(target)

    def otherwise(self, outcome: Outcome) -> None:
        self.outcome(outcome)
        self.w.maybe(outcome.reason, self.w.text)

    def rule(self, row: tuple[int, Rule]) -> None:
        index, rule = row
        self.w.number(index)
        self.selector(rule.selector)
        self.condition(rule.when)
        self.outcome(rule.outcome)
        self.w.text(rule.outcome.reason or "")

    def limit(self, row: tuple[int, Limit]) -> None:
        index, limit = row
        self.w.number(index)
        self.scope(limit.scope.text)
        self.window(limit.window)
        self.w.sequence(bounds_row(self.t.names, limit), self.bound)
        self.w.byte(basis_code(limit))
        self.w.byte(failure_code(limit))
        self.w.number(limit.wrap_up.calls if limit.wrap_up is not None else 0)
        self.w.sequence(limit.thresholds, self.threshold)
        self.otherwise(limit.otherwise)

    def scope(self, scope: str) -> None:
        if scope in SCOPES:
            self.w.byte(SCOPES.index(scope))
        else:
            self.w.byte(KEY_SCOPE)
            self.w.number(self.fact_index[(scope, DIMENSIONS.index("text"))])

    def window(self, window: Calendar | Rolling | None) -> None:
        match window:
            case Calendar():
                self.w.byte(1)
                self.w.byte(PERIODS.index(window.period))
                self.w.number([zone.name for zone in self.t.zones].index(zone_name(window)))
            case Rolling():
                self.w.byte(2)
                self.w.number(window.duration)
            case None:
                self.w.byte(0)

    def bound(self, bound: BoundRow) -> None:
        self.w.byte(bound.measure)
        if bound.selector is not None:
            self.selected(bound.selector)
        self.w.number(bound.most)
        self.w.number(bound.withheld)

    def threshold(self, threshold: Any) -> None:
        self.w.number(threshold.percent.value)
        self.w.byte(ADVICE[threshold.advice])
        self.w.text(threshold.text)

    def retry(self, row: tuple[int, Retry]) -> None:
        index, retry = row
        self.w.number(index)
        self.selector(retry.selector)
        self.condition(retry.when)
        self.w.number(retry.attempts or 0)
        self.w.maybe(retry.within, self.w.number)
        self.w.maybe(retry.backoff, self.pair)
        self.otherwise(retry.otherwise)

    def pair(self, pair: tuple[int, int]) -> None:
        self.w.number(pair[0])
        self.w.number(pair[1])

    def require(self, row: tuple[int, Require]) -> None:
        index, require = row
        self.w.number(index)
        self.w.byte(PLACES.index(require.place))
        self.condition(require.when)

    def route(self, row: tuple[int, Route]) -> None:
        index, route = row
        self.w.number(index)
        self.w.sequence(route.arms, self.arm)
        edges = [(self.model_names.index(a.text), self.model_names.index(b.text)) for a, b in route.fallbacks]
        self.w.sequence(edges, self.pair)

    def arm(self, arm: Any) -> None:
        self.w.number(self.model_names.index(arm.model.text))
        self.condition(arm.when)

    def order(self, row: tuple[int, Order]) -> None:
        index, order = row
        self.w.number(index)
        self.selector(order.before)
        self.selector(order.after)
        self.otherwise(order.otherwise)

    def loop(self, row: tuple[int, Loop]) -> None:
        index, loop = row
        self.w.number(index)
        self.w.maybe(loop.same_call, self.pair)
        self.w.maybe(loop.cycle, self.pair)
        self.otherwise(loop.otherwise)
