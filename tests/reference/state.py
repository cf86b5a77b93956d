"""What a run remembers: calls, attempts, requests and votes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from checkrein.language import tree

from .accounts import Account, Now
from .prices import Used
from .values import LARGEST

RESTRICTIVE = ["stop", "fail", "deny", "escalate", "wait", "answer", "reuse"]
KINDS = ["limit", "retry", "breaker", "require", "route", "order", "loop", "truth", "rule"]
AMOUNTS = ["cost", "tokens", "input_tokens", "output_tokens"]
COUNTS = ["steps", "model_calls", "tool_calls", "attempts", "retries", "escalations"]
TIMES = ["active_time", "wall_time"]
DIMENSIONS = AMOUNTS + COUNTS + TIMES
ERROR_KINDS = (
    "timeout rate_limited unavailable quota_exhausted billing auth invalid_request content_policy"
    " context_too_long tool_failure cancelled denied unknown"
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
    result: dict[str, Any] | None = None
    messages: list[tuple[int, int]] | None = None
    results: list[tuple[int, int]] | None = None


@dataclass
class Call:
    """A logical call; `made` counts attempts by model or tool, `stepped` are accounts with its step.

    `waiting` is when it was first told to wait for holds, without another answer since.
    """

    number: int
    point: str
    begun: int
    last_step_clock: int | None
    binding: Any
    ask: Ask
    state: str = "open"
    waiting: int | None = None
    made: dict[str, int] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    candidates: list[str] = field(default_factory=list)
    last_model: str | None = None
    cascade: tree.Arm | None = None
    climbed: str | None = None
    step_charged: bool = False
    stepped: set[Any] = field(default_factory=set)
    approvals: set[tuple] = field(default_factory=set)
    loops: list[tree.Loop] = field(default_factory=list)


@dataclass(eq=False)
class Line:
    """A bound of a limit with its account for one scope id; None where the run has no such id."""

    owner: Any
    limit: tree.Limit
    bound: tree.Bound
    account: Account | None

    @property
    def is_own(self) -> bool:
        """Whether the account is of the run alone."""
        return self.limit.scope.text == "run"

    @property
    def wrapping(self) -> tuple[int, str]:
        """Whose wrap-up calls these are."""
        return self.owner.number, self.limit.name.text


@dataclass
class Taken:
    """What an attempt took of one account, in which of its windows."""

    line: Line
    amount: int
    window: int


@dataclass
class Attempt:
    """One dispatch: what it holds, what was charged at once, and how it was settled.

    `steps` are the lines for which it is the call's step. An earlier one is of before its run was suspended.
    """

    call: Call
    target: str
    held: dict[str, int]
    charged: dict[str, int]
    opened: Now
    cap: int | None = None
    number: int = 0
    produced: int = 0
    taken: list[Taken] = field(default_factory=list)
    steps: list[Line] = field(default_factory=list)
    wrapped: list[Line] = field(default_factory=list)
    usage: Used | None = None
    used: dict[str, int] | None = None
    settlement: dict[str, int] | None = None
    eras: list[tuple] = field(default_factory=list)
    is_earlier: bool = False


@dataclass
class Request:
    """A question to a person about one statement and one binding."""

    number: int
    queue: str
    expires: int
    wants: str = "approval"
    answer: bool | None = None
    accounts: list[Account] = field(default_factory=list)


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
    sooner: bool = False
    text: str | None = None
    template: str | None = None
    request: Request | None = None
    accounts: list[Account] = field(default_factory=list)
    values: list[tuple[str, str]] = field(default_factory=list)
    binding: Any = None
    wants: str = "approval"
    answered: Request | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The kind and the name of the statement."""
        return type(self.statement).__name__.lower(), self.statement.name.text

    def rank(self) -> tuple:
        """Smallest first: the most restrictive outcome, then the name, then the kind."""
        kind, name = self.key
        return [*RESTRICTIVE, "allow"].index(self.outcome), name.encode(), KINDS.index(kind)


def usage_of(usage, input_tokens=0, output_tokens=0, cache_read=0, cache_write=0, reasoning=0) -> Used:
    """A usage as it was reported."""
    if usage not in ("exact", "at_least", "unknown", "unsent"):
        raise Misuse("bad_value")
    used = Used(usage, *map(whole, (input_tokens, output_tokens, cache_read, cache_write, reasoning)))
    if usage not in ("exact", "at_least"):
        return used
    if used.cache_read + used.cache_write > used.input or used.reasoning > used.output:
        raise Misuse("bad_value")
    return used


def normal(tried: Attempt, usage: Used) -> Used:
    """A usage as it is kept: numbers only where they mean something."""
    if usage.kind == "unsent" and tried.produced:
        return Used("unknown")  # What produced tokens was sent.
    if usage.kind == "unsent" or (usage.kind == "unknown" and tried.call.point == "model"):
        return Used(usage.kind)
    return Used("exact") if tried.call.point == "tool" else usage
