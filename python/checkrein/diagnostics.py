"""One finding about a policy: the object behind the terminal text, the JSON and the exception.

What it cannot do: find anything. The codes and their meaning are in `checkrein/rules/R0xxx.md`.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, Literal

from checkrein.frozen import Frozen, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from checkrein.language.tree import Span

Severity = Literal["error", "warning"]

TAB = "    "
WIDTH_MAX = 100
"""Most characters of a source line that are shown; a longer line is cut around the caret."""
QUOTE_MAX = 60
ODD = ("missing", "ill-typed")
"""What a fact may be without a value."""


class Related(Frozen):
    """Another place that belongs to a finding, such as the first of two declarations."""

    message: str
    span: Span
    file: str = ""
    """Filled in by the report."""


class Edit(Frozen):
    """A change that puts a finding right, in the file of its span: `text` instead of `start` to `end`."""

    start: int
    end: int
    text: str


class Example(Frozen):
    """What shows a finding: facts of a call, each with its value as a policy writes it, and what then holds.

    A fact that is not named may be anything. A value is `missing` or `ill-typed` where there is none. What
    takes more than one call has `events` in place of facts: the items of a `test` block that plays it.
    """

    facts: tuple[tuple[str, str], ...]
    shows: str
    events: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.events:
            return f"{' '.join(self.events)} {self.shows}"
        said = (f"{name} = {value}" if value not in ODD else f"{name} {value}" for name, value in self.facts)
        return f"for {', '.join(said) or 'every call'} {self.shows}"


class Diagnostic(Frozen):
    """What is wrong, where, and what to do next.

    `code` is stable and explained by `checkrein rule CODE`. `span` is None when the finding is about
    the file as a whole. `expected` lists, in words, what could have stood there. `fix` is there if it is
    sure what the author meant: nobody has to be asked.
    """

    code: str
    severity: Severity
    file: str
    span: Span | None
    message: str
    expected: tuple[str, ...] = ()
    help: str | None = None
    related: tuple[Related, ...] = ()
    fix: Edit | None = None
    example: Example | None = None

    @property
    def line(self) -> int:
        """1-based; 1 when the finding is about the whole file."""
        return self.span.line if self.span else 1

    @property
    def column(self) -> int:
        """1-based, in characters; 1 when the finding is about the whole file."""
        return self.span.column if self.span else 1

    @property
    def begins(self) -> int:
        """Where the text of its file begins in the policy's source, in which spans and edits are offsets."""
        return self.span.file.start if self.span else 0

    @property
    def order(self) -> tuple[int, int, int, str, str]:
        """The sort key of a report: by place, then by code."""
        return (self.begins, self.line, self.column, self.code, self.message)


def quote(text: str) -> str:
    """What the author wrote, in backticks: on one line, printable and not too long."""
    if len(text) > QUOTE_MAX:
        text = text[: QUOTE_MAX - 3] + "..."
    return f"`{visible(text)}`"


def visible(text: str) -> str:
    """Text that is safe to print: every character that does not print becomes its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def render_text(diagnostic: Diagnostic, source: str | None) -> str:
    """The finding as plain text: headline, place, source line with a caret, what to do.

    `source` is the text that spans are offsets in; with None the source line is left out.
    """
    lines = [f"{diagnostic.severity} {diagnostic.code}: {diagnostic.message}"]
    place = diagnostic.file
    if diagnostic.span is not None:
        place = f"{place}:{diagnostic.line}:{diagnostic.column}"
    margin = " " * len(str(diagnostic.line))
    lines.append(f"{margin}--> {place}")
    if diagnostic.span is not None and source is not None:
        shown, caret = excerpt(source, diagnostic.span)
        lines += [f"{margin} |", f"{diagnostic.line} | {shown}".rstrip(), f"{margin} | {caret}"]
    for related in diagnostic.related:
        lines.append(f"  note: {related.message} ({related.file}:{related.span.line}:{related.span.column})")
    if diagnostic.expected:
        lines.append(f"  expected: {', '.join(diagnostic.expected)}")
    if diagnostic.example:
        lines.append(f"  example: {diagnostic.example}")
    if diagnostic.help:
        lines.append(f"  help: {diagnostic.help}")
    return "\n".join(lines)


def render_all(diagnostics: Iterable[Diagnostic], source: str | None) -> str:
    """Every finding, one blank line between two."""
    return "\n\n".join(render_text(d, source) for d in diagnostics)


def excerpt(source: str, span: Span) -> tuple[str, str]:
    """The line that a span begins in, made printable, and the carets under the span's part of it."""
    begin = source.rfind("\n", 0, span.start) + 1
    end = source.find("\n", span.start)
    line = source[begin : end if end >= 0 else len(source)].rstrip("\r")
    first = min(span.start - begin, len(line))
    last = min(max(span.end - begin, first + 1), len(line))
    cut = max(0, first - WIDTH_MAX // 2) if len(line) > WIDTH_MAX else 0
    before, marked, after = line[cut:first], line[first:last], line[last:]
    if len(before) + len(marked) + len(after) > WIDTH_MAX:
        marked = marked[: WIDTH_MAX - len(before)]
        after = after[: WIDTH_MAX - len(before) - len(marked)] + "..."
    lead = _shown(before) if cut == 0 else "..." + _shown(before)
    carets = "^" * max(1, _width(_shown(marked)))
    return lead + _shown(marked) + _shown(after), " " * _width(lead) + carets


def place(source: str, begins: int, offset: int) -> tuple[int, int]:
    """The line and column of an offset, in the file whose text begins there."""
    line_start = max(source.rfind("\n", begins, offset) + 1, begins)
    return source.count("\n", begins, offset) + 1, offset - line_start + 1


def _shown(text: str) -> str:
    return visible(text.replace("\t", TAB))


def _width(text: str) -> int:
    """Columns on a terminal: wide characters take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def to_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """The finding as plain values, ready for `json.dumps`. Offsets count characters of its file."""
    span, fix, begins = diagnostic.span, diagnostic.fix, diagnostic.begins
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "file": diagnostic.file,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "start": span.start - begins if span else 0,
        "end": span.end - begins if span else 0,
        "expected": list(diagnostic.expected),
        "help": diagnostic.help,
        "related": [
            {"message": r.message, "file": r.file, "line": r.span.line, "column": r.span.column}
            for r in diagnostic.related
        ],
        "fix": {"start": fix.start - begins, "end": fix.end - begins, "text": fix.text} if fix else None,
        "example": _example_values(diagnostic.example) if diagnostic.example else None,
    }


def _example_values(example: Example) -> dict[str, Any]:
    return {"facts": dict(example.facts), "events": list(example.events), "shows": example.shows}


def with_notes(diagnostic: Diagnostic) -> str:
    """The message with its example and its help, a line each, for services that show one text."""
    example = f"\nexample: {diagnostic.example}" if diagnostic.example else ""
    return diagnostic.message + example + (f"\nhelp: {diagnostic.help}" if diagnostic.help else "")


def has_error(diagnostics: Sequence[Diagnostic]) -> bool:
    """True if one of the findings keeps the policy from being compiled."""
    return any(d.severity == "error" for d in diagnostics)


class Report:
    """Collects the findings of one policy; one at the same place with the same code is kept once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[tuple[Any, ...], Diagnostic] = {}

    def add(
        self,
        code: str,
        span: Span | None,
        message: str,
        *,
        help: str | None = None,
        expected: tuple[str, ...] = (),
        related: tuple[Related, ...] = (),
        severity: Severity = "error",
        fix: Edit | None = None,
        example: Example | None = None,
    ) -> None:
        """Add one finding."""
        file = self._file_of(span)
        related = tuple(replace(each, file=self._file_of(each.span)) for each in related)
        found = Diagnostic(code, severity, file, span, message, expected, help, related, fix, example)
        self._found.setdefault((code, span.start if span else None, message), found)

    def _file_of(self, span: Span | None) -> str:
        return (span.file.name if span else "") or self.file

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """All findings so far, in source order."""
        return sorted(self._found.values(), key=lambda d: d.order)
