"""Builders of outcomes that give something instead of a call: a text with facts in it, a known result."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from checkrein.diagnostics import quote
from checkrein.language.translate.walk import DROPPED, builds, unquote
from checkrein.language.tree import Name, Outcome

if TYPE_CHECKING:
    from lark import Token

    from checkrein.language.translate.walk import Builder
    from checkrein.language.tree import Span

PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
FACT = re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+")
BRACES = {"{{": "{", "}}": "}"}


@builds("give_answer")
def give_answer(b: Builder, span: Span, parts: list[Any]) -> Any:
    text = text_of(b, parts[0])
    return DROPPED if text is DROPPED else Outcome("answer", span, text=text)


@builds("reuse")
def reuse(_b: Builder, span: Span, _parts: list[Any]) -> Outcome:
    return Outcome("reuse", span)


def text_of(b: Builder, token: Token) -> Any:
    """The literals and facts that a quoted text is made of: no two literals side by side, none empty."""
    written, start = str(token)[1:-1], (token.start_pos or 0) + 1
    parts: list[str | Name] = []
    literal, done, wrong = "", 0, False
    for found in PART.finditer(written):
        literal += written[done : found.start()]
        done = found.end()
        name = found.group(1)
        if found.group() in BRACES:
            literal += BRACES[found.group()]
        elif name is not None and FACT.fullmatch(name):
            parts += [unquote(f'"{literal}"')] if literal else []
            literal, begin = "", start + found.start(1)
            parts.append(Name(name, b.source.span(begin, begin + len(name))))
        else:
            wrong = True
            span = b.source.span(start + found.start(), start + found.end())
            message = f"{quote(found.group())} in the text of an answer is no fact"
            help = "write a fact such as `{customer.name}`, or `{{` and `}}` for braces"
            b.report.add("R0512", span, message, help=help)
    literal += written[done:]
    parts += [unquote(f'"{literal}"')] if literal else []
    if wrong:
        return DROPPED
    if not "".join(part if isinstance(part, str) else part.text for part in parts).strip():
        b.report.add("R0512", b.span(token), "the answer says nothing", help="write what the user is to read")
        return DROPPED
    return tuple(parts)
