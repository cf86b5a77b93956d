"""Statements in shadow mode: `observe until DATE` in front of one that decides."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from checkrein.diagnostics import quote
from checkrein.frozen import replace
from checkrein.language.translate.walk import DROPPED, builds
from checkrein.language.tree import (
    Breaker,
    CostClaim,
    Limit,
    Loop,
    LoopOff,
    Observed,
    Order,
    OrderClaim,
    Require,
    Retry,
    Route,
    Rule,
    Store,
    Test,
    Truth,
)

if TYPE_CHECKING:
    from checkrein.language.translate.walk import Builder
    from checkrein.language.tree import Span

OBSERVABLE = (Limit, Retry, Breaker, Require, Order, Loop, Truth, Rule)
"""What can be observed: whatever votes."""
WORDS: dict[type, str] = {
    CostClaim: "assert",
    OrderClaim: "assert",
    LoopOff: "loop off",
    Store: "store",
    Test: "test",
}


@builds("observe")
def observe(b: Builder, span: Span, parts: list[Any]) -> Any:
    written, statement = parts
    try:
        until = date.fromisoformat(str(written))
    except ValueError:
        message = f"{quote(str(written))} is no day of the calendar"
        b.report.add("R0610", b.span(written), message, help="write a day such as `2026-12-31`")
        return DROPPED
    if isinstance(statement, OBSERVABLE) and statement.observed is None:
        return replace(statement, observed=Observed(until, b.span(written)), span=span)
    if isinstance(statement, Route):
        message = "a route cannot be observed: a call has one model, which is the one that is asked"
        b.report.add("R0577", span, message, help='try a model with `canary 5% by session.id to "model"`')
        return DROPPED
    if isinstance(statement, OBSERVABLE):
        message, help = "the statement is observed already", "leave one `observe until` out"
    else:
        word = WORDS.get(type(statement), type(statement).__name__.lower())
        message = f"`{word}` says nothing about a call that could be observed"
        help = "leave `observe until` out"
    b.report.add("R0576", span, message, help=help)
    return DROPPED
