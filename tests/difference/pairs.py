"""Random pairs of policies, by seed: one, and what somebody made of it."""

from __future__ import annotations

import re
from random import Random

from tests.differential import limits, orders, routes
from tests.differential.generate import LITERALS, Made, Maker, source_of

ENFORCED = ("limit", "retry", "breaker", "require", "route", "order", "loop", "truth", "rule")
OUTCOMES = ["deny", 'stop "over"', 'stop "gone"', 'fail "over"', 'fail "halt"', 'escalate to "boss"']
NUMBER = re.compile(r"(?<=[<>]= )\d+|(?<=\$)\d+(\.\d+)?|\d+(?= (?:s|min|tokens|steps|ms)\b)|\d+(?=%)")


def pair_of(seed: int, number: int) -> tuple[Made, str, str]:
    """The policies of a number, as what a host needs to know of the old one and both texts."""
    chance = Random(f"{seed} pair {number}")
    maker = Maker(chance)
    made = maker.policy()
    old = list(made.statements)
    new = list(old)
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        edit(chance, maker, new)
    if chance.random() < 0.2:
        chance.shuffle(new)
    made.statements = old
    texts = [source_of(old), source_of(new)]
    if chance.random() < 0.5:
        texts.reverse()
    return made, texts[0], texts[1]


def edit(chance: Random, maker: Maker, statements: list[str]) -> None:
    """One change that people make: something less, something more, another number, outcome or name."""
    places = [at for at, each in enumerate(statements) if each.split(maxsplit=1)[0] in ENFORCED]
    kind = chance.choice(["add", "add", "drop", "number", "number", "outcome", "name", "literal", "word"])
    if kind == "add" or not places:
        statements.append(made_anew(chance, maker))
        return
    at = chance.choice(places if kind != "number" else range(len(statements)))
    text = statements[at]
    if kind == "drop":
        del statements[at]
    elif kind == "number":
        statements[at] = another(
            chance, NUMBER, text, lambda old: chance.choice(["1", "2", "4", "7", old + "0"])
        )
    elif kind == "outcome":
        outcomes = re.compile(r'\b(deny|(stop|fail) "[^"]*"|escalate to "(boss|desk)"|reuse)')
        statements[at] = another(chance, outcomes, text, lambda _: chance.choice(OUTCOMES))
    elif kind == "literal":
        literal = re.compile("|".join(re.escape(each) for each in ("true", "false", *LITERALS["text"][:3])))
        choices = ["true", "false", '"red"', '"green"']
        statements[at] = another(chance, literal, text, lambda _: chance.choice(choices))
    elif kind == "name":
        statements[at] = re.sub(r'^(\w+) "[^"]*"', r'\1 "a new name"', text, count=1)
    else:
        words = re.compile(r" or | and |not |<=|>=|==|!=|optional|once|may repeat|default \S+")
        swap = {" or ": " and ", " and ": " or ", "not ": "", "==": "!=", "!=": "==", "<=": "<", ">=": ">"}
        statements[at] = another(chance, words, text, lambda old: swap.get(old, ""))


def another(chance: Random, pattern: re.Pattern[str], text: str, change) -> str:
    """The text with one of the matches changed."""
    found = list(pattern.finditer(text))
    if not found:
        return text
    match = chance.choice(found)
    return text[: match.start()] + change(match[0]) + text[match.end() :]


def made_anew(chance: Random, maker: Maker) -> str:
    """One more statement over the same vocabulary."""
    kept, maker.made.statements = maker.made.statements, []
    makes = [maker._rule] * 4 + [maker._retry, maker._breaker, maker._loop, maker._truth]
    makes += [lambda name: limits.limit(maker, name)] * 2 + [lambda name: routes.require(maker, name)] * 2
    makes += [lambda name: orders.order(maker, name)] * 2
    try:
        chance.choice(makes)(chance.choice(["another", "a new one", "0 first"]))
        return maker.made.statements[0]
    finally:
        maker.made.statements = kept
