"""The canonical layout of a policy's text. Only spaces, line breaks and empty lines change, never a token.

The rules are in `docs/formatting.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lark.exceptions import UnexpectedInput

from checkrein.diagnostics import Report
from checkrein.language.layout.pieces import Pieces, pieces_of
from checkrein.language.layout.printer import Printer
from checkrein.language.source import read
from checkrein.language.syntax import parse_alone
from checkrein.policy_files import SOURCE_BYTES_MAX

if TYPE_CHECKING:
    from checkrein.diagnostics import Diagnostic

__all__ = ["Laid", "laid_out"]

READABLE = "R0023"
"""The first of the codes of what can be read, and yet is wrong."""


class Laid(NamedTuple):
    """A policy's text in the canonical layout; None with what is wrong if it can't be read."""

    text: str | None
    findings: list[Diagnostic]


def laid_out(source: str | bytes, file: str) -> Laid:
    """The text of a policy in the canonical layout. Its line ends stay what the first one is.

    What a policy says may be wrong in every other way: only a text that can't be read is left alone.
    """
    found = parse_alone(source, file)[1]
    unread = [each for each in found if each.code < READABLE]
    text = read(source, Report(file))
    if unread or text is None:
        return Laid(None, unread)
    try:
        pieces = pieces_of(text.text)
    except UnexpectedInput:  # what is missing there has a code of its own
        return Laid(None, found)
    laid = Printer(pieces).text()
    if _said(pieces_of(laid)) != _said(pieces):
        raise AssertionError("the layout of a policy changed what it says")
    laid = laid.replace("\n", _line_end(text.text))
    if len(laid.encode()) > SOURCE_BYTES_MAX:
        report = Report(file)
        report.add(
            "R0001",
            None,
            "the file would be larger than 256 KiB",
            help="move statements to a file that it includes",
        )
        return Laid(None, report.diagnostics)
    return Laid(laid, [])


def _said(whole: Pieces) -> list[tuple[str, ...]]:
    """What must not change: every token with the comments around it."""
    return [
        (piece.text, *(c.text for c in piece.before), "behind", *(c.text for c in piece.after))
        for piece in whole.pieces
    ]


def _line_end(text: str) -> str:
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"
