"""The values that a policy writes, as a host would send them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checkrein.language import tree

_SCALE = {"money": -9, "duration": -9, "percent": -6}
"""Powers of ten from the engine's integers to what a host sends: whole units, seconds, shares."""


def host_value(value: tree.Value, unit: str | None = None) -> Any:
    """The value as a host would send it, exactly; money in whole units, or in cents where so declared."""
    from checkrein.language import tree

    if isinstance(value, tree.Elements):
        return [_of_literal(literal, unit) for literal in value.literals]
    return _of_literal(value, unit)


def _of_literal(literal: tree.Literal, unit: str | None) -> Any:
    scale = _SCALE.get(literal.dimension)
    if scale is None:
        return literal.value
    if literal.dimension == "money" and unit == "cents":
        scale += 2
    value = Decimal(literal.value).scaleb(scale)
    return int(value) if value == value.to_integral_value() else value
