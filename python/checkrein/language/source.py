"""The texts of a policy: bytes to checked text, and offsets to files, lines and columns.

Refused here, before any parsing: files that are too large, that are not UTF-8, or that hold characters
a reader cannot see, since what is reviewed must be what is enforced.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from checkrein.diagnostics import Edit
from checkrein.language.tree import OWN, Span
from checkrein.policy_files import SOURCE_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkrein.diagnostics import Report
    from checkrein.language.tree import File

HIDDEN_SHOWN_MAX = 20

PRINTABLE_ASCII = re.compile(r"[\t\n\x20-\x7e]*(?:\r\n[\t\n\x20-\x7e]*)*")
UNUSUAL = re.compile(r"[^\t\n\r\x20-\x7e]|\r(?!\n)")
# Blank letters and separators that are no format characters, yet cannot be seen either.
HIDDEN_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2028\u2029\u3164\uffa0")


class Source:
    """The texts of a policy's files, side by side in one, that knows where their lines begin."""

    def __init__(self, text: str, files: Sequence[File] = (OWN,)) -> None:
        self.text = text
        self.files = list(files)
        self._starts = [file.start for file in files]
        self._line_starts = [0, *(m.end() for m in re.finditer("\n", text))]

    @property
    def next_start(self) -> int:
        """Where the text of another file would begin: on a line of its own."""
        return len(self.text) + 1

    def add(self, file: File, text: str) -> None:
        """Put the text of another file behind the others; it begins at `next_start`."""
        begins = self.next_start
        self.text = f"{self.text}\n{text}"
        self.files.append(file)
        self._starts.append(begins)
        self._line_starts += [begins, *(begins + m.end() for m in re.finditer("\n", text))]

    def span(self, start: int, end: int) -> Span:
        """The span of `text[start:end]`."""
        line = bisect_right(self._line_starts, start)
        column = start - self._line_starts[line - 1] + 1
        file = self.files[bisect_right(self._starts, start) - 1]
        if file.start:
            line -= bisect_right(self._line_starts, file.start) - 1
        return Span(line, column, start, end, file)


def read(source: str | bytes, report: Report) -> Source | None:
    """A policy's own text, checked; None after reporting why it cannot be read."""
    if is_too_large(source):
        help = "shorten it, or move statements to files that it includes"
        report.add("R0001", None, "the file is larger than 256 KiB", help=help)
        return None
    text, bad = decoded(source)
    made = Source(text)
    return made if is_sound(made, OWN, bad, report) else None


def is_too_large(source: str | bytes) -> bool:
    """Whether a file has more than is read of one."""
    return len(source) > SOURCE_BYTES_MAX or (
        isinstance(source, str) and len(source.encode("utf-8", "replace")) > SOURCE_BYTES_MAX
    )


class NoText(NamedTuple):
    """Where a file is no text, and why."""

    start: int
    end: int
    message: str
    help: str | None = None


def decoded(source: str | bytes) -> tuple[str, NoText | None]:
    """The text, and where it is none; that is replaced."""
    if isinstance(source, str):
        bad = next((i for i, c in enumerate(source) if "\ud800" <= c <= "\udfff"), None)
        return source, None if bad is None else NoText(
            bad, bad + 1, "the text holds half of a surrogate pair"
        )
    try:
        return source.decode("utf-8"), None
    except UnicodeDecodeError as error:
        at = len(source[: error.start].decode("utf-8"))
        why = f"the file is not UTF-8: byte 0x{source[error.start]:02x} at offset {error.start}"
        return source.decode("utf-8", "replace"), NoText(at, at, why, "save the file as UTF-8")


def is_sound(source: Source, file: File, bad: NoText | None, report: Report) -> bool:
    """Whether the last file of a source is text that a reader sees all of; reports why it is not."""
    if bad is not None:
        span = source.span(file.start + bad.start, file.start + bad.end)
        report.add("R0002", span, bad.message, help=bad.help)
        return False
    if PRINTABLE_ASCII.fullmatch(source.text, file.start):
        return True
    return not _report_hidden(source, file, report) and not _report_not_normal(source, file, report)


def _report_hidden(source: Source, file: File, report: Report) -> bool:
    found = 0
    for match in UNUSUAL.finditer(source.text, file.start):
        character = match.group()
        hidden = unicodedata.category(character) in ("Cc", "Cf") or character in HIDDEN_LETTERS
        if not hidden:
            continue
        found += 1
        if found <= HIDDEN_SHOWN_MAX:
            fix = None
            name = unicodedata.name(character, "control character").lower()
            help = "delete it: what is reviewed must be what is enforced"
            if character == "\ufeff" and match.start() == file.start:
                name, help = "byte order mark", "save the file as UTF-8 without a byte order mark"
                fix = Edit(match.start(), match.end(), "")
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


def _report_not_normal(source: Source, file: File, report: Report) -> bool:
    text = source.text[file.start :]
    normal = unicodedata.normalize("NFC", text)
    if normal == text:
        return False
    pairs = zip(text, normal, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(normal), len(text)))
    report.add(
        "R0004",
        source.span(file.start + at, file.start + at + 1),
        "the text is not in Unicode normal form C",
        help="two spellings of one letter look alike; save the file in NFC",
    )
    return True
