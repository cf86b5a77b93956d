"""The tables of a policy's names, and what a wrong name may have meant."""

from __future__ import annotations

import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from checkrein.diagnostics import Related, quote, visible
from checkrein.language.tree import (
    UNNAMED,
    Breaker,
    Define,
    Fact,
    Limit,
    Loop,
    Model,
    Order,
    Queue,
    Require,
    Retry,
    Route,
    Rule,
    State,
    Test,
    Tool,
    Truth,
)
from checkrein.nearest import closest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from checkrein.diagnostics import Report
    from checkrein.language.tree import Arg, Name, Policy

NAME_MAX = 128
TARGET_MAX = 512
SUGGESTIONS_MAX = 20
"""Most did-you-means of one file: looking for them is the slowest part of a report."""
CANDIDATES_MAX = 2_000

KIND_WORDS: dict[type, str] = {
    Model: "model",
    Tool: "tool",
    State: "state",
    Queue: "queue",
    Fact: "fact",
    Define: "define",
    Limit: "limit",
    Retry: "retry",
    Breaker: "breaker",
    Require: "require",
    Route: "route",
    Order: "order",
    Loop: "loop",
    Truth: "truth",
    Rule: "rule",
    Test: "test",
}
ENFORCED: tuple[type, ...] = (Limit, Retry, Breaker, Require, Route, Order, Loop, Truth, Rule)
"""In the order of the artifact's statement kinds."""

Named = TypeVar("Named")


class Names:
    """Every declared name; of two equal ones the first."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.broken = policy.broken
        self.models = _table(policy.of(Model))
        self.tools = _table(policy.of(Tool))
        self.states = _table(policy.of(State))
        self.queues = _table(policy.of(Queue))
        self.facts = _table(policy.of(Fact))
        self.defines = _table(policy.of(Define))
        self.statements = {
            s.name.text for s in policy.statements if not isinstance(s, UNNAMED) and isinstance(s, ENFORCED)
        }
        self.bounds: dict[tuple[str, str], list[Limit]] = {}
        """(scope, dimension) to the limits that bound it."""
        for limit in policy.enforced(Limit):
            for bound in limit.bounds:
                self.bounds.setdefault((limit.scope.text, bound.dimension), []).append(limit)
        self.providers = dict.fromkeys(provider_of(m.target.text) for m in policy.of(Model))
        self.argument_names = sorted({a.name.text for t in self.tools.values() for a in t.args})
        self._suggestions_left = SUGGESTIONS_MAX
        self._places: dict[str, dict[str, int]] = {}

    @cached_property
    def ordered_tools(self) -> list[Tool]:
        """The tools by name."""
        return [self.tools[name] for name in ordered(self.tools)]

    def longest(self, fact: str) -> int:
        """How many elements a list of that name may have anywhere; 0 if it is none."""
        if fact in self.facts:
            return self.facts[fact].type.most
        return self._longest.get(fact, 0)

    @cached_property
    def _longest(self) -> dict[str, int]:
        longest: dict[str, int] = {}
        for tool in self.tools.values():
            for prefix, fields in (("call.args.", tool.args), ("result.", tool.results)):
                for field in fields:
                    name = prefix + field.name.text
                    longest[name] = max(longest.get(name, 0), field.type.most)
        return longest

    def place(self, kind: str, name: str) -> int:
        """Where a model, tool, state or queue stands in the artifact; `kind` is the plural."""
        if kind not in self._places:
            self._places[kind] = {each: i for i, each in enumerate(ordered(getattr(self, kind)))}
        return self._places[kind][name]

    def did_you_mean(self, name: str, candidates: Collection[str], prefix: str = "") -> str | None:
        """A help line with the most similar candidate, if one is similar."""
        if self._suggestions_left <= 0 or len(candidates) > CANDIDATES_MAX:
            return None
        self._suggestions_left -= 1
        found = closest(name, candidates)
        return None if found is None else f"did you mean {quote(prefix + found)}?"

    def resolve(self, report: Report, kind: str, name: Name, table: Collection[str]) -> bool:
        """True if the name is in the table; reports it otherwise, unless it may stand in a broken part."""
        if name.text in table:
            return True
        if not self.broken:
            help = self.did_you_mean(name.text, table)
            report.add(
                "R0101", name.span, f"unknown {kind} {quote(name.text)}", help=help or _declare(kind, name)
            )
        return False


def ordered(table: Iterable[str]) -> list[str]:
    """Names in the order of the artifact: by their bytes."""
    return sorted(table, key=lambda name: name.encode())


def provider_of(target: str) -> str:
    """Who serves a model: what its target begins with, up to the first `/`."""
    return target.split("/", 1)[0]


def _declare(kind: str, name: Name) -> str | None:
    examples = {
        "model": 'model "{}" is "provider/name" {{ ... }}',
        "tool": 'tool "{}" {{ ... }}',
        "state": 'state "{}" tell user "..."',
        "queue": 'queue "{}" {{ expires 30 min }}',
    }
    if kind not in examples or len(name.text) > NAME_MAX:
        return None
    return f"declare it: `{examples[kind].format(visible(name.text))}`"


def _table(declared: Iterable[Named]) -> dict[str, Named]:
    table: dict[str, Named] = {}
    for statement in declared:
        node: Any = statement
        table.setdefault(node.name.text, statement)
    return table


def check_names(policy: Policy, report: Report) -> None:
    """Names that may not be, and names given twice. Facts and defines share one space of names."""
    seen: dict[tuple[str, str], Name] = {}
    for statement in policy.statements:
        if isinstance(statement, UNNAMED):
            continue
        kind = KIND_WORDS[type(statement)]
        space = "fact" if kind == "define" else kind
        first = seen.setdefault((space, statement.name.text), statement.name)
        if first is not statement.name:
            _twice(report, kind, statement.name, first)
        if kind in ("model", "tool"):
            _check_id(report, kind, statement.name)
        elif space == "fact":
            if len(statement.name.text) > NAME_MAX:
                report.add("R0105", statement.name.span, f"a {kind} has at most {NAME_MAX} characters")
        else:
            _check_title(report, f"a {kind}", statement.name)
        if isinstance(statement, Tool):
            _check_fields(report, "an argument", statement.args)
            _check_fields(report, "a field", statement.results)
        if isinstance(statement, Model):
            _check_title(report, "what a model stands for", statement.target, TARGET_MAX)
    _check_title(report, "a policy", policy.name)


def _check_fields(report: Report, what: str, fields: tuple[Arg, ...]) -> None:
    seen: dict[str, Name] = {}
    for field in fields:
        _check_title(report, what, field.name)
        first = seen.setdefault(field.name.text, field.name)
        if first is not field.name:
            _twice(report, what.split()[1], field.name, first)


def _twice(report: Report, kind: str, name: Name, first: Name) -> None:
    report.add(
        "R0102",
        name.span,
        f"{kind} {quote(name.text)} is declared twice",
        related=(Related("declared here first", first.span),),
        help="rename or remove one of the two",
    )


def _check_id(report: Report, kind: str, name: Name) -> None:
    text = name.text
    plain = text.isascii() and text.isprintable() and text == text.strip(" ")
    if not plain or not 1 <= len(text) <= NAME_MAX:
        help = f"use 1 to {NAME_MAX} printable ASCII characters, without a space at either end"
        foreign = next((c for c in text if not c.isascii()), None)
        if foreign is not None:
            # Many letters of other alphabets look like a Latin one: the code point tells them apart.
            called = unicodedata.name(foreign, "no name").lower()
            help = f"{quote(foreign)} is U+{ord(foreign):04X} ({called}); use printable ASCII characters"
        report.add("R0105", name.span, f"{quote(text)} cannot be the name of a {kind}", help=help)


def _check_title(report: Report, what: str, name: Name, length_max: int = NAME_MAX) -> None:
    text = name.text
    if not 1 <= len(text) <= length_max or "\n" in text or text != text.strip():
        if name.span.end == 0:
            return
        report.add(
            "R0105",
            name.span,
            f"{quote(text)} cannot be the name of {what}",
            help=f"use 1 to {length_max} characters on one line, without a space at either end",
        )
