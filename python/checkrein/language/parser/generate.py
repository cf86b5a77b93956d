"""The grammar to the tables of the parser, by Lark: what it would do is written down as plain data.

Lark finds the states, and which terminal wins where two match; the machine only follows. It is imported for
nothing else, and only where tables are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lark import Lark
from lark.lexer import PatternStr

from checkrein.language.parser.tables import EXTRA, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lark.grammar import Rule

STARTS = ("start", "rest")
WORD = "WORD"


class _AnyWord:
    """Lets the lexer take any word anywhere, so that a misspelling is one token and not a letter."""

    always_accept = (WORD,)

    def process(self, stream: Any) -> Any:
        return stream


def lark_of(grammar: str) -> Lark:
    """Lark's own parser of the grammar: the machine reads every text as it does."""
    return Lark(
        grammar + EXTRA,
        start=list(STARTS),
        parser="lalr",
        lexer="contextual",
        postlex=_AnyWord(),
        propagate_positions=True,
        maybe_placeholders=False,
    )


def generate(grammar: str) -> dict[str, Any]:
    """The tables as plain data, the same for the same grammar always; `tables.from_data` reads them."""
    lark = lark_of(grammar)
    parser: Any = lark.parser
    table, lexer = parser.parser.parser.parse_table, parser.lexer.lexer
    order = _order(table)
    number_of = {state: number for number, state in enumerate(order)}
    rules = {rule: number for number, rule in enumerate(lark.rules)}
    scanners: list[list[str]] = []
    states = [
        [_scanner(lexer.lexers[state], scanners), _row(table.states[state], number_of.__getitem__, rules)]
        for state in order
    ]
    return {
        "digest": digest_of(grammar),
        "ignored": sorted(lexer.root_lexer.ignore_types),
        "starts": {
            name: [number_of[table.start_states[name]], number_of[table.end_states[name]]] for name in STARTS
        },
        "terminals": [
            [t.name, t.pattern.value if isinstance(t.pattern, PatternStr) else None, t.pattern.to_regexp()]
            for t in lark.terminals
        ],
        "rules": [_rule(rule) for rule in rules],
        "scanners": scanners,
        "states": states,
    }


def _order(table: Any) -> list[int]:
    """Every state, in the order in which the starts lead to them: Lark numbers them as it likes."""
    order = [table.start_states[name] for name in STARTS]
    seen = set(order)
    for state in order:
        for _name, (_action, to) in sorted(table.states[state].items()):
            if isinstance(to, int) and to not in seen:
                seen.add(to)
                order.append(to)
    return order


def _row(row: Any, number_of: Callable[[int], int], rules: dict[Rule, int]) -> dict[str, int]:
    """A state is its number, a rule is -1 and below."""
    return {
        str(name): number_of(to) if isinstance(to, int) else -1 - rules[to]
        for name, (_action, to) in sorted(row.items())
    }


def _scanner(lexer: Any, scanners: list[list[str]]) -> int:
    """Which terminals are looked for, in Lark's order; words of the language are told apart afterwards."""
    names = [terminal.name for terminal in lexer.scanner.terminals]
    if not set(lexer.callback) <= {WORD}:
        raise AssertionError(f"a word of the language is matched by one of {sorted(lexer.callback)}")
    if names not in scanners:
        scanners.append(names)
    return scanners.index(names)


def _rule(rule: Rule) -> list[Any]:
    """See `tables.Rule`: a nonterminal that begins with `_` gives its children, a plain word none."""
    symbols: Any = rule.expansion
    origin = str(rule.origin.name)
    if not symbols and origin not in STARTS:
        raise AssertionError(f"`{origin}` can be empty: then nobody knows where it stands")
    kept = [
        [i, not symbol.is_term and symbol.name.startswith("_")]
        for i, symbol in enumerate(symbols)
        if rule.options.keep_all_tokens or not (symbol.is_term and symbol.filter_out)
    ]
    plain = len(kept) == len(symbols) and not any(inline for _i, inline in kept)
    single = bool(rule.options.expand1 and not rule.alias)
    return [origin, str(rule.alias or origin), len(symbols), None if plain else kept, single]
