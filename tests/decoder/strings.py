"""Random strings: grown from the rules of the grammar, and policies with small changes."""

import random
from functools import cached_property

from lark import Lark
from lark.lexer import PatternStr

from checkrein._core import GRAMMAR
from checkrein.language.parser.making import build

SAMPLES = {
    "STRING": ['"a"', '""', '"two words"', '"\\"\\\\\\n"', '"\u00e9"', '"# {"', '"' + "x" * 60 + '"'],
    "FACT": ["a.b", "call.args.amount", "user.id", "has.not", "x.Y_1.z", "then.deny", "run.cost"],
    "NUMBER": ["0", "1", "25", "3.5", "200k", "1.5M", "007"],
    "MONEY": ["$0", "$5", "$0.50", "EUR 5", "USD 0.001"],
    "DATE": ["2026-12-31", "0000-00-00"],
}
GAPS = [" "] * 12 + ["\n", "\t", "  ", " # note\n", "\r\n", "", "", ""]
PIECES = [
    *"{}()[],#%$.<=-5ksx \n\"\\\u00e9\u00a0",
    "", '"a"', "# note\n", "..", "->", "<=", "==", "min", "tokens", "at", "time", "in", "of", "not",
]  # fmt: skip
DEPTH = 9


class Grammar:
    """The rules of the grammar, as plain lists of symbols, and how deep each needs to go at least."""

    def __init__(self) -> None:
        self.lark: Lark = build(GRAMMAR, words=False)
        self.rules: dict[str, list[list[tuple[bool, str]]]] = {}
        for rule in self.lark.rules:
            symbols = [(symbol.is_term, symbol.name) for symbol in rule.expansion]
            self.rules.setdefault(rule.origin.name, []).append(symbols)
        self.words = {
            terminal.name: [terminal.pattern.value]
            for terminal in self.lark.terminals
            if isinstance(terminal.pattern, PatternStr)
        } | SAMPLES

    @cached_property
    def least(self) -> dict[str, int]:
        """The least depth of a derivation from each rule."""
        found: dict[str, int] = {}
        while len(found) < len(self.rules):
            for name, expansions in self.rules.items():
                depths = [
                    max((0 if is_term else found[symbol] for is_term, symbol in symbols), default=0)
                    for symbols in expansions
                    if all(is_term or symbol in found for is_term, symbol in symbols)
                ]
                if depths:
                    found[name] = min(found.get(name, 10**9), 1 + min(depths))
        return found

    def grown(self, chance: random.Random) -> str:
        """A string of the language, in any layout; a few words run into each other."""
        written: list[str] = []
        todo: list[tuple[bool, str, int]] = [(False, "start", 0)]
        while todo:
            is_term, name, depth = todo.pop()
            if is_term:
                written += [chance.choice(self.words[name]), chance.choice(GAPS)]
                continue
            expansions = self.rules[name]
            if depth > DEPTH or len(written) > 160:
                lowest = min(self._depth(symbols) for symbols in expansions)
                expansions = [symbols for symbols in expansions if self._depth(symbols) == lowest]
            symbols = chance.choice(expansions)
            # A rule made for a list calls itself: a longer list is no deeper.
            deeper = depth if name.startswith("_") else depth + 1
            todo += [(is_term, symbol, deeper) for is_term, symbol in reversed(symbols)]
        return "".join(written)

    def _depth(self, symbols: list[tuple[bool, str]]) -> int:
        return max((0 if is_term else self.least[symbol] for is_term, symbol in symbols), default=0)


def changed(text: str, chance: random.Random) -> str:
    """The text with one to three small changes: a piece put in, left out, doubled or moved."""
    for _ in range(chance.randint(1, 3)):
        start, other = chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice([0, 0, 1, 1, 2, 5, 20]))
        piece = chance.choice([chance.choice(PIECES), text[other : other + chance.randint(1, 12)]])
        text = text[:start] + piece + text[end:]
    return text
