"""Lets llguidance judge random strings, and asks the parser to read all that it accepts.

    python -m tests.decoder.run --strings 50000 --seed 1

Prints how many there were of which kind. Exit 1 if llguidance lets through what the parser refuses, with the
string. One thing is set right before: a word that runs into a fact (`byuser.id`) is two tokens for llguidance
and may be one for the parser, which reads it with a space between them.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from lark.exceptions import UnexpectedInput
from llguidance import LLMatcher, LLTokenizer

from checkrein._core import GRAMMAR
from checkrein.language import parse
from checkrein.language.parser import load_parser
from tests.decoder.strings import Grammar, changed

ROOT = Path(__file__).resolve().parents[2]
FACT = re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+")
SKIP_FIRST = '%llguidance {"allow_initial_skip": true}\n'
"""A decoder begins with the first word; a file may begin with a comment."""
LATER = frozenset(["R0001", "R0002", "R0003", "R0004", "R0006", "R0020", "R0023", "R0024", "R0025"])
"""What is found in a text that a grammar can read: its characters, its version, its amounts."""


class Judge:
    """llguidance, held to the grammar byte by byte."""

    def __init__(self) -> None:
        tokenizer = LLTokenizer("byte", slices=[])
        grammar = LLMatcher.grammar_from_lark(SKIP_FIRST + GRAMMAR)
        problem = LLMatcher.validate_grammar(grammar, tokenizer)
        assert not problem, problem
        self._matcher = LLMatcher(tokenizer, grammar, log_level=0)

    def accepts(self, text: str) -> bool:
        """Whether a decoder could write the text and stop there."""
        matcher, written = self._matcher.deep_copy(), list(text.encode())
        return matcher.try_consume_tokens(written) == len(written) and matcher.is_accepting()


def reads(text: str) -> UnexpectedInput | None:
    """What keeps the parser from reading the text by the grammar alone."""
    try:
        load_parser().parse(text, start="start")
    except UnexpectedInput as error:
        return error
    return None


def set_apart(text: str) -> str:
    """The text with a space between each word and the fact that it runs into, if the parser reads it then."""
    if (error := reads(text)) is None:
        return text
    at = error.pos_in_stream
    words = sorted({t.pattern.value for t in load_parser().terminals if t.pattern.value.isalpha()})
    glued = FACT.match(text, at)
    cuts = [at + len(word) for word in words if glued and glued[0].startswith(word)]
    parted = (set_apart(each) for cut in cuts if gets_past(each := f"{text[:cut]} {text[cut:]}", at))
    return next((each for each in parted if reads(each) is None), text)


def gets_past(text: str, place: int) -> bool:
    """Whether the parser reads the text to its end, or at least what begins at this place."""
    error = reads(text)
    return error is None or error.pos_in_stream > place


def strings(count: int, chance: Random) -> Iterator[tuple[str, str]]:
    """A third grown from the grammar, a third of these changed, a third of real policies changed."""
    grammar = Grammar()
    texts = [path.read_text("utf-8", "replace") for path in sorted((ROOT / "grammar").rglob("*.rein"))]
    texts = [text for text in texts if len(text) < 4_000]
    for number in range(count):
        grown = grammar.grown(chance)
        if number % 3 == 0:
            yield "grown", grown
        else:
            yield "changed", changed(grown if number % 3 == 1 else chance.choice(texts), chance)


def run(count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """How many strings there were of which kind, and those that only llguidance accepts."""
    judge, seen, wrong = Judge(), Counter[str](), list[str]()
    for kind, text in strings(count, Random(seed)):
        accepted, read = judge.accepts(text), reads(text) is None
        seen[kind] += 1
        seen[f"{kind}, accepted by llguidance"] += accepted
        seen["read by the parser alone"] += read and not accepted
        if accepted and not read:
            text = set_apart(text)
            seen["with a word that runs into a fact"] += 1
        if accepted and (reads(text) is not None or slips(text)):
            wrong.append(text)
    return seen, wrong


def slips(text: str) -> list[str]:
    """What the compiler calls a mistake of the grammar."""
    policy, found = parse(text, "p.rein")
    codes = [each.code for each in found if each.code < "R0030"]
    return [code for code in codes if code not in LATER] if policy is not None else []


def main() -> None:
    """Judge, print, and fail if there is a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strings", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    begun = time.monotonic()
    seen, wrong = run(options.strings, options.seed)
    for text in wrong[:5]:
        sys.stdout.write(f"llguidance accepts, the parser refuses: {text!r}\n")
    for kind, number in sorted(seen.items()):
        sys.stdout.write(f"{kind}  {number:,}\n")
    sys.stdout.write(f"seconds  {time.monotonic() - begun:.1f}\n")
    if wrong:
        raise SystemExit(1)
    sys.stdout.write("the parser reads all that llguidance accepts\n")


if __name__ == "__main__":
    main()
