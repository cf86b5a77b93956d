"""Where the names of a policy stand: which are declared, which are used, and what a use means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from checkrein.frozen import Frozen, fields
from checkrein.language.facts import ARG_PREFIX, BUILT_IN, RESULT_PREFIX, selected_tools
from checkrein.language.names import ENFORCED, KIND_WORDS
from checkrein.language.tree import (
    Affix,
    Arm,
    Call,
    Canary,
    Compare,
    Defined,
    Expect,
    Has,
    Limit,
    Loop,
    Member,
    Name,
    NamesNeed,
    Order,
    OrderClaim,
    Outcome,
    Queue,
    Route,
    Selector,
    Test,
    Then,
    Tool,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.language.names import Names
    from checkrein.language.tree import Arg, Span

FACTS = (Affix, Compare, Defined, Has, Member)
"""Conditions that begin with a fact, or with the name of a `define`."""
TARGETS = {"stop": "state", "fail": "state", "escalate": "queue"}


class Use(NamedTuple):
    """A name at its place: `kind` is what it names, `owner` the statement or call that it stands in."""

    kind: str
    name: Name
    owner: Any
    is_declaration: bool = False


def use_at(names: Names, offset: int) -> Use | None:
    """The name at an offset, or just before it."""
    for use in uses(names):
        if use.name.span.start <= offset <= use.name.span.end > 0:
            return use
    return None


def uses(names: Names) -> Iterator[Use]:
    """Every name of the policy; of the built-in loop, which stands nowhere, none is found by its place."""
    for statement in names.policy.statements:
        kind = KIND_WORDS.get(type(statement))
        if kind is not None:
            node: Any = statement
            yield Use(kind, node.name, statement, is_declaration=True)
        for held, name, node in _inside(statement):
            yield Use(held, name, node if isinstance(node, Call) else statement)


def declarations(names: Names, use: Use) -> list[Span]:
    """Where what a use means is declared; several for an argument of several tools."""
    text = use.name.text
    if use.kind in ("argument", "field"):
        return [arg.name.span for arg in arguments(names, use)]
    if use.kind == "statement":
        found: list[Any] = [s for s in names.policy.statements if isinstance(s, ENFORCED)]
        return [s.name.span for s in found if s.name.text == text and s.name.span.end > 0]
    declared = declared_of(names, use.kind).get(text)
    return [] if declared is None or declared.name.span.end == 0 else [declared.name.span]


def declared_of(names: Names, kind: str) -> dict[str, Any]:
    """What the policy declares of a kind, by name."""
    tables: dict[str, dict[str, Any]] = {
        "model": names.models,
        "tool": names.tools,
        "state": names.states,
        "queue": names.queues,
        "fact": {**names.facts, **names.defines},
    }
    return tables.get(kind, {})


def arguments(names: Names, use: Use) -> list[Arg]:
    """The declarations of an argument, or of a field of a result, that a use can mean."""
    text = use.name.text.removeprefix(ARG_PREFIX).removeprefix(RESULT_PREFIX)
    return [
        arg
        for tool in _tools(names, use)
        for arg in (tool.results if use.kind == "field" else tool.args)
        if arg.name.text == text
    ]


def _tools(names: Names, use: Use) -> list[Tool]:
    """The tools whose arguments a use can mean: those that its statement is about, else all."""
    if isinstance(use.owner, Tool):
        return [use.owner]
    if isinstance(use.owner, Call) and use.owner.name is not None:
        return [tool for name, tool in names.tools.items() if name == use.owner.name.text]
    selector = getattr(use.owner, "selector", None)
    if isinstance(selector, Selector) and selector.point == "tool":
        return list(selected_tools(names, selector))
    return list(names.tools.values())


def _inside(node: Any) -> Iterator[tuple[str, Name, Any]]:
    """The names that are used below a node, with their kinds and the nodes that hold them."""
    yield from ((kind, name, node) for kind, name in _of(node))
    if not isinstance(node, Frozen):
        return
    for field in fields(node):
        value = getattr(node, field)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Frozen) and not isinstance(part, Name):
                yield from _inside(part)


def _of(node: Any) -> Iterator[tuple[str, Name]]:
    """The names that a node itself uses."""
    match node:
        case Selector(point=("model" | "tool") as point, name=Name() as name):
            yield point, name
        case Arm() | Then():
            yield "model", node.model
        case Canary():
            yield "model", node.model
            yield _fact_kind(node.fact), node.fact
        case Route():
            yield from (("model", name) for edge in node.fallbacks for name in edge)
        case NamesNeed(kind="model"):
            yield from (("model", name) for name in node.names)
        case Order():
            yield from (("tool", name) for name in node.again_after)
            yield from (("argument", name) for name in node.matching)
        case Loop():
            yield from (("argument", name) for name in node.ignoring)
        case Queue():
            yield from (("argument", name) for name in node.binds)
            if node.default_stop is not None:
                yield "state", node.default_stop
        case Outcome():
            if node.target is not None and node.kind in TARGETS:
                yield TARGETS[node.kind], node.target
            yield from ((_fact_kind(part), part) for part in node.text if isinstance(part, Name))
        case Limit():
            yield "fact", node.scope
        case Defined():
            yield "fact", node.name
        case Compare() | Member() | Has() | Affix():
            yield _fact_kind(node.fact), node.fact
        case Call():
            yield from _of_call(node)
        case Test():
            yield from ((_fact_kind(name), name) for name, _ in node.facts)
        case OrderClaim():
            yield "tool", node.tool
        case Expect():
            yield from _of_expectation(node)
        case _:
            pass


def _of_call(call: Call) -> Iterator[tuple[str, Name]]:
    if call.name is not None:
        yield call.point, call.name
    yield from (("argument", name) for name, _ in call.args)
    yield from ((_fact_kind(name), name) for name, _ in call.facts)


def _of_expectation(expect: Expect) -> Iterator[tuple[str, Name]]:
    kind = "model" if expect.kind == "allow" else TARGETS.get(expect.kind)
    if kind is not None and expect.target is not None:
        yield kind, expect.target
    if expect.by is not None:
        yield "statement", expect.by


def _fact_kind(name: Name) -> str:
    if name.text in BUILT_IN:
        return "fact"
    if name.text.startswith(ARG_PREFIX):
        return "argument"
    return "field" if name.text.startswith(RESULT_PREFIX) else "fact"
