"""Findings as a SARIF 2.1.0 log, which code scanning services take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import checkrein
from checkrein.cli.rule import pages, title
from checkrein.diagnostics import with_notes
from checkrein.language.source import Source

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
        _result(found, codes.index(found.code), Source(each.source.text, each.source.name))
        for each in checked
        for found in each.findings
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


def _result(found: Diagnostic, index: int, source: Source) -> dict[str, Any]:
    result = {
        "ruleId": found.code,
        "ruleIndex": index,
        "level": found.severity,
        "message": {"text": with_notes(found)},
        "locations": [_location(found.span, source)],
    }
    if found.related:
        result["relatedLocations"] = [
            {"id": i, "message": {"text": related.message}, **_location(related.span, source)}
            for i, related in enumerate(found.related)
        ]
    if found.fix is not None:
        result["fixes"] = [_fix(found, found.fix, source)]
    return result


def _fix(found: Diagnostic, edit: Edit, source: Source) -> dict[str, Any]:
    replacement = {
        "deletedRegion": _region(source.span(edit.start, edit.end), source),
        "insertedContent": {"text": edit.text},
    }
    change = {"artifactLocation": {"uri": _uri(source.file)}, "replacements": [replacement]}
    return {"description": {"text": found.help or found.message}, "artifactChanges": [change]}


def _location(span: Span | None, source: Source) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(source.file)}}
    if span is not None:
        place["region"] = _region(span, source)
    return {"physicalLocation": place}


def _region(span: Span, source: Source) -> dict[str, int]:
    """From a span's first character to behind its last one."""
    end = source.span(span.end, span.end)
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": end.line,
        "endColumn": end.column,
    }


def _uri(name: str) -> str:
    path = Path(name)
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))
