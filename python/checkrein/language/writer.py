"""The primitives of the artifact's format. Every value has exactly one encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from checkrein.language.lower.tables import Constant

__all__ = ["Collector", "Writer"]


class Writer:
    """Appends values to `out`; `strings` is where each text stands in the string table."""

    def __init__(self, strings: dict[str, int]) -> None:
        self.out = bytearray()
        self.strings = strings

    def number(self, value: int) -> None:
        """Unsigned, LEB128, the shortest form."""
        while value >= 0x80:
            self.out.append(value & 0x7F | 0x80)
            value >>= 7
        self.out.append(value)

    def byte(self, value: int) -> None:
        """An enum or a flag."""
        self.out.append(value)

    def text(self, value: str) -> None:
        """A reference to the string table."""
        self.number(self.strings[value])

    def raw_text(self, value: str) -> None:
        """A string of the string table itself."""
        data = value.encode()
        self.number(len(data))
        self.out += data

    def sequence(self, items: Sequence[Any], write: Callable[[Any], None]) -> None:
        """How many, then each."""
        self.number(len(items))
        for item in items:
            write(item)

    def maybe(self, value: Any, write: Callable[[Any], None]) -> None:
        """Whether there is one, then it."""
        self.byte(int(value is not None))
        if value is not None:
            write(value)

    def constant(self, constant: Constant) -> None:
        """A value with its dimension; integers are zigzag."""
        dimension, value = constant
        self.byte(dimension)
        if isinstance(value, str):
            self.text(value)
        elif isinstance(value, bool):
            self.byte(int(value))
        else:
            self.signed(value)

    def signed(self, value: int) -> None:
        """Zigzag, then as an unsigned number."""
        self.number(value << 1 if value >= 0 else (-value << 1) - 1)


class Collector(Writer):
    """Writes nothing that lasts: it finds out which strings are used."""

    def __init__(self, used: set[str]) -> None:
        super().__init__({})
        self.used = used

    def text(self, value: str) -> None:
        self.used.add(value)
