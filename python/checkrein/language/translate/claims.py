"""Builders of claims: what a policy says of itself, and the checker proves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.language.translate.walk import DROPPED, builds
from checkrein.language.tree import CostClaim, OrderClaim

if TYPE_CHECKING:
    from checkrein.language.translate.walk import Builder
    from checkrein.language.tree import Span


@builds("assert_cost")
def assert_cost(b: Builder, span: Span, parts: list[Any]) -> Any:
    most = b.amount("cost", parts[0], "money", zero=True)
    return DROPPED if most is DROPPED else CostClaim(parts[0], span)


@builds("assert_never")
def assert_never(b: Builder, span: Span, parts: list[Any]) -> OrderClaim:
    return OrderClaim(parts[0], b.name(parts[1]), span)
