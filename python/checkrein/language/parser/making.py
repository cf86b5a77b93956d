"""Works the parser's tables out of the grammar, by Lark: for scripts/tables.py and if the stored fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lark import Lark
from lark.grammar import Terminal
from lark.lexer import PatternStr
from lark.parsers.lalr_analysis import Reduce, Shift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lark import Token
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

REST = "\nrest: statement*\n"
"""`rest` is a file after its first mistake: statements without a header."""


class _AnyWord:
    """Lets the lexer take any word anywhere."""

    always_accept = ("WORD",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


def build(grammar: str, *, words: bool) -> Lark:
    """Lark's parser of a grammar. With `words` it takes any word anywhere."""
    return Lark(
        grammar + REST,
        start=["start", "rest"],
        parser="lalr",
        lexer="contextual",
        postlex=_AnyWord() if words else None,
        propagate_positions=True,
        maybe_placeholders=False,
    )


def tables_of(grammar: str) -> dict[str, Any]:
    """The tables as plain data, always the same: Lark numbers states as its sets happen to fall."""
    lark = build(grammar, words=True)
    parser: Any = lark.parser
    table = parser.parser._parse_table  # noqa: SLF001  (what Lark has worked out, it gives to nobody)
    number = {rule: -1 - i for i, rule in enumerate(lark.rules)}
    order = _in_order(table)
    place = {state: i for i, state in enumerate(order)}
    rows = []
    for state in order:
        row = table.states[state]
        actions = {name: number[to] if kind is Reduce else place[to] for name, (kind, to) in row.items()}
        rows.append(" ".join(f"{name} {actions[name]}" for name in sorted(actions)))
    return {
        "terminals": [
            [each.name, each.pattern.value, not isinstance(each.pattern, PatternStr)]
            for each in lark.terminals
        ],
        "order": [each.name for each in sorted(lark.terminals, key=_by_lark)],
        "ignored": sorted(lark.ignore_tokens),
        "rules": [_written(rule) for rule in lark.rules],
        "states": rows,
        "starts": {name: place[state] for name, state in table.start_states.items()},
        "ends": {name: place[table.end_states[name]] for name in table.start_states},
    }


def _by_lark(terminal: TerminalDef) -> tuple[Any, ...]:
    """Of terminals that could stand at one place, which one Lark takes."""
    pattern = terminal.pattern
    return -terminal.priority, -pattern.max_width, -len(pattern.value), terminal.name


def _in_order(table: Any) -> list[int]:
    """States by how the starts lead to them, by way of symbols in the order of their names."""
    order = list(table.start_states.values())
    known = set(order)
    for state in order:
        for _name, (kind, to) in sorted(table.states[state].items(), key=lambda action: action[0]):
            if kind is Shift and to not in known:
                known.add(to)
                order.append(to)
    return order


def _written(rule: Rule) -> str:
    """A rule as one line: its origin, the name of its tree, its size, `?` if a single part stands for it.

    Then the parts that are kept, by number, with `+` where a part's own parts are.
    """
    kept = []
    for i, symbol in enumerate(rule.expansion):
        if isinstance(symbol, Terminal):
            kept += [] if symbol.filter_out else [f"{i}"]
        else:
            kept.append(f"{i}+" if symbol.name.startswith("_") else f"{i}")
    expands = "?" if rule.options.expand1 and not rule.alias else "."
    origin, size = rule.origin.name, len(rule.expansion)
    return " ".join([origin, rule.alias or origin, f"{size}", expands, *kept])
