"""Builders of the vocabulary: models, tools, queues, states, facts and defines; and of what is included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.language.translate.walk import DROPPED, VALUE_MAX, Item, builds
from checkrein.language.tree import (
    Arg,
    Define,
    Fact,
    Grants,
    Include,
    Model,
    Price,
    Queue,
    State,
    Tool,
    Type,
    WallClock,
)

if TYPE_CHECKING:
    from checkrein.language.translate.walk import Builder
    from checkrein.language.tree import Span

MILLION = 1_000_000


@builds("header")
def header(b: Builder, _span: Span, parts: list[Any]) -> Any:
    version = b.number(parts[0])
    return DROPPED if version is DROPPED else (version, b.name(parts[1]))


@builds("include")
def include(b: Builder, span: Span, parts: list[Any]) -> Include:
    return Include(b.name(parts[0]), span)


@builds("tier")
def tier(b: Builder, span: Span, parts: list[Any]) -> Any:
    value = b.number(parts[0])
    return value if value is DROPPED else Item("tier", value, span)


@builds("place")
def place(_b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("place", parts[0], span)


@builds("region")
def region(b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("region", b.name(parts[0]), span)


@builds("window")
def window(b: Builder, span: Span, parts: list[Any]) -> Any:
    return b.setting(span, "window", parts[0], "tokens")


@builds("output")
def output(b: Builder, span: Span, parts: list[Any]) -> Any:
    return b.setting(span, "output", parts[0], "tokens")


@builds("min_output")
def least_output(b: Builder, span: Span, parts: list[Any]) -> Any:
    return b.setting(span, "least output", parts[0], "tokens")


@builds("price_free")
def price_free(_b: Builder, span: Span, _parts: list[Any]) -> Item:
    return Item("price", ("free", None), span)


@builds("cache_read")
def cache_read(_b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("cache read", parts[0], span)


@builds("cache_write")
def cache_write(_b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("cache write", parts[0], span)


@builds("reasoning")
def reasoning(_b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("reasoning", parts[0], span)


@builds("price")
def price(b: Builder, span: Span, parts: list[Any]) -> Any:
    rates = {"input": parts[0], "output": parts[1]}
    rates |= {p.word: p.value for p in parts[2:-1]}
    nanos = {word: b.amount(f"price {word}", rate, "money", zero=True) for word, rate in rates.items()}
    per = b.amount("price per", parts[-1], "tokens")
    if per is DROPPED or DROPPED in nanos.values():
        return DROPPED
    scaled = {word: divmod(nano * MILLION, per) for word, nano in nanos.items()}
    if any(rest or nano > VALUE_MAX for nano, rest in scaled.values()):
        b.report.add(
            "R0309",
            span,
            "the price of a million tokens is not a whole number of billionths, or is too large",
            help="give it `per 1M tokens`",
        )
        return DROPPED
    currency = parts[0].currency
    other = next((rate for rate in rates.values() if rate.currency != currency), None)
    if other is not None:
        message = f"`{other.currency}` and `{currency}` are two currencies in one file"
        b.report.add("R0308", other.span, message)
    found = {word.replace(" ", "_"): nano for word, (nano, _) in scaled.items()}
    return Item("price", (Price(**found), currency), span)


@builds("model")
def model(b: Builder, span: Span, parts: list[Any]) -> Model:
    items = b.once(parts)
    cost, currency = items.get("price", (None, None))
    return Model(
        b.name(parts[0]),
        b.name(parts[1]),
        span,
        items.get("tier"),
        items.get("place"),
        items.get("window"),
        items.get("output"),
        items.get("least output", 1),
        cost,
        currency,
        items.get("region"),
    )


@builds("tool_class")
def tool_class(_b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("class", parts[0], span)


@builds("once")
def once(_b: Builder, span: Span, _parts: list[Any]) -> Item:
    return Item("once", True, span)


@builds("may_repeat")
def may_repeat(_b: Builder, span: Span, _parts: list[Any]) -> Item:
    return Item("may repeat", True, span)


@builds("timeout")
def timeout(b: Builder, span: Span, parts: list[Any]) -> Any:
    return b.setting(span, "timeout", parts[0], "duration")


@builds("optional")
def optional(_b: Builder, span: Span, _parts: list[Any]) -> Item:
    return Item("optional", True, span)


@builds("arg")
def arg(b: Builder, _span: Span, parts: list[Any]) -> Arg:
    return Arg(b.name(parts[0]), parts[1], len(parts) > 2)


@builds("args")
def args(_b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("args", tuple(parts), span)


@builds("result")
def result(_b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("result", tuple(parts), span)


@builds("succeeds")
def succeeds(_b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("succeeds when", parts[0].condition, span)


@builds("tool")
def tool(b: Builder, span: Span, parts: list[Any]) -> Tool:
    items = b.once(parts)
    return Tool(
        b.name(parts[0]),
        span,
        items.get("class"),
        items.get("once", False),
        items.get("may repeat", False),
        items.get("timeout"),
        items.get("args", ()),
        items.get("result", ()),
        items.get("succeeds when"),
    )


@builds("expires")
def expires(b: Builder, span: Span, parts: list[Any]) -> Any:
    return b.setting(span, "expires", parts[0], "duration")


@builds("default_deny")
def default_deny(_b: Builder, span: Span, _parts: list[Any]) -> Item:
    return Item("default", None, span)


@builds("default_stop")
def default_stop(b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("default", b.name(parts[0]), span)


@builds("grants")
def grants(b: Builder, span: Span, parts: list[Any]) -> Any:
    times = b.number(parts[1])
    return times if times is DROPPED else Item("grants", Grants(parts[0], times, span), span)


@builds("binds")
def binds(b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("binds", tuple(b.name(part) for part in parts), span)


@builds("queue")
def queue(b: Builder, span: Span, parts: list[Any]) -> Queue:
    items = b.once(parts)
    return Queue(
        b.name(parts[0]), span, items.get("expires"), items.get("default"), items.get("grants"),
        items.get("binds", ()),
    )  # fmt: skip


@builds("tell")
def tell(b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item(f"tell {parts[0]}", b.name(parts[1]).text, span)


@builds("state")
def state(b: Builder, span: Span, parts: list[Any]) -> State:
    items = b.once(parts)
    return State(b.name(parts[0]), span, items.get("tell agent"), items.get("tell user"))


@builds("fact_default")
def fact_default(_b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("default", parts[0], span)


@builds("fact")
def fact(b: Builder, span: Span, parts: list[Any]) -> Fact:
    items = b.once(parts)
    kind: Type = parts[1]
    return Fact(b.name(parts[0]), kind, items.get("optional", False), items.get("default"), span)


@builds("clock")
def clock(b: Builder, span: Span, parts: list[Any]) -> WallClock:
    return WallClock(b.name(parts[0]), span)


@builds("define")
def define(b: Builder, span: Span, parts: list[Any]) -> Define:
    return Define(b.name(parts[0]), parts[1].condition, span)
