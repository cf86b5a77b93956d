"""Changes that an editor offers: the fixes of findings, names that were meant, and the layout."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from checkrein.diagnostics import Edit, quote
from checkrein.language.fixes import fixed
from checkrein.language.layout import laid_out
from checkrein.lsp.document import Document

if TYPE_CHECKING:
    from checkrein.diagnostics import Diagnostic

MEANT = re.compile(r"did you mean `([^`]*)`\?")


class Change(NamedTuple):
    """A change of the text: `is_sure` if the author can have meant nothing else."""

    title: str
    edit: Edit
    finding: Diagnostic
    is_sure: bool


def changes(document: Document, start: int, end: int) -> list[Change]:
    """What can be changed about the findings from `start` to `end`."""
    found = []
    for finding in document.findings:
        touched = [each for each in (finding.span, finding.fix) if each is not None]
        if not any(each.start <= end and each.end >= start for each in touched):
            continue
        edit = finding.fix or _meant(document, finding)
        if edit is not None:
            found.append(Change(_title(document, edit), edit, finding, finding.fix is not None))
    return found


def all_fixed(document: Document) -> str | None:
    """The text after all sure fixes, as `checkrein check --fix` makes them; None if there is none."""
    wanted = {finding.code for finding in document.findings}
    text, _ = fixed(document.text, document.path, lambda each: each.code in wanted, document.path)
    return None if text == document.text else text


def formatted(document: Document) -> str | None:
    """The text in the canonical layout; None if it has it, or can't be read."""
    laid = laid_out(document.text, document.path).text
    return None if laid == document.text else laid


def _meant(document: Document, finding: Diagnostic) -> Edit | None:
    """The most similar name, if the finding is gone with it."""
    meant = MEANT.search(finding.help or "")
    if meant is None or finding.span is None:
        return None
    start, end = finding.span.start, finding.span.end
    is_quoted = document.text[start:end].startswith('"')
    text = f'"{meant.group(1)}"' if is_quoted else meant.group(1)
    after = Document(document.text[:start] + text + document.text[end:], document.path)
    left = {(each.code, each.span.start) for each in after.findings if each.span}
    return None if (finding.code, start) in left else Edit(start, end, text)


def _title(document: Document, edit: Edit) -> str:
    before, after = document.text[edit.start : edit.end].strip(), edit.text.strip()
    if not before:
        return f"insert {quote(after)}"
    return f"replace {quote(before)} with {quote(after)}" if after else f"remove {quote(before)}"
