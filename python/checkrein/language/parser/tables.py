"""The tables of the parser: read from `tables.json`, which scripts/tables.py writes when the grammar changes.

They are plain data, so that nothing is worked out and Lark is not imported where a policy is read. Tables of
another grammar are never used: then they are made anew, which takes half a second.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

STORED = Path(__file__).with_name("tables.json")
FORMAT = 1
"""Of the tables. It changes with what stands in them."""
EXTRA = "\nrest: statement*\n"
"""`rest` is a file after its first mistake: statements without a header."""


class Terminal(NamedTuple):
    """One kind of token: a word or sign of the language, or a pattern."""

    name: str
    word: str | None
    """None for a pattern."""
    regexp: str


class Rule(NamedTuple):
    """What is done with the `size` values on top of the stack."""

    origin: str
    data: str
    """What the tree is called: the rule's alias, else its name."""
    size: int
    kept: list[tuple[int, bool]] | None
    """Which values become children, and whether by their own children; None: all, as they are."""
    single: bool
    """An only child stands for itself."""


@dataclass(slots=True)
class Tables:
    """What the machine follows. In a state's row a number is the state to go to; -1 and below are rules."""

    terminals: dict[str, Terminal]
    ignored: frozenset[str]
    rules: list[Rule]
    starts: dict[str, tuple[int, int]]
    """The first and the last state for each rule that a text can be read by."""
    rows: list[dict[str, int]]
    scanner_of: list[int]
    scanners: list[list[str]]
    """Lists of terminals: which are looked for in a state, the one that wins first."""
    words: dict[str, str] = field(init=False)
    _compiled: dict[int, re.Pattern[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.words = {t.word: t.name for t in self.terminals.values() if t.word is not None}

    def scanner(self, state: int) -> re.Pattern[str]:
        """The pattern for the next token in a state; its groups are terminals."""
        index = self.scanner_of[state]
        found = self._compiled.get(index)
        if found is None:
            regexps = (f"(?P<{name}>{self.terminals[name].regexp})" for name in self.scanners[index])
            found = self._compiled[index] = re.compile("|".join(regexps))
        return found


@lru_cache(maxsize=1)
def load_tables() -> Tables:
    """The tables of the grammar that is compiled into the engine; read once, on first use."""
    from checkrein._core import GRAMMAR

    data = _stored()
    if data is None or data.get("digest") != digest_of(GRAMMAR):
        from checkrein.language.parser.generate import generate

        data = generate(GRAMMAR)
    return from_data(data)


def from_data(data: dict[str, Any]) -> Tables:
    """The tables as the machine uses them."""
    return Tables(
        {name: Terminal(name, word, regexp) for name, word, regexp in data["terminals"]},
        frozenset(data["ignored"]),
        [Rule(*rule) for rule in data["rules"]],
        {name: (first, last) for name, (first, last) in data["starts"].items()},
        [row for _scanner, row in data["states"]],
        [scanner for scanner, _row in data["states"]],
        data["scanners"],
    )


def digest_of(grammar: str) -> str:
    """What names the tables of a grammar: its text, and how tables are written."""
    return hashlib.sha256(f"{FORMAT}\n{EXTRA}\n{grammar}".encode()).hexdigest()


def _stored() -> dict[str, Any] | None:
    try:
        data = json.loads(STORED.read_bytes())
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None
