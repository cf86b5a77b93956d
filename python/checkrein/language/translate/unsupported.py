"""What the grammar knows and the engine does not enforce: refused by name, never ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.language.translate.walk import UNSUPPORTED_RULES, builds

if TYPE_CHECKING:
    from checkrein.language.translate.walk import Builder
    from checkrein.language.tree import Span

NAMES = {
    "list_type": "`list of`",
    "quantified": "a condition over a list (`all of`, `any of`)",
}
"""Grammar rule to what a message calls it."""


def _refuses(what: str) -> Any:
    def refuse(b: Builder, span: Span, _parts: list[Any]) -> Any:
        return b.unsupported(span, what)

    return refuse


for _rule, _what in NAMES.items():
    builds(_rule)(_refuses(_what))
    UNSUPPORTED_RULES.add(_rule)
