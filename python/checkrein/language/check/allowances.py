"""Warnings that the author allows, in a comment that says why: `# checkrein: allow R0109 because ...`."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING

from checkrein.diagnostics import Edit, quote
from checkrein.frozen import Frozen
from checkrein.language.recovery import LEXEME
from checkrein.language.source import Source
from checkrein.language.tree import OWN, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.diagnostics import Diagnostic, Report
    from checkrein.language.tree import Policy

MARK = re.compile(r"#\s*checkrein\s*:")
ALLOWANCE = re.compile(r"#\s*checkrein:\s*allow\s+(R\d{4}(?:\s*,\s*R\d{4})*)(\s+because\s+\S.*)?\s*")
CODE = re.compile(r"R\d{4}")
HEAD = re.compile(r"(?:\s|#[^\n]*\n)*")
"""What may stand before the header."""
EXAMPLE = "write `# checkrein: allow R0109 because ...`, with the code and your reason"


class Allowance(Frozen):
    """One code that may be found between two offsets, and where the comment names it."""

    code: str
    span: Span
    start: int
    end: int
    removal: Edit
    """How the comment is without it."""


def without_allowed(
    policy: Policy, report: Report, *, is_whole: bool, unasked: frozenset[str]
) -> list[Diagnostic]:
    """What was found, without what the author allows; with what is wrong with the allowances.

    Errors are never allowed. Only where everything `is_whole`, so that all was looked for, an allowance of
    what is not there is a finding; never of the codes that were `unasked`.
    """
    allowances = list(_allowances(policy, report)) if "checkrein" in policy.source else []
    found = sorted(report.diagnostics, key=_start)
    starts = [_start(each) for each in found]
    allowed: set[int] = set()
    for allowance in allowances:
        first, end = (bisect_left(starts, at) for at in (allowance.start, allowance.end))
        covered = [each for each in found[first:end] if each.code == allowance.code]
        warnings = {id(each) for each in covered if each.severity == "warning"}
        if warnings:
            allowed |= warnings
            continue
        code = quote(allowance.code)
        if covered:
            message, help, fix = f"{code} is an error here, which cannot be allowed", "mend it", None
        elif is_whole and allowance.code not in unasked:
            message, help, fix = f"{code} is not found here", "remove it from the comment", allowance.removal
        else:
            continue
        report.add("R0550", allowance.span, message, help=help, severity="warning", fix=fix)
    return [each for each in report.diagnostics if id(each) not in allowed]


def _start(found: Diagnostic) -> int:
    return found.span.start if found.span else 0


def _allowances(policy: Policy, report: Report) -> Iterator[Allowance]:
    """Every allowance of a file; reports the comments that are none, and yet are for us."""
    source = Source(policy.source, policy.files)
    spans = [(s.span.start, s.span.end) for s in policy.statements if s.span.end > s.span.start]
    header = HEAD.match(policy.source)
    for file in policy.files:
        begins, end = file.start, policy.end_of(file)
        inside = [span for span in spans if begins <= span[0] <= end]
        head = header.end() if header and file == OWN else 0
        for comment in LEXEME.finditer(policy.source, begins, end):
            if MARK.match(comment.group()) is not None:
                scope = _scope(policy.source, (begins, end + 1), inside, comment.start(), head)
                yield from _said(source, comment, scope, report)


def _said(
    source: Source, comment: re.Match[str], scope: tuple[int, int], report: Report
) -> Iterator[Allowance]:
    """The allowances of one comment."""
    allowance = ALLOWANCE.fullmatch(comment.group())
    if allowance is None or allowance.group(2) is None:
        wrong = "is not an allowance" if allowance is None else "gives no reason"
        span = source.span(comment.start(), comment.end())
        report.add("R0551", span, f"this comment {wrong}", help=EXAMPLE, severity="warning")
        return
    codes = list(CODE.finditer(comment.group(), allowance.start(1), allowance.end(1)))
    for i, code in enumerate(codes):
        at = source.span(comment.start() + code.start(), comment.start() + code.end())
        yield Allowance(code.group(), at, *scope, _removal(source.text, comment, codes, i))


def _removal(text: str, comment: re.Match[str], codes: list[re.Match[str]], i: int) -> Edit:
    """The comment without one of its codes; nothing of it, and no empty line, if that was the only one."""
    if len(codes) > 1:
        first, end = (codes[i], codes[i + 1].start()) if i == 0 else (codes[i - 1], codes[i].end())
        start = first.start() if i == 0 else first.end()
        return Edit(comment.start() + start, comment.start() + end, "")
    start = len(text[: comment.start()].rstrip(" \t"))
    is_alone = start == 0 or text[start - 1] == "\n"
    if is_alone:
        return Edit(start, min(comment.end() + 1, len(text)), "")
    return Edit(start, comment.start() + len(comment.group().rstrip("\r")), "")


def _scope(
    text: str, whole: tuple[int, int], spans: list[tuple[int, int]], at: int, header: int
) -> tuple[int, int]:
    """What a comment is about: the statement that it stands in, behind or before; of the header, the file."""
    if at < header:
        return whole
    is_alone = not text[max(text.rfind("\n", 0, at) + 1, whole[0]) : at].strip()
    if is_alone:
        after = bisect_right(spans, at, key=itemgetter(1))
        return spans[after] if after < len(spans) else (at, at)
    before = bisect_right(spans, at, key=itemgetter(0))
    return spans[before - 1] if before else whole
