"""Lark's contextual lexer, made piece by piece: a short policy meets few of the parser's states, and seldom.

What is read is the same. A lexer of a state is made when the state is met, and its patterns become one
regular expression when they have been tried a few times: to compile one takes as long as dozens of trials.
"""

from __future__ import annotations

import re
from copy import copy
from typing import TYPE_CHECKING, Any

from lark.lexer import BasicLexer, ContextualLexer, PatternStr, Scanner

if TYPE_CHECKING:
    from collections.abc import Collection

    from lark.common import LexerConf
    from lark.lexer import TerminalDef
    from lark.utils import TextSlice

TRIALS = 24
"""How often a state's patterns are tried one by one."""


class PatientLexer(ContextualLexer):
    """Makes the lexer of a state when the state is met, by what the row of the state has."""

    def __init__(
        self,
        conf: LexerConf,
        _states: dict[int, Collection[str]],
        always_accept: Collection[str] = (),
        *,
        rows: list[str],
    ) -> None:
        self.lexers = _Lexers(conf, rows, always_accept)

    @property
    def root_lexer(self) -> Any:  # type: ignore[override]
        """The lexer of all terminals, which tells what a token is that could not stand there."""
        return self.lexers[_Lexers.ROOT]


class _Lexers(dict[int, Any]):
    """Lexers by state. States that accept the same share one."""

    ROOT = -1

    def __init__(self, conf: LexerConf, rows: list[str], always: Collection[str]) -> None:
        super().__init__()
        self._conf, self._rows = conf, rows
        self._always = {*conf.ignore, *always}
        self._by_names: dict[frozenset[str], BasicLexer] = {}

    def __missing__(self, state: int) -> BasicLexer:
        known = self._conf.terminals_by_name
        accepted = known if state == self.ROOT else self._rows[state].split(" ")[::2]
        names = frozenset(name for name in {*accepted, *self._always} if name in known)
        lexer = self._by_names.get(names)
        if lexer is None:
            conf = copy(self._conf)
            conf.terminals = [known[name] for name in names]
            conf.skip_validation = True
            lexer = self._by_names[names] = _Lexer(conf)
        self[state] = lexer
        return lexer


class _Lexer(BasicLexer):
    def _build_scanner(self) -> Any:
        if any(terminal.name == "WORD" for terminal in self.terminals):
            return super()._build_scanner()  # a pattern that words of the language match, too
        self.callback = dict(self.user_callbacks)
        scanner: Any = _PatientScanner
        return scanner(self.terminals, self.g_regex_flags, self.re, self.use_bytes)


class _PatientScanner(Scanner):
    """Tries terminals one after the other in Lark's order, as the one regular expression of all would."""

    def _build_mres(self, terminals: Any, max_size: int) -> Any:  # noqa: ARG002  (Lark gives it)
        self._trials = 0
        self._each = [(terminal.name, *_how(terminal)) for terminal in terminals]
        return None

    def match(self, text: TextSlice[str], pos: int) -> Any:
        """The text and the name of the first terminal that stands at a place; None if there is none."""
        if self._mres is None:
            self._trials += 1
            if self._trials <= TRIALS:
                return self._tried(text.text, pos, text.end)
            compiled: Any = super()._build_mres
            self._mres = compiled(self.terminals, len(self.terminals))
        return super().match(text, pos)

    def _tried(self, text: str, pos: int, end: int) -> tuple[str, str] | None:
        for name, word, pattern in self._each:
            if pattern is None:
                if text.startswith(word, pos, end):
                    return word, name
            elif found := pattern.match(text, pos, end):
                return found.group(), name
        return None


def _how(terminal: TerminalDef) -> tuple[str, re.Pattern[str] | None]:
    """How a terminal is looked for: as a plain word, or by its pattern, which Python keeps compiled."""
    if isinstance(terminal.pattern, PatternStr) and not terminal.pattern.flags:
        return terminal.pattern.value, None
    return "", re.compile(terminal.pattern.to_regexp())
