"""What an editor shows about a place: the page of a finding, what a name means, the worst case of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from checkrein.amounts import duration, money
from checkrein.analysis import bound
from checkrein.analysis.words import as_text
from checkrein.cli.rule import pages
from checkrein.diagnostics import has_error
from checkrein.frozen import Frozen, fields
from checkrein.language.facts import BUILT_IN
from checkrein.language.tree import Limit, Literal
from checkrein.lsp.uses import arguments, declarations, declared_of, use_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.language.facts import BuiltIn
    from checkrein.language.names import Names
    from checkrein.language.tree import Policy, Span
    from checkrein.lsp.document import Document
    from checkrein.lsp.uses import Use

WHERE = {
    "any": "known everywhere",
    "model": "known at model calls",
    "candidate": "known in a rule or a `retry` on one model",
    "tool": "known at tool calls",
    "error": "known in a `retry`",
    "result": "known in a cascade",
}


class Help(NamedTuple):
    """Markdown, and the part of the text that it is about."""

    text: str
    start: int
    end: int


def help_at(document: Document, offset: int) -> Help | None:
    """What there is to say about a place."""
    parts: list[str] = []
    spans: list[Span] = []
    policy, names = document.policy, document.names
    use = use_at(names, offset) if names is not None else None
    if policy is not None and names is not None:
        if use is not None:
            said, span = _meaning(document, use), use.name.span
            if said:
                parts.append(said)
                spans.append(span)
        elif policy.name.text and policy.name.span.start <= offset <= policy.name.span.end:
            parts += _worst_case(document, policy)
            spans.append(policy.name.span)
        for literal in _literals(policy.statements):
            if literal.span.start <= offset <= literal.span.end and (value := _value(literal)):
                parts.append(value)
                spans.append(literal.span)
    for finding in document.findings:
        if finding.span is not None and finding.span.start <= offset <= finding.span.end:
            page = pages().get(finding.code)
            if page is not None:
                parts.append(page.read_text(encoding="utf-8").strip())
                spans.append(finding.span)
    return Help("\n\n".join(dict.fromkeys(parts)), spans[0].start, spans[0].end) if parts else None


def _meaning(document: Document, use: Use) -> str:
    """What a name stands for: its declaration as it is written, or what the engine says."""
    names = document.names
    if names is None:
        return ""
    text = use.name.text
    if use.kind in ("argument", "field"):
        found = arguments(names, use)
        return "\n".join(
            dict.fromkeys(f"{use.kind} {_code(names, arg.name.span, arg.type.span)}" for arg in found)
        )
    if use.kind == "fact" and text in BUILT_IN:
        return _built_in(text, BUILT_IN[text])
    declared = declared_of(names, use.kind).get(text)
    if use.is_declaration:
        declared = use.owner
    if isinstance(declared, Limit) and document.policy is not None:
        return "\n\n".join(_worst_case(document, document.policy))
    if use.kind == "statement":
        spans = declarations(names, use)
        owners: list[Any] = [s for s in names.policy.statements if getattr(s, "name", None) is not None]
        declared = next((s for s in owners if s.name.span in spans), None)
    if declared is None or use.is_declaration or declared.span.end == 0:
        return ""
    return f"```rein\n{names.policy.source[declared.span.start : declared.span.end]}\n```"


def _code(names: Names, first: Span, last: Span) -> str:
    return f"`{names.policy.source[first.start : last.end]}`"


def _built_in(name: str, fact: BuiltIn) -> str:
    said = [f"`{name}` is {fact.dimension}", WHERE[fact.where]]
    if fact.optional:
        said.append("may be missing")
    if fact.default is not None:
        said.append(f'`"{fact.default}"` if the host does not say')
    if fact.most is not None and fact.dimension == "count":
        said.append(f"{fact.least} to {fact.most}")
    if fact.choices:
        said.append("one of " + ", ".join(f'`"{choice}"`' for choice in fact.choices))
    return "; ".join(said)


def _worst_case(document: Document, policy: Policy) -> list[str]:
    """The worst case of a run, as `checkrein bound` gives it; nothing while there is an error."""
    return (
        [] if policy.broken or has_error(document.findings) else [f"```text\n{as_text(bound(policy))}\n```"]
    )


def _value(literal: Literal) -> str:
    """A quantity in the unit that the engine counts it in; what it says itself is not said again."""
    value = literal.value
    if isinstance(value, (str, bool)):
        return ""
    match literal.dimension:
        case "duration":
            return f"duration: {duration(value)}"
        case "money":
            return f"money: {money(value, literal.currency or '$')}, {value:,} billionths inside"
        case "percent":
            return f"percent: {value:,} parts per million"
        case dimension:
            return f"{dimension}: {value:,}"


def _literals(node: Any) -> Iterator[Literal]:
    if isinstance(node, Literal):
        yield node
    elif isinstance(node, tuple):
        for part in node:
            yield from _literals(part)
    elif isinstance(node, Frozen):
        for field in fields(node):
            yield from _literals(getattr(node, field))
