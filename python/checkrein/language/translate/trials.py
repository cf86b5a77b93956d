"""Builders of `test` blocks."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from checkrein.diagnostics import quote
from checkrein.frozen import replace
from checkrein.language.translate.walk import DEPTH_MAX, DROPPED, ONE_OF_TWO, Item, builds
from checkrein.language.tree import (
    Answer,
    Call,
    Clock,
    Expect,
    Fails,
    Gives,
    Literal,
    Name,
    NewRun,
    Repeat,
    Span,
    Test,
    TestItem,
    Value,
    Wait,
)

if TYPE_CHECKING:
    from checkrein.language.translate.walk import Builder

INSTANT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z")
YEARS = range(1970, 2100)


class Block(NamedTuple):
    """A `repeat` with the depth of its nesting."""

    repeat: Repeat
    depth: int


class Whose(NamedTuple):
    """`as user "u1" ...`: whose run it is."""

    scopes: tuple[tuple[str, Name], ...]
    span: Span


class Sent(NamedTuple):
    """`facts { ... }`: what is sent with the run."""

    facts: tuple[tuple[Name, Value], ...]
    span: Span


class Begun(NamedTuple):
    """Whose a run is and what is sent with it: of the first run, or of one behind a `new run`."""

    scopes: list[tuple[str, Name]]
    facts: list[tuple[Name, Value]]


def _begun(b: Builder, parts: list[Any]) -> list[Begun]:
    """The runs of a test, the first one too; what is said twice of one is reported."""
    runs = [Begun([], [])]
    for part in parts:
        match part:
            case NewRun():
                runs.append(Begun([], []))
            case Whose():
                runs[-1].scopes.extend(part.scopes)
            case Sent():
                runs[-1].facts.extend(part.facts)
    for run in runs:
        seen: set[str] = set()
        for word, name in [*run.scopes, *((name.text, name) for name, _ in run.facts)]:
            if word in seen:
                b.report.add("R0025", name.span, f"{quote(word)} is given twice", help=ONE_OF_TWO)
            seen.add(word)
    return runs


def _items(parts: list[Any], runs: list[Begun]) -> tuple[TestItem, ...]:
    later = iter(runs[1:])
    items: list[TestItem] = []
    for part in parts:
        if isinstance(part, NewRun):
            run = next(later)
            items.append(replace(part, scopes=tuple(run.scopes), facts=tuple(run.facts)))
        elif not isinstance(part, Whose | Sent):
            items.append(part.repeat if isinstance(part, Block) else part)
    return tuple(items)


def _in_front(b: Builder, parts: list[Any], begun: type | tuple[type, ...]) -> None:
    """Report whose run it is, or what it sends, where it has begun already.

    Behind `new run` it has begun with whatever is something else.
    """
    late = False
    for part in parts:
        if isinstance(part, NewRun):
            late, begun = False, object
        elif not isinstance(part, Whose | Sent):
            late = late or isinstance(part, begun)
        elif late:
            word = "as" if isinstance(part, Whose) else "facts"
            b.report.add(
                "R0609",
                part.span,
                f"`{word}` is about the whole run, which has begun here",
                help="write it before the first call of the test, or right behind `new run`",
            )


@builds("scope_id")
def scope_id(b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item(parts[0], b.name(parts[1]), span)


@builds("scope_step")
def scope_step(_b: Builder, span: Span, parts: list[Any]) -> Whose:
    return Whose(tuple((p.word, p.value) for p in parts), span)


@builds("facts_step")
def facts_step(_b: Builder, span: Span, parts: list[Any]) -> Sent:
    return Sent(tuple(p.value for p in parts), span)


@builds("clock_step")
def clock_step(b: Builder, span: Span, parts: list[Any]) -> Any:
    written = b.name(parts[0])
    wall = _instant(written.text)
    if wall is None:
        b.report.add(
            "R0610",
            written.span,
            f"{quote(written.text)} is not an instant",
            help='write it in UTC, as in `at time "2026-03-29T00:30:00Z"`; years 1970 to 2099',
        )
        return DROPPED
    return Clock(wall, span)


def _instant(text: str) -> int | None:
    """Nanoseconds since 1970; None if the text is no instant of the years that are known."""
    found = INSTANT.fullmatch(text)
    if found is None:
        return None
    try:
        second = datetime.fromisoformat(found.group(1)).replace(tzinfo=UTC)
    except ValueError:
        return None
    if second.year not in YEARS:
        return None
    return int(second.timestamp()) * 10**9 + int((found.group(2) or "0").ljust(9, "0"))


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


@builds("judged")
@builds("gives")
def gives(b: Builder, _span: Span, parts: list[Any]) -> Any:
    items = [p for p in parts if isinstance(p, Item)]
    _given_once(b, items)
    times = b.number(parts[-1]) if len(parts) > len(items) else None
    return DROPPED if times is DROPPED else Gives(tuple(i.value for i in items), times)


@builds("tool_step")
def tool_step(b: Builder, span: Span, parts: list[Any]) -> Any:
    return _call(b, span, parts, "tool")


@builds("model_step")
def model_step(b: Builder, span: Span, parts: list[Any]) -> Any:
    return _call(b, span, parts, "model")


def _call(b: Builder, span: Span, parts: list[Any], point: Any) -> Call:
    named = parts and not isinstance(parts[0], Item | Fails | Gives)
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
        next((p for p in parts if isinstance(p, Gives)), None),
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
    _in_front(b, parts, object)
    if times is DROPPED:
        return DROPPED
    if depth > DEPTH_MAX:
        b.report.add("R0020", span, f"`repeat` is nested deeper than {DEPTH_MAX}")
        return DROPPED
    items = _items(parts[1:], _begun(b, parts[1:]))
    return Block(Repeat(times, items, span), depth)


@builds("wait_step")
def wait_step(b: Builder, span: Span, parts: list[Any]) -> Any:
    value = b.amount("wait", parts[0], "duration")
    return value if value is DROPPED else Wait(value, span)


@builds("new_run")
def new_run(_b: Builder, span: Span, _parts: list[Any]) -> NewRun:
    return NewRun(span)


@builds("answer_step")
def answer_step(_b: Builder, span: Span, parts: list[Any]) -> Answer:
    return Answer(str(parts[0]) == "approve", span)


@builds("answered_step")
def answered_step(b: Builder, span: Span, parts: list[Any]) -> Answer:
    return Answer(b.name(parts[0]).text, span)


@builds("by")
def by(b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("by", b.name(parts[0]), span)


@builds("would")
def would(_b: Builder, span: Span, _parts: list[Any]) -> Item:
    return Item("would", True, span)


@builds("at_call")
def at_call(b: Builder, span: Span, parts: list[Any]) -> Any:
    value = b.number(parts[0])
    return value if value is DROPPED else Item("at call", value, span)


def _expects(kind: str) -> Any:
    def expected(b: Builder, _span: Span, parts: list[Any]) -> Any:
        return (kind, b.name(parts[0]) if parts else None)

    return expected


for _kind in ("allow", "deny", "wait", "stop", "fail", "escalate", "reuse", "answer", "handover"):
    builds(f"expect_{_kind}")(_expects(_kind))


@builds("expect_step")
def expect_step(b: Builder, span: Span, parts: list[Any]) -> Expect:
    items = b.once(parts)
    kind, target = next(p for p in parts if not isinstance(p, Item))
    return Expect(kind, target, items.get("by"), items.get("at call"), span, "would" in items)


@builds("test")
def test(b: Builder, span: Span, parts: list[Any]) -> Test:
    _in_front(b, parts[1:], (Call, Block, Wait, Answer, Expect))
    runs = _begun(b, parts[1:])
    first = runs[0]
    items = _items(parts[1:], runs)
    return Test(b.name(parts[0]), items, span, tuple(first.scopes), tuple(first.facts))
