"""Conditions, and the selectors and outcomes that stand beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal as Choice

if TYPE_CHECKING:
    from checkrein.language.tree.basis import Literal, Name, Span


@dataclass(frozen=True, slots=True)
class WallClock:
    """`clock in "Zone/City"`: what the facts `now.*` are read from."""

    zone: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Compare:
    """`fact op literal`, op one of == != < <= > >=."""

    fact: Name
    operator: str
    literal: Literal
    span: Span


@dataclass(frozen=True, slots=True)
class Member:
    """`fact in [literal, ...]`."""

    fact: Name
    literals: tuple[Literal, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Has:
    """`has fact`."""

    fact: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Affix:
    """`fact starts with "..."` or `fact ends with "..."`; `end` tells which."""

    fact: Name
    end: Choice["starts", "ends"]
    literal: Literal
    span: Span


@dataclass(frozen=True, slots=True)
class Quantified:
    """`all of fact ...` or `any of fact ...`: what `element` says of each element of a list."""

    quantifier: Choice["all", "any"]
    element: Compare | Member | Affix
    span: Span

    @property
    def fact(self) -> Name:
        """The list."""
        return self.element.fact


@dataclass(frozen=True, slots=True)
class Defined:
    """The name of a `define`, used as a condition."""

    name: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Not:
    """`not operand`."""

    operand: Condition
    span: Span


@dataclass(frozen=True, slots=True)
class And:
    """`a and b and ...`, two or more operands."""

    operands: tuple[Condition, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Or:
    """`a or b or ...`, two or more operands."""

    operands: tuple[Condition, ...]
    span: Span


Condition = Compare | Member | Has | Affix | Quantified | Defined | Not | And | Or

# -- selectors and outcomes -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Selector:
    """Which calls: `point` is model or tool; by name, by class, or any (both `None`).

    Breakers alone watch a `provider` too.
    """

    point: Choice["model", "tool", "provider"]
    span: Span
    name: Name | None = None
    tool_class: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
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
