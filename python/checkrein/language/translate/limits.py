"""Builders of limits: their scope, their window and what stands in their braces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.language.translate.walk import DROPPED, Item, builds
from checkrein.language.tree import (
    Bound,
    Calendar,
    Limit,
    Literal,
    Name,
    Outcome,
    Rolling,
    Store,
    Threshold,
    WrapUp,
)

if TYPE_CHECKING:
    from checkrein.language.translate.walk import Builder
    from checkrein.language.tree import Span

LIMIT_DIMENSIONS = {
    "cost": "money",
    "tokens": "tokens",
    "input_tokens": "tokens",
    "output_tokens": "tokens",
    "steps": "count",
    "model_calls": "count",
    "tool_calls": "count",
    "attempts": "count",
    "retries": "count",
    "escalations": "count",
    "active_time": "duration",
    "wall_time": "duration",
    "calls of": "count",
}


@builds("store")
def store(_b: Builder, span: Span, _parts: list[Any]) -> Store:
    return Store(span)


@builds("scope")
def scope(b: Builder, _span: Span, parts: list[Any]) -> Name:
    return b.name(parts[0])


@builds("calendar")
def calendar(b: Builder, span: Span, parts: list[Any]) -> Calendar:
    return Calendar(parts[0], b.name(parts[1]) if len(parts) > 1 else None, span)


@builds("rolling")
def rolling(b: Builder, span: Span, parts: list[Any]) -> Any:
    value = b.amount("rolling", parts[0], "duration")
    return value if value is DROPPED else Rolling(value, span)


@builds("bound")
def bound(_b: Builder, span: Span, parts: list[Any]) -> Bound:
    return Bound(parts[0], parts[1], span)


@builds("calls_of")
def calls_of(b: Builder, span: Span, parts: list[Any]) -> Any:
    most = b.number(parts[1])
    if most is DROPPED:
        return DROPPED
    return Bound("calls of", Literal("count", most, b.span(parts[1])), span, parts[0])


@builds("threshold")
def threshold(_b: Builder, span: Span, parts: list[Any]) -> Threshold:
    advice, text = parts[1]
    return Threshold(parts[0], advice, text, span)


@builds("tell_agent")
def tell_agent(b: Builder, _span: Span, parts: list[Any]) -> tuple[str, str]:
    return ("tell agent", b.name(parts[0]).text)


@builds("warn")
def warn(b: Builder, _span: Span, parts: list[Any]) -> tuple[str, str]:
    return ("warn", b.name(parts[0]).text)


@builds("prefer_lower")
def prefer_lower(_b: Builder, _span: Span, _parts: list[Any]) -> tuple[str, str]:
    return ("prefer lower tier", "")


@builds("wrap_up")
def wrap_up(b: Builder, span: Span, parts: list[Any]) -> Any:
    calls = b.number(parts[0])
    return calls if calls is DROPPED else Item("wrap up", WrapUp(calls, parts[1], span), span)


@builds("basis")
def basis(_b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("counts", Name(parts[0], span), span)


@builds("store_failure")
def store_failure(_b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("on failure", Name(parts[0], span), span)


@builds("limit")
def limit(b: Builder, span: Span, parts: list[Any]) -> Any:
    bounds = tuple(p for p in parts if isinstance(p, Bound))
    lost = False
    for each in bounds:
        wanted = LIMIT_DIMENSIONS[each.dimension]
        lost = b.amount(each.dimension, each.literal, wanted, zero=True) is DROPPED or lost
    items = b.once(parts)
    if lost:
        return DROPPED
    otherwise: Outcome = parts[-1]
    return Limit(
        b.name(parts[0]),
        parts[1],
        next((p for p in parts if isinstance(p, Calendar | Rolling)), None),
        bounds,
        tuple(p for p in parts if isinstance(p, Threshold)),
        items.get("counts"),
        items.get("on failure"),
        items.get("wrap up"),
        otherwise,
        span,
    )
