"""Makes Lark's parser of stored tables. A row of them is made when it is met: a short policy meets few."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from lark import Lark
from lark.parsers.lalr_analysis import Reduce, Shift
from lark.parsers.lalr_parser import LALR_Parser

from checkrein.language.parser.lexing import PatientLexer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lark import Token


class AnyWord:
    """Lets the lexer take any word anywhere."""

    always_accept = ("WORD",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """The tokens as they are."""
        return stream


def restored(tables: dict[str, Any], *, words: bool) -> Lark:
    """The parser of tables as `making.py` writes them. Lark's keys are numbers, and JSON has texts only."""
    data = tables["data"]
    rows = data["parser"]["parser"]["rows"]
    data["options"]["postlex"] = AnyWord() if words else None
    data["options"]["_plugins"] = {
        "LALR_Parser": _Parser,
        "ContextualLexer": partial(PatientLexer, rows=rows),
    }
    memo = {int(key): value for key, value in tables["memo"].items()}
    parser: Lark = Lark.load({"data": data, "memo": memo})
    return parser


class _Parser(LALR_Parser):
    """Lark's own, whose table has no row yet but makes those that it is asked for."""

    @classmethod
    def deserialize(  # type: ignore[override]
        cls, data: Any, memo: Any, callbacks: Any, debug: bool = False
    ) -> Any:
        """Called by Lark."""
        empty = {**data, "tokens": {}, "states": {}}
        parser: Any = super().deserialize(empty, memo, callbacks, debug)  # type: ignore[no-untyped-call]
        parser._parse_table.states = _Rows(data["rows"], memo)  # noqa: SLF001  (asked by state only)
        return parser


class _Rows(dict[int, Any]):
    """By state, what Lark does with each symbol."""

    def __init__(self, written: list[str], rules: dict[int, Any]) -> None:
        super().__init__()
        self._written, self._rules = written, rules

    def __missing__(self, state: int) -> dict[str, Any]:
        words = self._written[state].split(" ")
        row = self[state] = {
            name: (Shift, to) if to >= 0 else (Reduce, self._rules[~to])
            for name, to in zip(words[::2], map(int, words[1::2]), strict=True)
        }
        return row
