"""What a run remembers: calls, attempts, requests and votes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from checkrein.language import tree

from .values import LARGEST

RESTRICTIVE = ["stop", "fail", "deny", "escalate", "wait"]
KINDS = ["limit", "retry", "require", "route", "order", "loop", "rule"]
DIMENSIONS = ["cost", "tokens", "steps", "model_calls", "tool_calls", "active_time"]
ERROR_KINDS = (
    "timeout rate_limited unavailable quota_exhausted billing auth invalid_request content_policy"
    " context_too_long tool_failure cancelled unknown"
).split()


class Misuse(Exception):
    """The host misused the run; `kind` is the word that `EngineError` carries."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def whole(number: Any) -> int:
    """A number of tokens from the host, refused when it cannot be one."""
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= LARGEST:
        raise Misuse("bad_value")
    return number


@dataclass
class Ask:
    """What the host said when it asked for a call: all that conditions can read of it."""

    point: str
    facts: dict[str, Any]
    model: str | None = None
    input_tokens: int | None = None
    max_output: int | None = None
    tool: str | None = None
    args: dict[str, Any] = field(default_factory=dict)
    attempt: int = 1
    error: dict[str, Any] | None = None


@dataclass
class Call:
    """A logical call; `made` counts attempts by model or tool."""

    number: int
    point: str
    first_asked: int
    last_step_clock: int | None
    binding: Any
    ask: Ask
    state: str = "open"
    made: dict[str, int] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    candidates: list[str] = field(default_factory=list)
    last_model: str | None = None
    step_charged: bool = False
    approvals: set[tuple[str, str]] = field(default_factory=set)
    loops: list[tree.Loop] = field(default_factory=list)


@dataclass
class Attempt:
    """One dispatch: what it holds, what was charged at once, and how it was settled."""

    call: Call
    target: str
    held: dict[str, int]
    charged: dict[str, int]
    cap: int | None = None
    number: int = 0
    produced: int = 0
    usage: tuple | None = None
    settlement: dict[str, int] | None = None


@dataclass
class Request:
    """A question to a person about one statement and one binding."""

    number: int
    queue: str
    expires: int
    answer: bool | None = None


@dataclass
class Vote:
    """What one statement says about one event."""

    statement: Any
    outcome: str
    undecided: bool = False
    state: str | None = None
    queue: str | None = None
    reason: str | None = None
    wait: int | None = None
    request: Request | None = None
    values: list[tuple[str, str]] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str]:
        """The kind and the name of the statement."""
        return type(self.statement).__name__.lower(), self.statement.name.text

    def rank(self) -> tuple:
        """Smallest first: the most restrictive outcome, then the name, then the kind."""
        kind, name = self.key
        return RESTRICTIVE.index(self.outcome), name.encode(), KINDS.index(kind)


def price(model: tree.Model, input_tokens: int, output_tokens: int) -> int:
    """What so many tokens cost in nano-units, rounded up once."""
    price_in, price_out = (0, 0) if model.price == "free" else model.price
    return -(-(input_tokens * price_in + output_tokens * price_out) // 10**6)
