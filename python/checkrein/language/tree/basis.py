"""What every node is made of: places in the source, names, constants and types."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Literal as Choice

from checkrein.frozen import Frozen

if TYPE_CHECKING:
    from datetime import date

Dimension = Choice["text", "flag", "count", "money", "tokens", "duration", "percent"]


class File(Frozen):
    """One of the files of a policy, whose texts stand side by side in its source."""

    name: str
    """As findings name it; empty for the policy's own, whose name the policy has."""
    start: int = 0
    """Where its text begins in the source."""
    path: str = ""
    """Of an included one: where it really is, all links followed."""
    digest: str = ""
    """Of an included one: the SHA-256 of what was read."""


OWN = File("")
"""The file that a policy begins in: the only one that has a header."""


class Span(Frozen):
    """A place in the source: 1-based line and column of the first character in its file, and offsets.

    Offsets count characters of the whole source, so they are those of the file if it is the policy's own.
    """

    line: int
    column: int
    start: int
    end: int
    file: File = OWN


class Name(Frozen):
    """A quoted name of the author's, or a dotted fact, with its place."""

    text: str
    span: Span


class Include(Frozen):
    """Another file, and what is there of it in the policy; None if it is not read."""

    name: Name
    span: Span
    file: File | None = None


class Literal(Frozen):
    """A constant. `value` is `str` for text, `bool` for a flag, `int` for everything else."""

    dimension: Dimension
    value: str | bool | int
    span: Span
    currency: str | None = None


class Elements(Frozen):
    """A list of constants, as a test sends it; the only one that can be a default is empty."""

    literals: tuple[Literal, ...]
    span: Span


Value = Literal | Elements
"""What a test gives a fact or an argument, or what stands in for a fact."""


# -- types ----------------------------------------------------------------------------------------


class Type(Frozen):
    """A declared type. `choices` only for `one of`; `unit` only for money (`cents` or `units`).

    `most` only for a list: how many elements it may have, each of this type.
    """

    dimension: Dimension
    span: Span
    choices: tuple[str, ...] = ()
    unit: str | None = None
    most: int = 0

    @property
    def is_list(self) -> bool:
        """Whether a value is a list."""
        return self.most > 0


# -- shadow mode ----------------------------------------------------------------------------------


class Observed(Frozen):
    """`observe until DATE`: the statement says what it would have said, and nothing follows from it."""

    until: date
    span: Span
