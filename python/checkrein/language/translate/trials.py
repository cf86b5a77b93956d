"""Builders of `test` blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from checkrein.diagnostics import quote
from checkrein.language.translate.walk import DEPTH_MAX, DROPPED, ONE_OF_TWO, Item, builds
from checkrein.language.tree import Answer, Call, Expect, Fails, Name, Repeat, Test, TestItem, Wait

if TYPE_CHECKING:
    from checkrein.language.translate.walk import Builder
    from checkrein.language.tree import Literal, Span


class Block(NamedTuple):
    """A `repeat` with the depth of its nesting."""

    repeat: Repeat
    depth: int


def _items(parts: list[Any]) -> tuple[TestItem, ...]:
    return tuple(p.repeat if isinstance(p, Block) else p for p in parts)


@builds("arg_value")
def arg_value(b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("argument", (b.name(parts[0]), parts[1]), span)


@builds("fact_value")
def fact_value(b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("fact", (b.name(parts[0]), parts[1]), span)


def _tokens(b: Builder, span: Span, word: str, literal: Literal) -> Any:
    # Inside a test nothing but tokens can be meant, so a plain number will do.
    dimension = "count" if literal.dimension == "count" else "tokens"
    value = b.amount(word, literal, dimension, zero=True)
    return value if value is DROPPED else Item(word, value, span)


@builds("used_input")
def used_input(b: Builder, span: Span, parts: list[Any]) -> Any:
    return _tokens(b, span, "input", parts[0])


@builds("used_output")
def used_output(b: Builder, span: Span, parts: list[Any]) -> Any:
    return _tokens(b, span, "output", parts[0])


@builds("asked_output")
def asked_output(b: Builder, span: Span, parts: list[Any]) -> Any:
    return _tokens(b, span, "asks", parts[0])


@builds("fails")
def fails(b: Builder, _span: Span, parts: list[Any]) -> Any:
    times = b.number(parts[1]) if len(parts) > 1 else None
    return DROPPED if times is DROPPED else Fails(b.name(parts[0]), times)


@builds("tool_step")
def tool_step(b: Builder, span: Span, parts: list[Any]) -> Any:
    return _call(b, span, parts, "tool")


@builds("model_step")
def model_step(b: Builder, span: Span, parts: list[Any]) -> Any:
    return _call(b, span, parts, "model")


def _call(b: Builder, span: Span, parts: list[Any], point: Any) -> Call:
    named = parts and not isinstance(parts[0], Item | Fails)
    name: Name | None = b.name(parts[0]) if named else None
    items = [p for p in parts if isinstance(p, Item)]
    _given_once(b, items)
    used = b.once(i for i in items if i.word in ("input", "output", "asks"))
    return Call(
        point,
        name,
        tuple(i.value for i in items if i.word == "argument"),
        tuple(i.value for i in items if i.word == "fact"),
        used.get("input", 0),
        used.get("output", 0),
        used.get("asks"),
        next((p for p in parts if isinstance(p, Fails)), None),
        span,
    )


def _given_once(b: Builder, items: list[Item]) -> None:
    seen: set[tuple[str, str]] = set()
    for item in items:
        if item.word not in ("argument", "fact"):
            continue
        key = (item.word, item.value[0].text)
        if key in seen:
            b.report.add(
                "R0025",
                item.value[0].span,
                f"the {item.word} {quote(key[1])} is given twice",
                help=ONE_OF_TWO,
            )
        seen.add(key)


@builds("repeat_step")
def repeat_step(b: Builder, span: Span, parts: list[Any]) -> Any:
    times = b.number(parts[0])
    depth = 1 + max((p.depth for p in parts if isinstance(p, Block)), default=0)
    if times is DROPPED:
        return DROPPED
    if depth > DEPTH_MAX:
        b.report.add("R0020", span, f"`repeat` is nested deeper than {DEPTH_MAX}")
        return DROPPED
    return Block(Repeat(times, _items(parts[1:]), span), depth)


@builds("wait_step")
def wait_step(b: Builder, span: Span, parts: list[Any]) -> Any:
    value = b.amount("wait", parts[0], "duration")
    return value if value is DROPPED else Wait(value, span)


@builds("answer_step")
def answer_step(_b: Builder, span: Span, parts: list[Any]) -> Answer:
    return Answer(str(parts[0]) == "approve", span)


@builds("by")
def by(b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("by", b.name(parts[0]), span)


@builds("at_call")
def at_call(b: Builder, span: Span, parts: list[Any]) -> Any:
    value = b.number(parts[0])
    return value if value is DROPPED else Item("at call", value, span)


def _expects(kind: str) -> Any:
    def expected(b: Builder, _span: Span, parts: list[Any]) -> Any:
        return (kind, b.name(parts[0]) if parts else None)

    return expected


for _kind in ("allow", "deny", "wait", "stop", "fail", "escalate"):
    builds(f"expect_{_kind}")(_expects(_kind))


@builds("expect_step")
def expect_step(b: Builder, span: Span, parts: list[Any]) -> Expect:
    items = b.once(parts[1:])
    kind, target = parts[0]
    return Expect(kind, target, items.get("by"), items.get("at call"), span)


@builds("test")
def test(b: Builder, span: Span, parts: list[Any]) -> Test:
    return Test(b.name(parts[0]), _items(parts[1:]), span)
