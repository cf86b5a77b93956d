"""Reads a text by the parser's tables: the lexer asks what may stand there, the stack makes trees of it.

Lark works the tables out, and what is read here is what Lark would read; a test compares the two. Lark itself
takes longer to import than a policy to check.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from checkrein.language.parser.lexing import Lexers
from checkrein.language.parser.nodes import Token, Tree, Unread

END = "$END"


class Rule(NamedTuple):
    """What is done when a rule's parts were read."""

    origin: str
    name: str
    """How its tree is called."""
    size: int
    """How many parts it has."""
    expands: bool
    """Whether a single part stands for the tree."""
    kept: tuple[tuple[int, bool], ...]
    """The parts that the tree has; with True, a part's own parts instead."""

    def reduced(self, parts: list[Any]) -> Any:
        """The tree of the parts, or the single part."""
        kept: list[Any] = []
        for i, is_inlined in self.kept:
            if not is_inlined:
                kept.append(parts[i])
            elif kept:
                kept += parts[i].children
            else:
                kept = parts[i].children
        made = kept[0] if self.expands and len(kept) == 1 else Tree(self.name, kept)
        placed = [part for part in parts if not part.is_empty]
        if placed and isinstance(made, Tree):
            made.outer_start, made.outer_end = placed[0].outer_start, placed[-1].outer_end
            if made.is_empty:
                made.start, made.end = made.outer_start, made.outer_end
        return made


class Parser:
    """The tables of a grammar, each row made when it is met: a short policy meets few of them."""

    def __init__(self, tables: dict[str, Any], *, words: bool) -> None:
        self.terminals: dict[str, tuple[str, bool]] = {
            name: (text, is_pattern) for name, text, is_pattern in tables["terminals"]
        }
        """By name, in the order of the grammar: the text, and whether it is a pattern."""
        self.rules = _Rules(tables["rules"])
        self.rows = _Rows(tables["states"])
        self.starts: dict[str, int] = tables["starts"]
        self.ends: dict[str, int] = tables["ends"]
        self.lexers = Lexers(self.terminals, tables["order"], tables["ignored"], self.rows, words=words)

    def parse(self, text: str, start: int = 0, end: int | None = None, *, rule: str = "start") -> Tree:
        """The tree of a stretch of text; raises `Unread`."""
        reading = Reading(self, text, start, end, rule)
        reading.read()
        return reading.finish()


class Reading:
    """A text that is read, as far as it was."""

    def __init__(
        self, parser: Parser, text: str, start: int = 0, end: int | None = None, rule: str = "start"
    ) -> None:
        self._parser = parser
        self._text, self._at, self._end = text, start, len(text) if end is None else end
        self._states = [parser.starts[rule]]
        self._last_state = parser.ends[rule]
        self._last: Token | None = None
        self.held: list[Any] = []
        """The tokens and trees that were read and belong to nothing yet."""

    def read(self) -> list[Token]:
        """Read all tokens that are left."""
        tokens = []
        while (token := self._next()) is not None:
            tokens.append(token)
            self._feed(token, token.type, token.start)
            self._last = token
        return tokens

    def finish(self) -> Tree:
        """The tree of what was read, if that is whole."""
        self._feed(None, END, self._last.start if self._last is not None else 0)
        root: Tree = self.held[-1]
        return root

    def accepts(self) -> set[str]:
        """The terminals that could stand next."""
        return {name for name in self._parser.rows[self._states[-1]] if name.isupper() and self._takes(name)}

    def _takes(self, name: str) -> bool:
        rows, rules, states = self._parser.rows, self._parser.rules, [*self._states]
        while (action := rows[states[-1]].get(name)) is not None:
            if action >= 0:
                return True
            rule = rules[action]
            del states[len(states) - rule.size :]
            states.append(rows[states[-1]][rule.origin])
            if name == END and states[-1] == self._last_state:
                return True
        return False

    def _next(self) -> Token | None:
        """The next token that may stand here; raises `Unread` if none does."""
        lexer = self._parser.lexers[self._states[-1]]
        while self._at < self._end:
            found = lexer.match(self._text, self._at, self._end)
            if found is None:
                raise Unread(self, self._at)
            start = self._at
            self._at += len(found[0])
            if found[1] not in lexer.ignored:
                return Token.of(*found, start)
        return None

    def _feed(self, token: Token | None, name: str, at: int) -> None:
        """Take a token: end what it ends, then put it on the stack; the end of the text leaves one tree."""
        rows, rules, states, held = self._parser.rows, self._parser.rules, self._states, self.held
        while True:
            action = rows[states[-1]].get(name)
            if action is None:
                raise Unread(self, at, at_end=name == END)
            if action >= 0:
                states.append(action)
                held.append(token)
                return
            rule = rules[action]
            begin = len(held) - rule.size
            parts = held[begin:]
            del held[begin:], states[begin + 1 :]
            held.append(rule.reduced(parts))
            states.append(rows[states[-1]][rule.origin])
            if name == END and states[-1] == self._last_state:
                return


class _Rows(dict[int, dict[str, int]]):
    """For each state what each symbol leads to: another state, or below zero a rule whose parts were read."""

    def __init__(self, written: list[str]) -> None:
        super().__init__()
        self._written = written

    def __missing__(self, state: int) -> dict[str, int]:
        words = self._written[state].split(" ")
        row = self[state] = dict(zip(words[::2], map(int, words[1::2]), strict=True))
        return row


class _Rules(dict[int, Rule]):
    """Rules by the number that rows have for them, -1 is the first."""

    def __init__(self, written: list[str]) -> None:
        super().__init__()
        self._written = written

    def __missing__(self, number: int) -> Rule:
        origin, name, size, expands, *kept = self._written[-1 - number].split(" ")
        parts = tuple((int(part.rstrip("+")), part.endswith("+")) for part in kept)
        rule = self[number] = Rule(origin, name, int(size), expands == "?", parts)
        return rule

    def all(self) -> list[Rule]:
        """Every rule of the grammar."""
        return [self[-1 - i] for i in range(len(self._written))]
