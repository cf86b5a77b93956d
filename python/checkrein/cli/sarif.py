"""Findings as a SARIF 2.1.0 log, which code scanning services take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import checkrein
from checkrein.cli.rule import pages, title
from checkrein.diagnostics import place, with_notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkrein.cli.formats import Checked
    from checkrein.diagnostics import Diagnostic, Edit
    from checkrein.language.tree import Span

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def log(checked: Sequence[Checked]) -> dict[str, Any]:
    """One run of the checker. Columns count characters, as in every other format."""
    codes = sorted({found.code for each in checked for found in each.findings})
    known = pages()
    driver = {
        "name": "checkrein",
        "version": checkrein.__version__,
        "rules": [_rule(code, known[code].read_text(encoding="utf-8")) for code in codes],
    }
    results = [
        _result(found, codes.index(found.code), each.text) for each in checked for found in each.findings
    ]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str, page: str) -> dict[str, Any]:
    return {
        "id": code,
        "shortDescription": {"text": title(code, page)},
        "fullDescription": {"text": _what(page)},
        "help": {"text": page, "markdown": page},
    }


def _what(page: str) -> str:
    """What a page says first, in its first part, on one line: services show it above each finding."""
    said = page.partition("## What\n")[2].strip().partition("\n\n")[0]
    return " ".join(said.split())


def _result(found: Diagnostic, index: int, text: str) -> dict[str, Any]:
    result = {
        "ruleId": found.code,
        "ruleIndex": index,
        "level": found.severity,
        "message": {"text": with_notes(found)},
        "locations": [_location(found.file, found.span, text)],
    }
    if found.related:
        result["relatedLocations"] = [
            {"id": i, "message": {"text": related.message}, **_location(related.file, related.span, text)}
            for i, related in enumerate(found.related)
        ]
    if found.fix is not None:
        result["fixes"] = [_fix(found, found.fix, text)]
    return result


def _fix(found: Diagnostic, edit: Edit, text: str) -> dict[str, Any]:
    replacement = {
        "deletedRegion": _region(text, found.begins, edit.start, edit.end),
        "insertedContent": {"text": edit.text},
    }
    change = {"artifactLocation": {"uri": _uri(found.file)}, "replacements": [replacement]}
    return {"description": {"text": found.help or found.message}, "artifactChanges": [change]}


def _location(file: str, span: Span | None, text: str) -> dict[str, Any]:
    where: dict[str, Any] = {"artifactLocation": {"uri": _uri(file)}}
    if span is not None:
        where["region"] = _region(text, span.file.start, span.start, span.end)
    return {"physicalLocation": where}


def _region(text: str, begins: int, start: int, end: int) -> dict[str, int]:
    """From a stretch's first character to behind its last one, in the file whose text begins there."""
    (start_line, start_column), (end_line, end_column) = (place(text, begins, at) for at in (start, end))
    return {
        "startLine": start_line,
        "startColumn": start_column,
        "endLine": end_line,
        "endColumn": end_column,
    }


def _uri(name: str) -> str:
    path = Path(name)
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))
