"""Lexers by state, made piece by piece: a short policy meets few of the parser's states, and seldom.

A lexer of a state is made when the state is met, and its patterns become one regular expression when they
have been tried a few times: to compile one takes as long as dozens of trials.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

TRIALS = 24
"""How often a state's patterns are tried one by one."""
WORD = "WORD"
"""The terminal that any word of the language is as well, if it may stand there."""


class Lexers(dict[int, "Lexer"]):
    """Lexers by state. States that accept the same share one."""

    def __init__(
        self,
        terminals: Mapping[str, tuple[str, bool]],
        order: list[str],
        ignored: list[str],
        rows: Mapping[int, Collection[str]],
        *,
        words: bool,
    ) -> None:
        super().__init__()
        self._terminals, self._order, self._rows = terminals, order, rows
        self._ignored = frozenset(ignored)
        self._always = self._ignored | {WORD} if words else self._ignored
        self._by_names: dict[frozenset[str], Lexer] = {}

    def __missing__(self, state: int) -> Lexer:
        names = self._always.union(name for name in self._rows[state] if name in self._terminals)
        lexer = self._by_names.get(names)
        if lexer is None:
            found = {name: self._terminals[name] for name in self._order if name in names}
            lexer = self._by_names[names] = Lexer(found, self._ignored)
        self[state] = lexer
        return lexer


class Lexer:
    """Says which of some terminals stands at a place: the first one in the order that they have."""

    def __init__(self, terminals: dict[str, tuple[str, bool]], ignored: frozenset[str]) -> None:
        self.ignored = ignored
        self._words: dict[str, str] = {}
        """What is a word of the language, where any word may stand."""
        if WORD in terminals:
            any_word = re.compile(terminals[WORD][0])
            texts = {name: text for name, (text, is_pattern) in terminals.items() if not is_pattern}
            self._words = {text: name for name, text in texts.items() if any_word.fullmatch(text)}
        self._each = [
            (name, text, re.compile(text) if is_pattern else None)
            for name, (text, is_pattern) in terminals.items()
            if text not in self._words
        ]
        self._trials = 0
        self._whole: re.Pattern[str] | None = None

    def match(self, text: str, start: int, end: int) -> tuple[str, str] | None:
        """The text and the name of the terminal at a place; None if none stands there."""
        if self._whole is None:
            self._trials += 1
            if self._trials <= TRIALS:
                return self._tried(text, start, end)
            self._whole = self._compiled()
        found = self._whole.match(text, start, end)
        if found is None:
            return None
        return self._named(found.group(), found.lastgroup or "")

    def _tried(self, text: str, start: int, end: int) -> tuple[str, str] | None:
        for name, word, pattern in self._each:
            if pattern is None:
                if text.startswith(word, start, end):
                    return word, name
            elif found := pattern.match(text, start, end):
                return self._named(found.group(), name)
        return None

    def _named(self, text: str, name: str) -> tuple[str, str]:
        return text, self._words.get(text, name) if name == WORD else name

    def _compiled(self) -> re.Pattern[str]:
        """One regular expression with a group for each terminal."""
        each = (
            f"(?P<{name}>{re.escape(word) if pattern is None else word})"
            for name, word, pattern in self._each
        )
        return re.compile("|".join(each))
