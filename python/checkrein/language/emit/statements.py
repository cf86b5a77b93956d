"""The table of statements, and a row of its own section for each but limits."""

from __future__ import annotations

from typing import Any

from checkrein.language.emit.sheet import Sheet
from checkrein.language.lower.codes import PLACES
from checkrein.language.tree import Loop, Order, Require, Retry, Route, Rule


class Statements(Sheet):
    """One method for a row of each section."""

    def statement(self, row: tuple[int, Any]) -> None:
        kind, node = row
        self.w.byte(kind)
        self.w.text(node.name.text)
        self.w.number(node.span.line)
        self.w.number(node.span.column)
        self.w.text(self.t.policy.source[node.span.start : node.span.end])

    def rule(self, row: tuple[int, Rule]) -> None:
        index, rule = row
        self.w.number(index)
        self.selector(rule.selector)
        self.condition(rule.when)
        self.outcome(rule.outcome)
        self.w.text(rule.outcome.reason or "")

    def retry(self, row: tuple[int, Retry]) -> None:
        index, retry = row
        self.w.number(index)
        self.selector(retry.selector)
        self.condition(retry.when)
        self.w.number(retry.attempts or 0)
        self.w.maybe(retry.within, self.w.number)
        self.w.maybe(retry.backoff, self.pair)
        self.otherwise(retry.otherwise)

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
