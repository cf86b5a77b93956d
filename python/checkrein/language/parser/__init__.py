"""The parser, which is Lark's, and its tables as plain data, which scripts/tables.py writes from the grammar.

To work them out takes Lark many times as long as to read them. Tables of another grammar or by another Lark,
or damaged ones, are never used: then they are worked out anew.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import lark

from checkrein.language.parser.restoring import restored

if TYPE_CHECKING:
    from lark import Lark

STORED = Path(__file__).with_name("tables.txt")
"""One line with a digest, and one with the tables as JSON."""


@lru_cache(maxsize=2)
def load_parser(*, words: bool = False) -> Lark:
    """The parser of the grammar that is compiled into the engine; made once, on first use.

    It reads by the grammar alone, as a decoder that is held to the grammar writes. With `words` it takes any
    word anywhere, so that a misspelling is one token and not a letter: to tell a mistake by.
    """
    from checkrein._core import GRAMMAR

    tables = _stored(GRAMMAR)
    if tables is None:
        tables = stored_of(GRAMMAR).partition(b"\n")[2]
    return restored(json.loads(tables), words=words)


def _stored(grammar: str) -> bytes | None:
    """The tables that were stored for a grammar; None if anything is wrong with them."""
    try:
        digest, _, tables = STORED.read_bytes().partition(b"\n")
    except OSError:
        return None
    return tables if digest == _digest(grammar, tables) else None


def stored_of(grammar: str) -> bytes:
    """What is stored for a grammar, always the same."""
    from checkrein.language.parser.making import tables_of

    tables = json.dumps(tables_of(grammar), separators=(",", ":")).encode() + b"\n"
    return _digest(grammar, tables) + b"\n" + tables


def _digest(grammar: str, tables: bytes) -> bytes:
    whose = f"lark {lark.__version__}\n{grammar}"
    return hashlib.sha256(whose.encode() + b"\0" + tables).hexdigest().encode()
