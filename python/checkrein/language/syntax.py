"""Text to tree, by Lark, with recovery: several mistakes are reported in one run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lark.exceptions import UnexpectedInput
from lark.utils import TextSlice

from checkrein.diagnostics import Report, quote
from checkrein.language import words
from checkrein.language.defaults import with_loop
from checkrein.language.mistakes import explain
from checkrein.language.parser import load_parser
from checkrein.language.parser.grouping import group
from checkrein.language.recovery import statement_starts
from checkrein.language.source import Source, read
from checkrein.language.translate import Builder
from checkrein.language.tree import Name, Policy, Span

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

    from checkrein.diagnostics import Diagnostic

LANGUAGE = 1
SYNTAX_ERRORS_MAX = 20
STATEMENTS_MAX = 10_000
GAP = r"(?:\s|#[^\n]*\n)*"
VERSION = re.compile(rf"{GAP}language{GAP}([0-9]+(?:\.[0-9]+)?[kM]?)")
WORD_BEFORE = re.compile(r"\w*\Z", re.ASCII)


def parse(source: str | bytes, file: str) -> tuple[Policy | None, list[Diagnostic]]:
    """Read a policy: the tree, and what is wrong with its text.

    The tree is there even after mistakes, without the statements that could not be read and marked
    `broken`; it is None if the file itself is unreadable or written in another language version.
    Never raises for any input.
    """
    report = Report(file)
    text = read(source, file, report)
    if text is None or not _known_version(text, report):
        return None, report.diagnostics
    trees, broken = _read_all(text, report)
    builder = Builder(text, report)
    header, statements = _build(builder, trees)
    if len(statements) > STATEMENTS_MAX:
        report.add("R0021", statements[STATEMENTS_MAX].span, f"more than {STATEMENTS_MAX:,} statements")
        return None, report.diagnostics
    version, name = header or (LANGUAGE, Name("", Span(1, 1, 0, 0)))
    broken = broken or builder.broken or header is None
    statements = with_loop(statements, report)
    policy = Policy(name, version, file, text.text, tuple(statements), broken)
    return policy, report.diagnostics


def _known_version(source: Source, report: Report) -> bool:
    found = VERSION.match(source.text)
    if found is None or found.group(1) == str(LANGUAGE):
        return True
    report.add(
        "R0006",
        source.span(found.start(1), found.end(1)),
        f"the language {quote(found.group(1))} is not known to this version",
        help=f"this version of checkrein reads `language {LANGUAGE}`",
    )
    return False


def _build(builder: Builder, trees: list[Tree[Token]]) -> tuple[Any, list[Any]]:
    header = None
    statements: list[Any] = []
    for tree in trees:
        for part in builder.build(tree):
            if isinstance(part, tuple):
                header = part
            else:
                statements.append(part)
    return header, statements


def _read_all(source: Source, report: Report) -> tuple[list[Tree[Token]], bool]:
    """The trees of all stretches of the file that can be read, and whether any could not."""
    lark, text = load_parser(), source.text
    trees: list[Tree[Token]] = []
    starts: list[int] | None = None
    position, rule = 0, "start"
    for _ in range(SYNTAX_ERRORS_MAX):
        try:
            trees.append(_parse(lark, text, position, len(text), rule))
        except UnexpectedInput as error:
            starts = statement_starts(text) if starts is None else starts
            told = _by_whole_words(error, text, position, rule)
            broken_from, skip_to = explain(told, source, starts, words.table(lark), report)
            if broken_from > position:
                trees += _readable(lark, text, position, broken_from, rule)
            position, rule = skip_to, "rest"
            continue
        return trees, rule == "rest"
    rest = source.span(position, position + 1)
    report.add("R0022", rest, f"more than {SYNTAX_ERRORS_MAX} mistakes, what follows was not read")
    return trees, True


def _by_whole_words(error: UnexpectedInput, text: str, start: int, rule: str) -> UnexpectedInput:
    """The mistake as its author sees it, where the parser took a part of a word, as in `30 seconds`."""
    offset: Any = error.pos_in_stream
    before = WORD_BEFORE.search(text, max(start, offset - 256), offset)
    try:
        _parse(load_parser(words=True), text, start, len(text), rule)
    except UnexpectedInput as whole:
        at: Any = whole.pos_in_stream
        if before is not None and before.start() <= at <= offset:
            return whole
    return error


def _readable(lark: Lark, text: str, start: int, end: int, rule: str) -> list[Tree[Token]]:
    """The statements before a broken one; none if the header itself is what is broken."""
    try:
        return [_parse(lark, text, start, end, rule)]
    except UnexpectedInput:
        return []


def _parse(lark: Lark, text: str, start: int, end: int, rule: str) -> Tree[Token]:
    return group(lark.parse(TextSlice(text, start, end), start=rule))
