"""The statements: the vocabulary first, then what is enforced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal as Choice

if TYPE_CHECKING:
    from checkrein.language.tree.basis import Literal, Name, Span, Type
    from checkrein.language.tree.conditions import Condition, Outcome, Selector


@dataclass(frozen=True, slots=True)
class Model:
    """`price` is None when the file gives none, "free", or (input, output) nano-units per million."""

    name: Name
    target: Name
    span: Span
    tier: int | None
    place: str | None
    window: int | None
    output: int | None
    least_output: int
    price: Choice["free"] | tuple[int, int] | None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Arg:
    """One declared argument of a tool."""

    name: Name
    type: Type
    optional: bool


@dataclass(frozen=True, slots=True)
class Tool:
    """`timeout` in nanoseconds."""

    name: Name
    span: Span
    tool_class: str | None
    once: bool
    timeout: int | None
    args: tuple[Arg, ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """`expires` in nanoseconds; `default_stop` None means the default is to deny."""

    name: Name
    span: Span
    expires: int | None
    default_stop: Name | None


@dataclass(frozen=True, slots=True)
class State:
    """A declared failure state and what is told to whom."""

    name: Name
    span: Span
    tell_agent: str | None
    tell_user: str | None


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that the host supplies."""

    name: Name
    type: Type
    optional: bool
    default: Literal | None
    span: Span


@dataclass(frozen=True, slots=True)
class Define:
    """A named condition."""

    name: Name
    condition: Condition
    span: Span


@dataclass(frozen=True, slots=True)
class Bound:
    """`dimension <= literal` inside a limit."""

    dimension: str
    literal: Literal
    span: Span


@dataclass(frozen=True, slots=True)
class Threshold:
    """`at N% tell agent "..."` or `at N% warn "..."`."""

    percent: Literal
    advice: Choice["tell agent", "warn"]
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Limit:
    """`limit on run`."""

    name: Name
    bounds: tuple[Bound, ...]
    thresholds: tuple[Threshold, ...]
    otherwise: Outcome
    span: Span


@dataclass(frozen=True, slots=True)
class Retry:
    """`attempts` is the most attempts on one model or tool; times in nanoseconds."""

    name: Name
    selector: Selector
    when: Condition | None
    attempts: int | None
    within: int | None
    backoff: tuple[int, int] | None
    otherwise: Outcome
    span: Span


@dataclass(frozen=True, slots=True)
class Require:
    """`require "x" place P when C`."""

    name: Name
    place: str
    when: Condition | None
    span: Span


@dataclass(frozen=True, slots=True)
class Arm:
    """`to "model" when C`."""

    model: Name
    when: Condition | None
    span: Span


@dataclass(frozen=True, slots=True)
class Route:
    """Arms from the top, then the fallback edges."""

    name: Name
    arms: tuple[Arm, ...]
    fallbacks: tuple[tuple[Name, Name], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Order:
    """`{ before before after within run }`; each side is a tool selector by name or class."""

    name: Name
    before: Selector
    after: Selector
    otherwise: Outcome
    span: Span


@dataclass(frozen=True, slots=True)
class Loop:
    """`same_call` is (count, steps); `cycle` is (longest period, repetitions)."""

    name: Name
    same_call: tuple[int, int] | None
    cycle: tuple[int, int] | None
    otherwise: Outcome
    span: Span


@dataclass(frozen=True, slots=True)
class Rule:
    """`rule ... on ... when ... then ... because`; the reason is in the outcome."""

    name: Name
    selector: Selector
    when: Condition | None
    outcome: Outcome
    span: Span
