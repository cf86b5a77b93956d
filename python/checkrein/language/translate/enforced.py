"""Builders of what is enforced but limits: retries, requirements, routes, orders, loops and rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.frozen import replace
from checkrein.language.translate.walk import DROPPED, Item, builds
from checkrein.language.tree import (
    Arm,
    Canary,
    Loop,
    LoopOff,
    Name,
    NamesNeed,
    Order,
    Outcome,
    Require,
    Retry,
    Route,
    Rule,
    Selector,
    Then,
    TierNeed,
    Truth,
)

if TYPE_CHECKING:
    from checkrein.language.translate.walk import Builder
    from checkrein.language.tree import Span

ATTEMPTS_MAX = 1_000


@builds("within")
def within(b: Builder, span: Span, parts: list[Any]) -> Any:
    return b.setting(span, "within", parts[0], "duration")


@builds("backoff")
def backoff(b: Builder, span: Span, parts: list[Any]) -> Any:
    low, high = (b.amount("backoff", part, "duration") for part in parts)
    if low is DROPPED or high is DROPPED:
        return DROPPED
    if low > high:
        b.report.add(
            "R0403",
            span,
            "`backoff` runs from the longer wait to the shorter",
            help="write the shorter wait first, as in `backoff 200 ms .. 5 s`",
        )
        return DROPPED
    return Item("backoff", (low, high), span)


@builds("attempts")
def attempts(b: Builder, span: Span, parts: list[Any]) -> Any:
    value = b.amount("attempts", parts[0], "count", zero=True)
    if value is DROPPED:
        return DROPPED
    if not 1 <= value <= ATTEMPTS_MAX:
        b.report.add(
            "R0402",
            parts[0].span,
            f"`attempts` must be from 1 to {ATTEMPTS_MAX:,}",
            help="`attempts <= 1` makes no second try",
        )
        return DROPPED
    return Item("attempts", value, span)


@builds("retry")
def retry(b: Builder, span: Span, parts: list[Any]) -> Any:
    items = b.once(parts)
    return Retry(
        b.name(parts[0]),
        parts[1],
        items.get("when"),
        items.get("attempts"),
        items.get("within"),
        items.get("backoff"),
        items.get("share"),
        parts[-1],
        span,
    )


@builds("require_place")
def require_place(_b: Builder, _span: Span, parts: list[Any]) -> str:
    return str(parts[0])


@builds("require_tier")
def require_tier(b: Builder, span: Span, parts: list[Any]) -> Any:
    tier = b.number(parts[1])
    return tier if tier is DROPPED else TierNeed(str(parts[0]), tier, span)


@builds("require_model")
def require_model(b: Builder, span: Span, parts: list[Any]) -> NamesNeed:
    return NamesNeed("model", tuple(b.name(part) for part in parts), span)


@builds("require_region")
def require_region(b: Builder, span: Span, parts: list[Any]) -> NamesNeed:
    return NamesNeed("region", tuple(b.name(part) for part in parts), span)


@builds("require")
def require(b: Builder, span: Span, parts: list[Any]) -> Any:
    if parts[1] is DROPPED:
        return DROPPED
    when = parts[2].value if len(parts) > 2 else None
    return Require(b.name(parts[0]), parts[1], when, span)


@builds("arm")
def arm(b: Builder, span: Span, parts: list[Any]) -> Arm:
    return Arm(b.name(parts[0]), parts[1].value if len(parts) > 1 else None, span)


@builds("cascade")
def cascade(b: Builder, span: Span, parts: list[Any]) -> Arm:
    return Arm(b.name(parts[0]), None, span, Then(b.name(parts[1]), parts[2].value))


@builds("fallback")
def fallback(b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("fallback", (b.name(parts[0]), b.name(parts[1])), span)


@builds("canary")
def canary(b: Builder, span: Span, parts: list[Any]) -> Any:
    if b.amount("canary", parts[0], "percent", zero=True) is DROPPED:
        return DROPPED
    return Canary(parts[0], b.name(parts[1]), b.name(parts[2]), span)


@builds("route")
def route(b: Builder, span: Span, parts: list[Any]) -> Any:
    if any(p is DROPPED for p in parts):
        return DROPPED
    arms = tuple(p for p in parts if isinstance(p, Arm))
    fallbacks = tuple(p.value for p in parts if isinstance(p, Item))
    canaries = tuple(p for p in parts if isinstance(p, Canary))
    return Route(b.name(parts[0]), arms, fallbacks, canaries, span)


@builds("matching")
def matching(b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("matching", tuple(b.name(part) for part in parts), span)


@builds("again")
def again(b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("again after", tuple(b.name(part) for part in parts), span)


@builds("order")
def order(b: Builder, span: Span, parts: list[Any]) -> Order:
    items = {part.word: part.value for part in parts if isinstance(part, Item)}
    listed = items.get("matching", ()), items.get("again after", ())
    return Order(b.name(parts[0]), parts[1], parts[2], *listed, parts[-1], span)


@builds("same_call")
def same_call(b: Builder, span: Span, parts: list[Any]) -> Any:
    return _pair(b, span, "same call", parts)


@builds("same_error")
def same_error(b: Builder, span: Span, parts: list[Any]) -> Any:
    return _pair(b, span, "same error", parts)


@builds("ignoring")
def ignoring(b: Builder, span: Span, parts: list[Any]) -> Item:
    name = b.name(parts[0])
    return Item(f"ignoring {name.text}", name, span)


@builds("cycle")
def cycle(b: Builder, span: Span, parts: list[Any]) -> Any:
    return _pair(b, span, "cycle", parts)


@builds("no_progress")
def no_progress(b: Builder, span: Span, parts: list[Any]) -> Any:
    steps = b.number(parts[0])
    return steps if steps is DROPPED else Item("no progress", steps, span)


@builds("repeated_context")
def repeated_context(b: Builder, span: Span, parts: list[Any]) -> Any:
    return b.setting(span, "repeated_context", parts[0], "percent")


def _pair(b: Builder, span: Span, word: str, parts: list[Any]) -> Any:
    numbers = [b.number(p) for p in parts]
    return DROPPED if DROPPED in numbers else Item(word, tuple(numbers), span)


@builds("loop_off")
def loop_off(_b: Builder, span: Span, _parts: list[Any]) -> LoopOff:
    return LoopOff(span)


@builds("loop")
def loop(b: Builder, span: Span, parts: list[Any]) -> Loop:
    items = b.once(parts)
    return Loop(
        b.name(parts[0]),
        tuple(value for word, value in items.items() if word.startswith("ignoring ")),
        items.get("same call"),
        items.get("same error"),
        items.get("cycle"),
        items.get("no progress"),
        items.get("repeated_context"),
        parts[-1],
        span,
    )


@builds("truth")
def truth(_b: Builder, span: Span, parts: list[Any]) -> Truth:
    return Truth(Name("tool results", span), parts[-1], span)


@builds("rule")
def rule(b: Builder, span: Span, parts: list[Any]) -> Rule:
    selector: Selector = parts[1]
    when = next((p.value for p in parts if isinstance(p, Item)), None)
    outcome: Outcome = parts[-2]
    reason = parts[-1].text
    return Rule(b.name(parts[0]), selector, when, replace(outcome, reason=reason), span)
