"""What the parser could have accepted, in the author's words.

A grammar terminal never reaches a message: every one of them has its words here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lark.lexer import PatternStr

if TYPE_CHECKING:
    from collections.abc import Collection

    from lark import Lark

SHOWN_MAX = 8

KINDS = {
    "STRING": "text in double quotes",
    "FACT": "a fact such as `call.args.amount`",
    "NUMBER": "a number",
    "MONEY": "an amount of money such as `$0.50`",
    "DATE": "a date such as `2026-12-31`",
    "WORD": "a word",
    "COMMENT": "a comment",
    "SPACE": "a space",
    "$END": "the end of the file",
}
"""The terminals that are patterns; all others are words of the language and speak for themselves."""

STATEMENTS = (
    "model", "tool", "queue", "state", "fact", "define", "clock", "store", "limit", "retry", "breaker",
    "require", "route", "order", "loop", "truth", "rule", "observe", "assert", "include", "test",
)  # fmt: skip
DIMENSIONS = (
    "cost", "tokens", "input_tokens", "output_tokens", "steps", "model_calls", "tool_calls", "attempts",
    "retries", "escalations", "active_time", "wall_time",
)  # fmt: skip
UNITS = ("ms", "s", "min", "h", "d")

GROUPS = (
    (frozenset({"model", "limit", "rule"}), frozenset(STATEMENTS), "a statement such as `limit` or `rule`"),
    (
        frozenset({"a fact such as `call.args.amount`", "has", "not", "("}),
        frozenset({"a fact such as `call.args.amount`", "has", "not", "(", "all", "any"}),
        "a condition such as `call.args.amount > $100`",
    ),
    (
        frozenset({"==", "!=", "<", ">"}),
        frozenset({"==", "!=", "<", "<=", ">", ">="}),
        "a comparison such as `==` or `<=`",
    ),
    (frozenset({"cost", "wall_time"}), frozenset(DIMENSIONS), "a bound such as `cost <= $0.50`"),
    (frozenset({"ms", "min"}), frozenset(UNITS), "a unit of time (`ms`, `s`, `min`, `h` or `d`)"),
    (
        frozenset({KINDS["NUMBER"], KINDS["MONEY"], "true"}),
        frozenset({KINDS["NUMBER"], KINDS["MONEY"], KINDS["STRING"], "true", "false"}),
        'a value such as `3`, `$0.50` or `"text"`',
    ),
    (
        frozenset({"text", "count", "flag"}),
        frozenset({"text", "count", "flag", "money", "tokens", "percent", "duration", "one", "list"}),
        "a type such as `text`, `money` or `count`",
    ),
    (
        frozenset({KINDS["NUMBER"], KINDS["MONEY"]}),
        frozenset({KINDS["NUMBER"], KINDS["MONEY"]}),
        "an amount such as `$0.50`, `200k tokens` or `30 s`",
    ),
)
"""(what must be acceptable, what is then replaced, by which phrase)"""


def table(lark: Lark) -> dict[str, str]:
    """Terminal name to the words for it, in the order of the grammar."""
    words = {"$END": KINDS["$END"]}
    for terminal in lark.terminals:
        pattern = terminal.pattern
        words[terminal.name] = pattern.value if isinstance(pattern, PatternStr) else KINDS[terminal.name]
    return words


def offered(words: dict[str, str], accepted: Collection[str]) -> list[str]:
    """The words for the terminals, in the order of the grammar."""
    return [w for name, w in words.items() if name in accepted and name != "WORD"]


def expected(words: dict[str, str], accepted: Collection[str]) -> tuple[str, ...]:
    """What could stand here, grouped and in words; at most `SHOWN_MAX` entries."""
    left = offered(words, accepted)
    phrases = []
    for needed, replaced, phrase in GROUPS:
        if needed <= set(left):
            phrases.append(phrase)
            left = [text for text in left if text not in replaced]
    phrases += [text if " " in text else f"`{text}`" for text in left]
    if len(phrases) > SHOWN_MAX:
        phrases = [*phrases[:SHOWN_MAX], "..."]
    return tuple(phrases)
