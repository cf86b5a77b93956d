"""Builders of breakers, and of the share of a retry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.language.translate.walk import DROPPED, Item, builds
from checkrein.language.tree import Breaker, Opens, Probes, Selector, Share

if TYPE_CHECKING:
    from checkrein.language.translate.walk import Builder
    from checkrein.language.tree import Span


@builds("any_provider")
def any_provider(_b: Builder, span: Span, _parts: list[Any]) -> Selector:
    return Selector("provider", span)


@builds("one_provider")
def one_provider(b: Builder, span: Span, parts: list[Any]) -> Selector:
    return Selector("provider", span, name=b.name(parts[0]))


@builds("opens")
def opens(b: Builder, span: Span, parts: list[Any]) -> Any:
    failures, window = b.amount("failures", parts[0], "percent"), b.amount("in", parts[2], "duration")
    calls = b.number(parts[1])
    whole = DROPPED not in (failures, window, calls)
    return Item("opens", Opens(failures, calls, window, span), span) if whole else DROPPED


@builds("probes")
def probes(b: Builder, span: Span, parts: list[Any]) -> Any:
    count, after = b.number(parts[0]), b.amount("after", parts[1], "duration")
    return Item("probes", Probes(count, after, span), span) if DROPPED not in (count, after) else DROPPED


@builds("share")
def share(b: Builder, span: Span, parts: list[Any]) -> Any:
    most, window = b.amount("share", parts[0], "percent"), b.amount("in", parts[1], "duration")
    least = b.number(parts[2])
    whole = DROPPED not in (most, window, least)
    return Item("share", Share(most, window, least, span), span) if whole else DROPPED


@builds("breaker")
def breaker(b: Builder, span: Span, parts: list[Any]) -> Any:
    if any(p is DROPPED for p in parts):
        return DROPPED
    items = b.once(parts)
    return Breaker(b.name(parts[0]), parts[1], items.get("opens"), items.get("probes"), span)
