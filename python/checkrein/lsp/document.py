"""A policy as an editor has it open: text, tree, findings, and places as the protocol counts them."""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from checkrein.cli.settings import settings
from checkrein.diagnostics import Related
from checkrein.errors import CheckreinError
from checkrein.frozen import replace
from checkrein.language import check, parse
from checkrein.language.includes import digest_of
from checkrein.language.names import Names
from checkrein.language.syntax import is_part, parse_alone
from checkrein.language.tree import OWN
from checkrein.policy_files import file_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from checkrein.diagnostics import Diagnostic
    from checkrein.language.tree import Policy

LINE_END = re.compile(r"\r\n|\r|\n")


class Place(NamedTuple):
    """A line and a column, both from 0; the column counts the units that editor and server agreed on."""

    line: int
    column: int


class Document:
    """A text that knows what is in it. It never changes: the next version is another document."""

    def __init__(
        self, text: str, path: str, unit: str = "utf-16", held: Mapping[str, str] | None = None
    ) -> None:
        self.text = text
        self.path = path
        self.held = held or {}
        """What else is open, by its path with all links followed: its files may be older."""
        self._unit = unit
        self._starts = [0, *(match.end() for match in LINE_END.finditer(text))]

    # -- places ----------------------------------------------------------------------------------------

    def place(self, offset: int) -> Place:
        """Where a character stands."""
        line = bisect_right(self._starts, offset) - 1
        return Place(line, self._units(self.text[self._starts[line] : offset]))

    def offset(self, place: Place) -> int:
        """The character at a place; beyond a line's end the end, as the protocol asks for."""
        if place.line >= len(self._starts):
            return len(self.text)
        offset, column = self._starts[place.line], 0
        while offset < len(self.text) and self.text[offset] not in "\r\n" and column < place.column:
            column += self._units(self.text[offset])
            offset += 1
        return offset

    def _units(self, text: str) -> int:
        if self._unit == "utf-16":
            return len(text) + sum(character > "\uffff" for character in text)
        return len(text.encode("utf-8", "surrogatepass")) if self._unit == "utf-8" else len(text)

    def is_current(self, text: str, held: Mapping[str, str]) -> bool:
        """Whether this is what is known of a text, and of all that it includes."""
        if text != self.text:
            return False
        includes = self.policy.includes if self.policy is not None else ()
        for file in (each.file for each in includes):
            if file is None:  # it may be there by now
                return False
            there = held.get(file.path)
            now = (
                file_digest(Path(file.path)) if there is None else digest_of(there.encode("utf-8", "replace"))
            )
            if now != file.digest:
                return False
        return True

    # -- meaning ---------------------------------------------------------------------------------------

    @cached_property
    def _read(self) -> tuple[Policy | None, list[Diagnostic]]:
        if is_part(self.text):
            return parse_alone(self.text, self.path)
        return parse(self.text, self.path, path=self.path, held=self.held)

    def _here(self, found: Diagnostic) -> Diagnostic:
        """A finding as one of this file."""
        if self.policy is None or found.span is None or found.span.file == OWN:
            return found
        by = {each.file: each for each in reversed(self.policy.includes) if each.file is not None}
        at = by[found.span.file]
        while at.span.file != OWN:
            at = by[at.span.file]
        message = f"{found.file}:{found.line}: {found.message}"
        there = Related(found.message, found.span, found.file)
        related = (there, *found.related)
        return replace(found, file=self.path, span=at.name.span, message=message, related=related, fix=None)

    @property
    def policy(self) -> Policy | None:
        """The tree, without what could not be read; None if the text as a whole could not be."""
        return self._read[0]

    @cached_property
    def names(self) -> Names | None:
        """What the policy declares."""
        return None if self.policy is None else Names(self.policy)

    @cached_property
    def findings(self) -> list[Diagnostic]:
        """What `checkrein check` says, with the settings of the project that the file is in.

        Settings that are wrong are not told here: then every warning is shown. What is wrong in a file that
        is included is told where that is said. Of a file without a header only the syntax is looked at.
        """
        found = self._read[1]
        if self.policy is not None and not is_part(self.text):
            found = [*found, *check(self.policy, today=date.today())]
        found = [self._here(each) for each in found]
        found.sort(key=lambda each: each.order)
        try:
            project = settings(Path(self.path).absolute().parent)
        except CheckreinError:
            return found
        return [each for each in found if project.wants(each)]
