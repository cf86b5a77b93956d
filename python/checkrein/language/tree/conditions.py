"""Conditions, and the selectors and outcomes that stand beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Literal as Choice

from checkrein.frozen import Frozen

if TYPE_CHECKING:
    from checkrein.language.tree.basis import Literal, Name, Span


class WallClock(Frozen):
    """`clock in "Zone/City"`: what the facts `now.*` are read from."""

    zone: Name
    span: Span


class Compare(Frozen):
    """`fact op literal`, op one of == != < <= > >=."""

    fact: Name
    operator: str
    literal: Literal
    span: Span


class Member(Frozen):
    """`fact in [literal, ...]`."""

    fact: Name
    literals: tuple[Literal, ...]
    span: Span


class Has(Frozen):
    """`has fact`."""

    fact: Name
    span: Span


class Affix(Frozen):
    """`fact starts with "..."` or `fact ends with "..."`; `end` tells which."""

    fact: Name
    end: Choice["starts", "ends"]
    literal: Literal
    span: Span


class Quantified(Frozen):
    """`all of fact ...` or `any of fact ...`: what `element` says of each element of a list."""

    quantifier: Choice["all", "any"]
    element: Compare | Member | Affix
    span: Span

    @property
    def fact(self) -> Name:
        """The list."""
        return self.element.fact


class Defined(Frozen):
    """The name of a `define`, used as a condition."""

    name: Name
    span: Span


class Not(Frozen):
    """`not operand`."""

    operand: Condition
    span: Span


class And(Frozen):
    """`a and b and ...`, two or more operands."""

    operands: tuple[Condition, ...]
    span: Span


class Or(Frozen):
    """`a or b or ...`, two or more operands."""

    operands: tuple[Condition, ...]
    span: Span


Condition = Compare | Member | Has | Affix | Quantified | Defined | Not | And | Or

# -- selectors and outcomes -----------------------------------------------------------------------


class Selector(Frozen):
    """Which calls: `point` is model or tool; by name, by class, or any (both `None`).

    Breakers alone watch a `provider` too.
    """

    point: Choice["model", "tool", "provider"]
    span: Span
    name: Name | None = None
    tool_class: str | None = None


class Outcome(Frozen):
    """What is voted: `target` names the state of stop and fail, the queue of escalate.

    `wants` says what the queue is asked for, `text` what an answer says: literals, and the names of facts
    that stand between them.
    """

    kind: Choice["stop", "fail", "deny", "escalate", "answer", "reuse"]
    span: Span
    target: Name | None = None
    reason: str | None = None
    text: tuple[str | Name, ...] = ()
    wants: Choice["approval", "question", "handover"] = "approval"
