"""The typed tree of a policy: what the parser hands to the checker and the checker to the lowering.

Every node is frozen and knows where it stands in the source. Quantities are already integers:
money in nano-units of the currency, durations in nanoseconds, percentages in parts per million,
tokens and counts as they are. Names are still text; `names.py` resolves them.
"""

from __future__ import annotations

from typing import TypeVar

from checkrein.frozen import Frozen
from checkrein.language.tree.basis import (
    OWN,
    Dimension,
    Elements,
    File,
    Include,
    Literal,
    Name,
    Observed,
    Span,
    Type,
    Value,
)
from checkrein.language.tree.claims import CostClaim, OrderClaim
from checkrein.language.tree.conditions import (
    Affix,
    And,
    Compare,
    Condition,
    Defined,
    Has,
    Member,
    Not,
    Or,
    Outcome,
    Quantified,
    Selector,
    WallClock,
)
from checkrein.language.tree.statements import (
    Arg,
    Arm,
    Bound,
    Breaker,
    Calendar,
    Canary,
    Define,
    Fact,
    Grants,
    Limit,
    Loop,
    LoopOff,
    Model,
    NamesNeed,
    Opens,
    Order,
    Price,
    Probes,
    Queue,
    Require,
    Retry,
    Rolling,
    Route,
    Rule,
    Share,
    State,
    Store,
    Then,
    Threshold,
    TierNeed,
    Tool,
    Truth,
    WrapUp,
)
from checkrein.language.tree.trials import (
    Answer,
    Call,
    Clock,
    Expect,
    Fails,
    Gives,
    NewRun,
    Repeat,
    Test,
    TestItem,
    Wait,
)

__all__ = [
    "OWN",
    "UNNAMED",
    "Affix",
    "And",
    "Answer",
    "Arg",
    "Arm",
    "Bound",
    "Breaker",
    "Calendar",
    "Call",
    "Canary",
    "Clock",
    "Compare",
    "Condition",
    "CostClaim",
    "Define",
    "Defined",
    "Dimension",
    "Elements",
    "Expect",
    "Fact",
    "Fails",
    "File",
    "Gives",
    "Grants",
    "Has",
    "Include",
    "Limit",
    "Literal",
    "Loop",
    "LoopOff",
    "Member",
    "Model",
    "Name",
    "NamesNeed",
    "NewRun",
    "Not",
    "Observed",
    "Opens",
    "Or",
    "Order",
    "OrderClaim",
    "Outcome",
    "Policy",
    "Price",
    "Probes",
    "Quantified",
    "Queue",
    "Repeat",
    "Require",
    "Retry",
    "Rolling",
    "Route",
    "Rule",
    "Selector",
    "Share",
    "Span",
    "State",
    "Statement",
    "Store",
    "Test",
    "TestItem",
    "Then",
    "Threshold",
    "TierNeed",
    "Tool",
    "Truth",
    "Type",
    "Value",
    "Wait",
    "WallClock",
    "WrapUp",
]

S = TypeVar("S")

Statement = (
    Model
    | Tool
    | Queue
    | State
    | Fact
    | Define
    | WallClock
    | Store
    | Limit
    | Retry
    | Breaker
    | Require
    | Route
    | Order
    | Loop
    | Truth
    | Rule
    | CostClaim
    | OrderClaim
    | Test
)

UNNAMED = (WallClock, Store, CostClaim, OrderClaim)
"""The statements without a name."""


class Policy(Frozen):
    """A whole policy. `source` is the text that the spans point into: its files, side by side.

    `broken` says that some statement could not be read, so a name that seems unknown may be in it.
    """

    name: Name
    language: int
    file: str
    source: str
    statements: tuple[Statement, ...]
    broken: bool = False
    files: tuple[File, ...] = (OWN,)
    """The policy's own first, then what it includes, as it was read."""
    includes: tuple[Include, ...] = ()

    def file_of(self, span: Span) -> str:
        """The name of the file that a place is in."""
        return span.file.name or self.file

    def end_of(self, file: File) -> int:
        """Where the text of one of its files ends in the source."""
        after = next((each.start for each in self.files if each.start > file.start), None)
        return len(self.source) if after is None else after - 1

    def of(self, kind: type[S]) -> list[S]:
        """The statements of one class, in source order."""
        return [s for s in self.statements if isinstance(s, kind)]

    def enforced(self, kind: type[S]) -> list[S]:
        """The same without those that are only observed."""
        return [s for s in self.of(kind) if getattr(s, "observed", None) is None]
