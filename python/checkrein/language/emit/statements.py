"""The table of statements, and a row of its own section for each but limits."""

from __future__ import annotations

from typing import Any

from checkrein.language.emit.sheet import Sheet
from checkrein.language.facts import ARG_PREFIX
from checkrein.language.lower.codes import DIMENSIONS, OPERATORS, PLACES
from checkrein.language.tree import (
    Breaker,
    Canary,
    Loop,
    NamesNeed,
    Order,
    Require,
    Retry,
    Route,
    Rule,
    Share,
    Then,
    TierNeed,
    Truth,
)


class Statements(Sheet):
    """One method for a row of each section."""

    def statement(self, row: tuple[int, Any]) -> None:
        kind, node = row
        self.w.byte(kind)
        self.w.text(node.name.text)
        self.w.byte(int(getattr(node, "observed", None) is not None))
        self.w.text(self.t.policy.file_of(node.span))
        self.w.number(node.span.line)
        self.w.number(node.span.column)
        built_in = getattr(node, "built_in", None)
        self.w.text(built_in or self.t.policy.source[node.span.start : node.span.end])

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
        self.w.maybe(retry.share, self.share)
        self.otherwise(retry.otherwise)

    def share(self, share: Share) -> None:
        for number in (share.most, share.window, share.least):
            self.w.number(number)

    def breaker(self, row: tuple[int, Breaker]) -> None:
        index, breaker = row
        selector, opens, probes = breaker.selector, breaker.opens, breaker.probes
        self.w.number(index)
        self.w.maybe(selector if selector.point != "provider" else None, self.selector)
        if selector.point == "provider":
            self.w.maybe(None if selector.name is None else selector.name.text, self.w.text)
        if opens is not None and probes is not None:
            for number in (opens.failures, opens.calls, opens.window, probes.count, probes.after):
                self.w.number(number)

    def require(self, row: tuple[int, Require]) -> None:
        index, require = row
        self.w.number(index)
        self.need(require.need)
        self.condition(require.when)

    def need(self, need: str | TierNeed | NamesNeed) -> None:
        match need:
            case str():
                self.w.byte(0)
                self.w.byte(PLACES.index(need))
            case TierNeed():
                self.w.byte(1)
                self.w.byte(OPERATORS.index(need.operator))
                self.w.number(need.tier)
            case NamesNeed() if need.kind == "model":
                self.w.byte(2)
                models = {self._model(name.text) for name in need.names}
                self.w.sequence(sorted(models), self.w.number)
            case NamesNeed():
                self.w.byte(3)
                regions = {name.text for name in need.names}
                self.w.sequence(sorted(regions, key=lambda name: name.encode()), self.w.text)

    def route(self, row: tuple[int, Route]) -> None:
        index, route = row
        self.w.number(index)
        self.w.sequence(route.arms, self.arm)
        edges = [(self._model(a.text), self._model(b.text)) for a, b in route.fallbacks]
        self.w.sequence(edges, self.pair)
        self.w.maybe(route.canaries or None, self.canaries)

    def _model(self, name: str) -> int:
        return self.t.names.place("models", name)

    def canaries(self, canaries: tuple[Canary, ...]) -> None:
        self.w.number(self.fact_index[(canaries[0].fact.text, DIMENSIONS.index("text"), False)])
        self.w.sequence(canaries, self.canary)

    def canary(self, canary: Canary) -> None:
        self.w.number(self._model(canary.model.text))
        self.w.number(int(canary.percent.value))

    def arm(self, arm: Any) -> None:
        self.w.number(self._model(arm.model.text))
        self.condition(arm.when)
        self.w.maybe(arm.then, self.then)

    def then(self, then: Then) -> None:
        self.w.number(self._model(then.model.text))
        self.w.number(self.t.condition_of[id(then.when)])

    def order(self, row: tuple[int, Order]) -> None:
        index, order = row
        self.w.number(index)
        self.selector(order.before)
        self.selector(order.after)
        self.w.sequence(sorted(self.fact_index[key] for key in self.t.matched[id(order)]), self.w.number)
        again = sorted({self.t.names.place("tools", name.text) for name in order.again_after})
        self.w.sequence(again, self.w.number)
        self.otherwise(order.otherwise)

    def loop(self, row: tuple[int, Loop]) -> None:
        index, loop = row
        self.w.number(index)
        ignored = (fact.text.removeprefix(ARG_PREFIX) for fact in loop.ignoring)
        self.w.sequence(sorted(ignored, key=lambda name: name.encode()), self.w.text)
        self.w.maybe(loop.same_call, self.pair)
        self.w.maybe(loop.same_error, self.pair)
        self.w.maybe(loop.cycle, self.pair)
        self.w.maybe(loop.no_progress, self.w.number)
        self.w.maybe(loop.repeated_context, self.w.number)
        self.otherwise(loop.otherwise)

    def truth(self, row: tuple[int, Truth]) -> None:
        index, truth = row
        self.w.number(index)
        self.otherwise(truth.otherwise)
