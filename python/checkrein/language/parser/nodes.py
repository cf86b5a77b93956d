"""What a reading gives: tokens, trees of them, and where a text can't be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checkrein.language.parser.reading import Reading


class Token(str):
    """A piece of the text, which terminal of the grammar it is, and where it begins."""

    __slots__ = ("start", "type")
    start: int
    type: str
    is_empty = False

    @staticmethod
    def of(text: str, type: str, start: int) -> Token:
        """The token of a text."""
        token = Token(text)
        token.type, token.start = type, start
        return token

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self)

    outer_start = property(lambda self: self.start)
    outer_end = end


class Tree:
    """What a rule of the grammar made: its name, its parts, and from where to where its text goes.

    The outer places have what is around it but no part of it as well: the brackets of a condition, say.
    A tree of nothing, which stands nowhere, is empty.
    """

    __slots__ = ("children", "end", "outer_end", "outer_start", "rule", "start")

    def __init__(self, rule: str, children: list[Any], start: int = -1, end: int = -1) -> None:
        self.rule = rule
        self.children = children
        self.start = self.outer_start = start
        self.end = self.outer_end = end

    @property
    def is_empty(self) -> bool:
        """Whether it stands nowhere."""
        return self.start < 0


class Unread(Exception):
    """A text that the grammar does not read on from `at`."""

    def __init__(self, reading: Reading, at: int, *, at_end: bool = False) -> None:
        super().__init__(at)
        self.reading = reading
        self.at = at
        """Where what can't be read begins; at the end of the text, where its last token does."""
        self.at_end = at_end
