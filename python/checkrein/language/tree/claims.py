"""What a policy claims of itself, for the checker to prove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.frozen import Frozen

if TYPE_CHECKING:
    from checkrein.language.tree.basis import Literal, Name, Span
    from checkrein.language.tree.conditions import Selector


class CostClaim(Frozen):
    """`assert cost per run <= $0.60`, in nano-units of the currency."""

    most: Literal
    span: Span


class OrderClaim(Frozen):
    """`assert never SELECTOR unless "tool" succeeded`."""

    selector: Selector
    tool: Name
    span: Span
