"""What commands print: findings, errors, and colour where a terminal takes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_HEADLINE = re.compile(r"^(error|warning)( \w+)?(?=: )", re.MULTILINE)
_CARETS = re.compile(r"^( +\| +)(\^+)$", re.MULTILINE)
_HELP = re.compile(r"^  (help|expected|note)(?=: )", re.MULTILINE)
_COLOURS = {"error": "red", "warning": "yellow"}


def fail(message: str, help: str | None = None) -> None:
    """Say on stderr what kept the command from doing its work, and what to do next."""
    click.echo(paint(f"error: {message}" + (f"\n  help: {help}" if help else "")), err=True)


def paint(text: str) -> str:
    """Findings or errors with their headlines and carets in colour; the words stay the same."""
    text = _HEADLINE.sub(lambda m: click.style(m[0], fg=_COLOURS[m[1]], bold=True), text)
    text = _CARETS.sub(lambda m: m[1] + click.style(m[2], fg="red", bold=True), text)
    return _HELP.sub(lambda m: "  " + click.style(m[1], fg="cyan"), text)


def count(number: int, thing: str) -> str:
    """`1 file`, `3 files`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def table(rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Rows as aligned lines, two spaces between columns; `right` are the columns flush right."""
    rows = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(row: Sequence[str]) -> str:
        cells = [
            c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return [line(row) for row in rows]
