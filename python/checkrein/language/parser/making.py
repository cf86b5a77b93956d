"""Works the parser's tables out of the grammar, by Lark: for scripts/tables.py and if the stored fail."""

from __future__ import annotations

from typing import Any

from lark import Lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

from checkrein.language.parser.restoring import AnyWord

REST = "\nrest: statement*\n"
"""`rest` is a file after its first mistake: statements without a header."""


def build(grammar: str, *, words: bool) -> Lark:
    """Lark's parser of a grammar, all worked out. With `words` it takes any word anywhere."""
    return Lark(
        grammar + REST,
        start=["start", "rest"],
        parser="lalr",
        lexer="contextual",
        postlex=AnyWord() if words else None,
        propagate_positions=True,
        maybe_placeholders=False,
    )


def tables_of(grammar: str) -> dict[str, Any]:
    """What Lark's own stand-alone parsers are made of, but each state is one line; always the same."""
    data, memo = build(grammar, words=True).memo_serialize([TerminalDef, Rule])
    del data["options"]["postlex"]
    data["parser"]["parser"] = _in_order(data["parser"]["parser"])
    return {"data": data, "memo": memo}


def _in_order(table: dict[str, Any]) -> dict[str, Any]:
    """States by how the starts lead to them, by way of symbols in the order of their names.

    Lark numbers them as its sets happen to fall. A line has each symbol and the state that it leads to, or
    below zero the rule whose parts were read.
    """
    rows = {
        state: sorted((table["tokens"][token], action) for token, action in row.items())
        for state, row in table["states"].items()
    }
    order = list(table["start_states"].values())
    known = set(order)
    for state in order:
        for _name, (kind, to) in rows[state]:
            if kind == 0 and to not in known:
                known.add(to)
                order.append(to)
    place = {state: i for i, state in enumerate(order)}
    return {
        "rows": [
            " ".join(f"{name} {place[to] if kind == 0 else ~to['@']}" for name, (kind, to) in rows[state])
            for state in order
        ],
        "start_states": {name: place[state] for name, state in table["start_states"].items()},
        "end_states": {name: place[table["end_states"][name]] for name in table["start_states"]},
    }
