"""What a policy claims of itself, for the checker to prove."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checkrein.language.tree.basis import Literal, Name, Span
    from checkrein.language.tree.conditions import Selector


@dataclass(frozen=True, slots=True)
class CostClaim:
    """`assert cost per run <= $0.60`, in nano-units of the currency."""

    most: Literal
    span: Span


@dataclass(frozen=True, slots=True)
class OrderClaim:
    """`assert never SELECTOR unless "tool" succeeded`."""

    selector: Selector
    tool: Name
    span: Span
