"""Conditions in three-valued logic: `True`, `False`, and `None` for unknown."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from checkrein.language import tree

from .values import ILL, MISSING

SIGNS = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
Look = Callable[[str], Any]
Defines = dict[str, tree.Define]


def truth(condition: tree.Condition | None, look: Look, defines: Defines) -> bool | None:
    """The truth of a condition; a statement without one always holds."""
    if condition is None:
        return True
    if isinstance(condition, tree.And):
        return all_of(truth(each, look, defines) for each in condition.operands)
    if isinstance(condition, tree.Or):
        return inverse(all_of(inverse(truth(each, look, defines)) for each in condition.operands))
    if isinstance(condition, tree.Not):
        return inverse(truth(condition.operand, look, defines))
    if isinstance(condition, tree.Defined):
        return truth(defines[condition.name.text].condition, look, defines)
    slot = look(condition.fact.text)
    if isinstance(condition, tree.Has):
        return {MISSING: False, ILL: None}.get(slot, True)
    if isinstance(condition, tree.Quantified) and isinstance(slot, tuple):
        told = (of_one(condition.element, each) for each in slot)
        return all_of(told) if condition.quantifier == "all" else inverse(all_of(map(inverse, told)))
    return of_one(condition, slot)


def of_one(condition: tree.Condition, slot: Any) -> bool | None:
    """What a comparison says of one value."""
    if slot is MISSING or slot is ILL:
        return None
    if isinstance(condition, tree.Compare):
        return getattr(operator, SIGNS[condition.operator])(slot, condition.literal.value)
    if isinstance(condition, tree.Member):
        return any(slot == literal.value for literal in condition.literals)
    if condition.end == "starts":
        return slot.startswith(condition.literal.value)
    return slot.endswith(condition.literal.value)


def all_of(truths: Iterable[bool | None]) -> bool | None:
    """Kleene's `and`: the least of false < unknown < true."""
    seen = list(truths)
    return False if False in seen else None if None in seen else True


def inverse(value: bool | None) -> bool | None:
    """Kleene's `not`: unknown stays unknown."""
    return None if value is None else not value


def leaves(condition: tree.Condition | None, defines: Defines) -> Iterator[Any]:
    """The comparisons in a condition, in source order, defines expanded."""
    if isinstance(condition, (tree.And, tree.Or)):
        for operand in condition.operands:
            yield from leaves(operand, defines)
    elif isinstance(condition, tree.Not):
        yield from leaves(condition.operand, defines)
    elif isinstance(condition, tree.Defined):
        yield from leaves(defines[condition.name.text].condition, defines)
    elif condition is not None:
        yield condition
