"""Small translations that emitting asks for: selectors, outcomes, bounds and choices as codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.language.lower.codes import AMOUNTS, BASES, CLASSES, FAILURES, MEASURES, OUTCOMES, WANTS
from checkrein.language.lower.tables import BoundRow

if TYPE_CHECKING:
    from checkrein.language.names import Names
    from checkrein.language.tree import Bound, Limit, Outcome, Selector


def selector_row(names: Names, selector: Selector) -> tuple[int, int | None]:
    """(kind, index or class)"""
    if selector.point == "model":
        if selector.name is None:
            return (0, None)
        return (1, names.place("models", selector.name.text))
    if selector.name is not None:
        return (3, names.place("tools", selector.name.text))
    if selector.tool_class is not None:
        return (4, CLASSES.index(selector.tool_class))
    return (2, None)


def outcome_row(names: Names, outcome: Outcome) -> tuple[int, int | None]:
    """(kind, index of the state or queue)"""
    kind = WANTS[outcome.wants] if outcome.kind == "escalate" else OUTCOMES.index(outcome.kind)
    if outcome.target is None:
        return (kind, None)
    table = "queues" if outcome.kind == "escalate" else "states"
    return (kind, names.place(table, outcome.target.text))


def bounds_row(names: Names, limit: Limit) -> list[BoundRow]:
    """The bounds, ascending by measure and selector."""
    rows = []
    for bound in limit.bounds:
        selector = None if bound.selector is None else selector_row(names, bound.selector)
        most = int(bound.literal.value)
        rows.append(BoundRow(MEASURES.index(bound.dimension), selector, most, _withheld(limit, bound)))
    return sorted(rows, key=lambda row: (row.measure, _selector_order(row.selector)))


def _selector_order(selector: tuple[int, int | None] | None) -> tuple[int, int]:
    return (0, 0) if selector is None else (selector[0], selector[1] or 0)


def _withheld(limit: Limit, bound: Bound) -> int:
    """What the wrap-up keeps back of a bound: its own amount, the same share of other amounts, its calls."""
    wrap_up = limit.wrap_up
    if wrap_up is None:
        return 0
    most, kept = int(bound.literal.value), int(wrap_up.amount.value)
    own = "cost" if wrap_up.amount.dimension == "money" else "tokens"
    if bound.dimension == own:
        return kept
    if bound.dimension in AMOUNTS:
        whole = next(int(b.literal.value) for b in limit.bounds if b.dimension == own)
        return -(-most * kept // whole)
    calls = bound.selector is not None and bound.selector.point == "model"
    if calls or bound.dimension in ("steps", "model_calls", "attempts"):
        return min(wrap_up.calls, most)
    return 0


def failure_code(limit: Limit) -> int:
    """What a limit does while its store is away."""
    return 0 if limit.failure is None else FAILURES.index(limit.failure.text)


def basis_code(limit: Limit) -> int:
    """Which attempts its count bounds count."""
    return 0 if limit.basis is None else BASES.index(limit.basis.text)
