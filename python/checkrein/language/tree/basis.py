"""What every node is made of: places in the source, names, constants and types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal as Choice

if TYPE_CHECKING:
    from datetime import date

Dimension = Choice["text", "flag", "count", "money", "tokens", "duration", "percent"]


@dataclass(frozen=True, slots=True)
class Span:
    """A place in the source: 1-based line and column of the first character, byte-free offsets."""

    line: int
    column: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Name:
    """A quoted name of the author's, or a dotted fact, with its place."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. `value` is `str` for text, `bool` for a flag, `int` for everything else."""

    dimension: Dimension
    value: str | bool | int
    span: Span
    currency: str | None = None


# -- types ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Type:
    """A declared type. `choices` only for `one of`; `unit` only for money (`cents` or `units`)."""

    dimension: Dimension
    span: Span
    choices: tuple[str, ...] = ()
    unit: str | None = None


# -- shadow mode ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observed:
    """`observe until DATE`: the statement says what it would have said, and nothing follows from it."""

    until: date
    span: Span
