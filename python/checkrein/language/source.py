"""The text of a policy: bytes to checked text, and offsets to lines and columns.

Refused here, before any parsing: files that are too large, that are not UTF-8, or that hold characters
a reader cannot see, since what is reviewed must be what is enforced.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from typing import TYPE_CHECKING

from checkrein.diagnostics import Edit
from checkrein.language.tree import Span
from checkrein.policy_files import SOURCE_BYTES_MAX

if TYPE_CHECKING:
    from checkrein.diagnostics import Report

HIDDEN_SHOWN_MAX = 20

PRINTABLE_ASCII = re.compile(r"[\t\n\x20-\x7e]*(?:\r\n[\t\n\x20-\x7e]*)*")
UNUSUAL = re.compile(r"[^\t\n\r\x20-\x7e]|\r(?!\n)")
# Blank letters and separators that are no format characters, yet cannot be seen either.
HIDDEN_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2028\u2029\u3164\uffa0")


class Source:
    """A text that knows where its lines begin."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self._line_starts = [0, *(m.end() for m in re.finditer("\n", text))]

    def span(self, start: int, end: int) -> Span:
        """The span of `text[start:end]`."""
        line = bisect_right(self._line_starts, start)
        return Span(line, start - self._line_starts[line - 1] + 1, start, end)


def read(source: str | bytes, file: str, report: Report) -> Source | None:
    """The source as checked text, or None after reporting why it cannot be read."""
    if len(source) > SOURCE_BYTES_MAX or (
        isinstance(source, str) and len(source.encode("utf-8", "replace")) > SOURCE_BYTES_MAX
    ):
        report.add("R0001", None, "the file is larger than 256 KiB", help="shorten it: a policy is one file")
        return None
    text = _decode(source, file, report)
    if text is None:
        return None
    read = Source(text, file)
    if PRINTABLE_ASCII.fullmatch(text):
        return read
    hidden = _report_hidden(read, report)
    if not hidden:
        hidden = _report_not_normal(read, report)
    return None if hidden else read


def _decode(source: str | bytes, file: str, report: Report) -> str | None:
    if isinstance(source, str):
        bad = next((i for i, c in enumerate(source) if "\ud800" <= c <= "\udfff"), None)
        if bad is None:
            return source
        report.add(
            "R0002", Source(source, file).span(bad, bad + 1), "the text holds half of a surrogate pair"
        )
        return None
    try:
        return source.decode("utf-8")
    except UnicodeDecodeError as error:
        good = source[: error.start].decode("utf-8")
        report.add(
            "R0002",
            Source(good, file).span(len(good), len(good)),
            f"the file is not UTF-8: byte 0x{source[error.start]:02x} at offset {error.start}",
            help="save the file as UTF-8",
        )
        return None


def _report_hidden(source: Source, report: Report) -> bool:
    found = 0
    for match in UNUSUAL.finditer(source.text):
        character = match.group()
        hidden = unicodedata.category(character) in ("Cc", "Cf") or character in HIDDEN_LETTERS
        if not hidden:
            continue
        found += 1
        if found <= HIDDEN_SHOWN_MAX:
            fix = None
            name = unicodedata.name(character, "control character").lower()
            help = "delete it: what is reviewed must be what is enforced"
            if character == "\ufeff" and match.start() == 0:
                name, help = "byte order mark", "save the file as UTF-8 without a byte order mark"
                fix = Edit(0, 1, "")
            elif character == "\r":
                # Many editors begin a line here, so what follows would look as if it were in no comment.
                name, help = "carriage return", "end lines with LF or CRLF"
            report.add(
                "R0003",
                source.span(match.start(), match.end()),
                f"invisible character U+{ord(character):04X} ({name})",
                help=help,
                fix=fix,
            )
    return found > 0


def _report_not_normal(source: Source, report: Report) -> bool:
    normal = unicodedata.normalize("NFC", source.text)
    if normal == source.text:
        return False
    pairs = zip(source.text, normal, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(normal), len(source.text)))
    report.add(
        "R0004",
        source.span(at, at + 1),
        "the text is not in Unicode normal form C",
        help="two spellings of one letter look alike; save the file in NFC",
    )
    return True
