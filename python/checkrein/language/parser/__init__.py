"""The parser, which is Lark's, and its tables as plain data, which scripts/tables.py writes from the grammar.

To work them out takes Lark many times as long as to read them. Tables of another grammar or by another Lark
are never used: then they are worked out anew.
"""

from __future__ import annotations

import gc
import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lark
from lark import Lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

from checkrein.language.parser.lexing import PatientLexer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lark import Token

STORED = Path(__file__).with_name("tables.json")
REST = "\nrest: statement*\n"
"""`rest` is a file after its first mistake: statements without a header."""


class _AnyWord:
    """Lets the lexer take any word anywhere."""

    always_accept = ("WORD",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


@lru_cache(maxsize=2)
def load_parser(*, words: bool = False) -> Lark:
    """The parser of the grammar that is compiled into the engine; made once, on first use.

    It reads by the grammar alone, as a decoder that is held to the grammar writes. With `words` it takes any
    word anywhere, so that a misspelling is one token and not a letter: to tell a mistake by.
    """
    from checkrein._core import GRAMMAR

    collects = gc.isenabled()
    gc.disable()  # hundreds of tables are made, and none is garbage
    try:
        stored = json.loads(STORED.read_bytes())
        if stored["digest"] == digest_of(GRAMMAR):
            return _restored(stored, words)
    except Exception:  # noqa: BLE001, S110  (whatever is wrong with the file, the grammar is there)
        pass
    finally:
        if collects:
            gc.enable()
    return build(GRAMMAR, words=words)


def build(grammar: str, *, words: bool) -> Lark:
    """Lark's parser of a grammar, all worked out."""
    return Lark(
        grammar + REST,
        start=["start", "rest"],
        parser="lalr",
        lexer="contextual",
        postlex=_AnyWord() if words else None,
        propagate_positions=True,
        maybe_placeholders=False,
    )


def digest_of(grammar: str) -> str:
    """What names the tables of a grammar: its text, and whose tables they are."""
    return hashlib.sha256(f"lark {lark.__version__}\n{REST}\n{grammar}".encode()).hexdigest()


def stored_of(grammar: str) -> dict[str, Any]:
    """What `tables.json` holds: the data that Lark's own stand-alone parsers are made of, always the same."""
    data, memo = build(grammar, words=True).memo_serialize([TerminalDef, Rule])
    del data["options"]["postlex"]
    data["parser"]["parser"] = _in_order(data["parser"]["parser"])
    return {"digest": digest_of(grammar), "data": data, "memo": memo}


def _in_order(table: dict[str, Any]) -> dict[str, Any]:
    """States by how the starts lead to them, tokens by name: Lark numbers both as its sets happen to fall."""
    names = sorted(table["tokens"].values())
    number = {token: names.index(name) for token, name in table["tokens"].items()}
    rows = {
        state: sorted((number[token], action) for token, action in row.items())
        for state, row in table["states"].items()
    }
    order = list(table["start_states"].values())
    for state in order:
        order += dict.fromkeys(to for _token, (kind, to) in rows[state] if kind == 0 and to not in order)
    place = {state: i for i, state in enumerate(order)}
    return {
        "tokens": dict(enumerate(names)),
        "states": {
            place[state]: {token: [kind, place[to] if kind == 0 else to] for token, (kind, to) in rows[state]}
            for state in order
        },
        "start_states": {name: place[state] for name, state in table["start_states"].items()},
        "end_states": {name: place[table["end_states"][name]] for name in table["start_states"]},
    }


def _restored(stored: dict[str, Any], words: bool) -> Lark:
    """The parser of stored tables. Lark's keys are numbers, and JSON has texts only."""
    data = stored["data"]
    data["options"]["postlex"] = _AnyWord() if words else None
    data["options"]["_plugins"] = {"ContextualLexer": PatientLexer}
    table = data["parser"]["parser"]
    table["tokens"] = _numbered(table["tokens"])
    table["states"] = {state: _numbered(row) for state, row in _numbered(table["states"]).items()}
    parser: Lark = Lark.load({"data": data, "memo": _numbered(stored["memo"])})
    return parser


def _numbered(table: dict[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in table.items()}
