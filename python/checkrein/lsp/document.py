"""A policy as an editor has it open: text, tree, findings, and places as the protocol counts them."""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from checkrein.cli.settings import settings
from checkrein.errors import CheckreinError
from checkrein.language import check, parse
from checkrein.language.names import Names

if TYPE_CHECKING:
    from checkrein.diagnostics import Diagnostic
    from checkrein.language.tree import Policy

LINE_END = re.compile(r"\r\n|\r|\n")


class Place(NamedTuple):
    """A line and a column, both from 0; the column counts the units that editor and server agreed on."""

    line: int
    column: int


class Document:
    """A text that knows what is in it. It never changes: the next version is another document."""

    def __init__(self, text: str, path: str, unit: str = "utf-16") -> None:
        self.text = text
        self.path = path
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

    # -- meaning ---------------------------------------------------------------------------------------

    @cached_property
    def _read(self) -> tuple[Policy | None, list[Diagnostic]]:
        return parse(self.text, self.path)

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

        Settings that are wrong are not told here: then every warning is shown.
        """
        found = [*self._read[1], *(check(self.policy, today=date.today()) if self.policy is not None else ())]
        found.sort(key=lambda each: each.order)
        try:
            project = settings(Path(self.path).absolute().parent)
        except CheckreinError:
            return found
        return [each for each in found if project.wants(each)]
