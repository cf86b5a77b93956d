"""Declared facts that nothing reads: `check --deep` tells, since a host may send them all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.diagnostics import quote
from checkrein.frozen import Frozen, fields
from checkrein.language.tree import OWN, Fact, Name, Test

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.diagnostics import Report
    from checkrein.language.names import Names


def report_unused(names: Names, report: Report) -> None:
    """Add the facts that no statement but tests names."""
    if not names.facts:
        return
    statements = (each for each in names.policy.statements if not isinstance(each, Fact | Test))
    read = {name for each in statements for name in _named(each)}
    for fact in names.facts.values():
        # A fact of an included file may be for another policy.
        if fact.name.text not in read and fact.span.file == OWN:
            message = f"fact {quote(fact.name.text)} is never read"
            help = "use it; or remove it, once no host sends it"
            report.add("R0639", fact.name.span, message, help=help, severity="warning")


def _named(node: Any) -> Iterator[str]:
    """Every name in a part of the tree."""
    if isinstance(node, Name):
        yield node.text
    elif isinstance(node, tuple):
        for each in node:
            yield from _named(each)
    elif isinstance(node, Frozen):
        for field in fields(node):
            yield from _named(getattr(node, field))
