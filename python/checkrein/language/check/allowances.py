"""Warnings that the author allows, in a comment that says why: `# checkrein: allow R0109 because ...`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from checkrein.diagnostics import Edit, quote
from checkrein.language.recovery import LEXEME
from checkrein.language.source import Source
from checkrein.language.tree import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.diagnostics import Diagnostic, Report
    from checkrein.language.tree import Policy

MARK = re.compile(r"#\s*checkrein\s*:")
ALLOWANCE = re.compile(r"#\s*checkrein:\s*allow\s+(R\d{4}(?:\s*,\s*R\d{4})*)(\s+because\s+\S.*)?\s*")
CODE = re.compile(r"R\d{4}")
EXAMPLE = "write `# checkrein: allow R0109 because ...`, with the code and your reason"


@dataclass(frozen=True, slots=True)
class Allowance:
    """One code that may be found between two offsets, and where the comment names it."""

    code: str
    span: Span
    start: int
    end: int
    removal: Edit
    """How the comment is without it."""

    def covers(self, found: Diagnostic) -> bool:
        """Whether a finding is of this code and in this place."""
        at = found.span.start if found.span else 0
        return found.code == self.code and self.start <= at < self.end


def without_allowed(
    policy: Policy, report: Report, *, is_whole: bool, unasked: frozenset[str]
) -> list[Diagnostic]:
    """What was found, without what the author allows; with what is wrong with the allowances.

    Errors are never allowed. Only where everything `is_whole`, so that all was looked for, an allowance of
    what is not there is a finding; never of the codes that were `unasked`.
    """
    allowances = list(_allowances(policy, report)) if "checkrein" in policy.source else []
    found = report.diagnostics
    allowed = [d for d in found if d.severity == "warning" and any(a.covers(d) for a in allowances)]
    for allowance in allowances:
        if any(allowance.covers(d) for d in allowed):
            continue
        code = quote(allowance.code)
        if any(allowance.covers(d) for d in found):
            message, help, fix = f"{code} is an error here, which cannot be allowed", "mend it", None
        elif is_whole and allowance.code not in unasked:
            message, help, fix = f"{code} is not found here", "remove it from the comment", allowance.removal
        else:
            continue
        report.add("R0550", allowance.span, message, help=help, severity="warning", fix=fix)
    return [d for d in report.diagnostics if d not in allowed]


def _allowances(policy: Policy, report: Report) -> Iterator[Allowance]:
    """Every allowance of a file; reports the comments that are none, and yet are for us."""
    source = Source(policy.source, policy.file)
    for comment in LEXEME.finditer(policy.source):
        if MARK.match(comment.group()) is None:
            continue
        allowance = ALLOWANCE.fullmatch(comment.group())
        if allowance is None or allowance.group(2) is None:
            wrong = "is not an allowance" if allowance is None else "gives no reason"
            span = source.span(comment.start(), comment.end())
            report.add("R0551", span, f"this comment {wrong}", help=EXAMPLE, severity="warning")
            continue
        start, end = _scope(policy, comment.start())
        codes = list(CODE.finditer(comment.group(), allowance.start(1), allowance.end(1)))
        for i, code in enumerate(codes):
            at = source.span(comment.start() + code.start(), comment.start() + code.end())
            yield Allowance(code.group(), at, start, end, _removal(policy.source, comment, codes, i))


def _removal(text: str, comment: re.Match[str], codes: list[re.Match[str]], i: int) -> Edit:
    """The comment without one of its codes; nothing of it, and no empty line, if that was the only one."""
    if len(codes) > 1:
        first, end = (codes[i], codes[i + 1].start()) if i == 0 else (codes[i - 1], codes[i].end())
        start = first.start() if i == 0 else first.end()
        return Edit(comment.start() + start, comment.start() + end, "")
    start = len(text[: comment.start()].rstrip(" \t"))
    is_alone = start == 0 or text[start - 1] == "\n"
    return Edit(start, comment.end() + (is_alone and comment.end() < len(text)), "")


def _scope(policy: Policy, at: int) -> tuple[int, int]:
    """What a comment is about: the statement that it stands in, behind or before; of the header, the file."""
    text, whole = policy.source, (0, len(policy.source) + 1)
    if not re.sub(r"#[^\n]*", "", text[:at]).strip():
        return whole
    spans = [(s.span.start, s.span.end) for s in policy.statements if s.span.end > s.span.start]
    is_alone = not text[text.rfind("\n", 0, at) + 1 : at].strip()
    if is_alone:
        return next((span for span in spans if at < span[1]), (at, at))
    return next((span for span in reversed(spans) if span[0] <= at), whole)
