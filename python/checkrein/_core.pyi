"""The engine of Checkrein, compiled from Rust: it loads compiled policies and decides.

Nothing here reads a clock, a file, the network or the environment. Time is passed in: `now` is a
monotonic instant in nanoseconds, and an earlier one than a run has already seen counts as that one.
Money is in nano-units of the policy's currency, durations and instants are in nanoseconds.
"""

from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, TypedDict, final

__all__ = [
    "FORMAT",
    "GRAMMAR",
    "Decision",
    "Program",
    "Run",
    "Settlement",
    "canonical",
    "fingerprint",
    "xxh3_64",
]

_Outcome: TypeAlias = Literal["allow", "wait", "escalate", "deny", "fail", "stop"]
_Usage: TypeAlias = Literal["exact", "at_least", "unknown", "unsent"]
_Dimension: TypeAlias = Literal["text", "flag", "count", "money", "tokens", "duration", "percent"]

class _Model(TypedDict):
    name: str
    target: str
    tier: int
    place: Literal["edge", "cloud"]
    window: int
    output: int
    least_output: int
    price: tuple[int, int] | None  # nano-units per million tokens, (input, output); None is free

class _Argument(TypedDict):
    name: str
    dimension: _Dimension
    unit: Literal["units", "cents"] | None  # of money only

class _Tool(TypedDict):
    name: str
    tool_class: Literal["retrieve", "reason", "act"] | None
    once: bool
    timeout_ns: int | None
    args: list[_Argument]  # those that some condition reads

class _Statement(TypedDict):
    kind: Literal["limit", "retry", "require", "route", "order", "loop", "rule"]
    name: str
    line: int
    column: int
    source: str

class _Fact(TypedDict):
    name: str
    dimension: _Dimension
    source: Literal["host", "argument", "engine"]
    presence: Literal["required", "optional", "default"]

class _Limit(TypedDict):
    name: str
    dimension: Literal["cost", "tokens", "steps", "model_calls", "tool_calls", "active_time"]
    limit: int
    spent: int  # of active_time: what has elapsed as of the last event
    held: int

GRAMMAR: Final[str]
"""The Lark grammar of the language, `grammar/rein.lark`, as it was when the engine was compiled."""

FORMAT: Final[int]
"""The version of the artifact format that this engine reads."""

def canonical(args: object) -> bytes:
    """Give `args` as canonical JSON (RFC 8785): one text for every value, whatever its key order.

    Integers are written in full, NaN and the infinities as strings; bytes, Decimal, dates and times,
    UUID, Enum and Path as the string of their `str()`; tuples and sets as arrays (sets sorted);
    any other object as `{"$type":"module.Qualname"}`.

    Raises:
        EngineError: kind `bad_value`, for more than 128 levels of nesting, more than 64 MiB of text, or
            an integer of more digits than the interpreter prints.
    """

def fingerprint(tool: str, args: object) -> int:
    """Give the 64-bit xxh3 of the tool's name, a zero byte and the canonical JSON of `args`.

    Equal calls have equal fingerprints in every process. It is no cryptographic hash.

    Raises:
        EngineError: kind `bad_value`, as for `canonical`.
    """

def xxh3_64(data: bytes, seed: int = 0) -> int:
    """Give the 64-bit xxh3 of `data`. `seed` is an unsigned 64-bit number."""

@final
class Program:
    """A compiled policy, verified: nothing in it can fail later. Never changes; share it freely."""

    @staticmethod
    def load(data: bytes) -> Program:
        """Verify the bytes of a `.reinc` artifact.

        Raises:
            LoadError: the bytes are damaged, cut short, of another version, or not canonical.
        """

    @property
    def digest(self) -> str:
        """The SHA-256 of the artifact's payload, in hex."""
    @property
    def policy(self) -> str:
        """The policy's name."""
    @property
    def file(self) -> str:
        """The source file's name, as it was given to the compiler."""
    @property
    def currency(self) -> str:
        """What amounts of money are in: `$`, or a code such as `EUR`."""
    @property
    def language(self) -> int:
        """The version of the language that the policy is written in."""
    @property
    def models(self) -> list[_Model]:
        """The declared models, by name."""
    @property
    def tools(self) -> list[_Tool]:
        """The declared tools, by name."""
    @property
    def statements(self) -> list[_Statement]:
        """What is enforced, by name, with its place and text in the source."""
    @property
    def facts(self) -> list[_Fact]:
        """The facts that the policy reads or declares, by name."""
    def read(self, tool: str, args: dict[str, Any], facts: dict[str, Any] | None) -> int:
        """How many of the policy's facts a tool call of the host would bring, well-typed.

        It decides nothing: for checking what a host sends, and for measuring what reading costs.

        Raises:
            UnknownFact: a key of `facts` that the policy does not declare.
        """

@final
class Run:
    """One run of an agent under a policy. It may be used from several threads; each event is atomic.

    `facts` of an event map the names of declared host facts, and `step.kind` and `step.confidence`,
    to values:

    ======== ====================================================================================
    text     `str`
    flag     `bool`
    count    `int`, or a `float` or `Decimal` without a fraction
    tokens   the same, not negative
    money    `int`, `float`, `Decimal` or a plain decimal `str`, in whole units of the currency
    percent  a number from 0 to 1: 0.85 is 85%
    duration a number of seconds, not negative
    ======== ====================================================================================

    `None` is a missing fact. A value of another type, one that is not exact at the engine's scale,
    or one beyond 2^53 - 1 there, is ill-typed: conditions that read it are undecided. The arguments
    of tools are read alike, money in cents where the policy says so.

    Every method raises `EngineError` of kind `bad_value` for a number that is negative or out of range.
    """

    def __new__(cls, program: Program, *, seed: int, now: int) -> Run:
        """Begin a run at `now`. `seed` (unsigned, 64 bits) settles the jitter of its retries."""

    def model_call(
        self,
        now: int,
        call: int | None,
        model: str | None,
        input_tokens: int,
        max_output: int | None,
        facts: dict[str, object] | None = None,
    ) -> Decision:
        """Ask for a model call.

        `call` is `None` for a new logical call, else the `Decision.call` that is asked again. `model` is the
        host's own choice, which the policy may override.

        Raises:
            UnknownFact: a fact is not declared, or only the engine may set it.
        """

    def tool_call(
        self,
        now: int,
        call: int | None,
        tool: str,
        args: dict[str, Any],
        facts: dict[str, object] | None = None,
    ) -> Decision:
        """Ask for a tool call; `call` as for `model_call`.

        If an object in `args` is written by its type alone, an answer to the call's escalation is for
        this logical call only; otherwise it is for the tool with these very arguments.

        Raises:
            UnknownFact: a fact is not declared, or only the engine may set it.
            EngineError: kind `bad_value`, for arguments that have no canonical JSON.
        """

    def settle(
        self, now: int, attempt: int, usage: _Usage, input_tokens: int = 0, output_tokens: int = 0
    ) -> Settlement:
        """Say that an attempt succeeded, or was never sent, and what it used.

        Settling again with the same usage gives the same answer.

        Raises:
            EngineError: kinds `unknown_attempt` and `already_settled`.
        """

    def error(
        self,
        now: int,
        attempt: int,
        usage: _Usage,
        input_tokens: int,
        output_tokens: int,
        kind: str,
        status: int | None = None,
        retry_after: float | Decimal | None = None,
        billed: bool | None = None,
    ) -> Decision:
        """Say that an attempt failed, settle it, and ask what to do.

        `allow` means: pass the error on, it is not retried. `kind` is one of timeout, rate_limited,
        unavailable, quota_exhausted, billing, auth, invalid_request, content_policy,
        context_too_long, tool_failure, cancelled, unknown. `retry_after` is in seconds.

        Raises:
            EngineError: kinds `unknown_attempt` and `already_settled`.
        """

    def answer(self, now: int, request: int, approve: bool) -> None:
        """Answer the request of an escalation. The same answer twice changes nothing.

        Raises:
            EngineError: kinds `unknown_request`, `expired` and `already_answered`.
        """

    def count(self, now: int, attempt: int, n: int) -> int:
        """Count `n` more tokens that an attempt has produced; give how many it may still produce.

        Raises:
            EngineError: kinds `unknown_attempt` and `already_settled`.
        """

    def end(self, now: int) -> None:
        """End the run: open attempts are settled as unknown, and every later call is denied."""

    def limits(self) -> list[_Limit]:
        """Give where every limit stands, one entry for each of its bounds."""

    @property
    def in_flight(self) -> int:
        """How many attempts are open."""
    @property
    def latched(self) -> str | None:
        """The failure state that the run stopped in, if it did."""

@final
class Decision:
    """What the engine decided about one event, and why."""

    @property
    def number(self) -> int:
        """1, 2, 3... within the run."""
    @property
    def event(self) -> Literal["model call", "tool call", "model error", "tool error"]:
        """What was decided about."""
    @property
    def outcome(self) -> _Outcome:
        """What to do. After an error, `allow` means: pass the error on."""
    @property
    def call(self) -> int | None:
        """The logical call; pass it when the same call is asked again. `None` if none was opened: the run
        is over."""
    @property
    def attempt(self) -> int | None:
        """The attempt that an allowed call opened: settle it exactly once."""
    @property
    def attempt_number(self) -> int | None:
        """Which attempt of this call on this model or tool was opened, or failed, from 1."""
    @property
    def model(self) -> str | None:
        """The model that an allowed call goes to, or that failed."""
    @property
    def output_cap(self) -> int | None:
        """The most output tokens that an allowed model call may produce."""
    @property
    def timeout_ns(self) -> int | None:
        """How long an allowed call may take."""
    @property
    def wait_ns(self) -> int | None:
        """How long to wait before asking again."""
    @property
    def state(self) -> str | None:
        """The failure state of a stop or fail."""
    @property
    def tell_agent(self) -> str | None:
        """What the state tells the agent."""
    @property
    def tell_user(self) -> str | None:
        """What the state tells the user."""
    @property
    def by(self) -> str | None:
        """The deciding statement's name, or the engine's own word, such as `undeclared tool`."""
    @property
    def kind(self) -> str | None:
        """The deciding statement's kind, such as `limit`, or `built-in`."""
    @property
    def line(self) -> int | None:
        """The deciding statement's line in the source."""
    @property
    def column(self) -> int | None:
        """The deciding statement's column in the source."""
    @property
    def reason(self) -> str | None:
        """The policy's `because`."""
    @property
    def undecided(self) -> bool:
        """Whether the statement decided because its condition could not be told."""
    @property
    def latched(self) -> bool:
        """Whether this is an earlier stop, met again."""
    @property
    def request(self) -> int | None:
        """The request that a person has to answer."""
    @property
    def queue(self) -> str | None:
        """The queue that the request is in."""
    @property
    def expires_at(self) -> int | None:
        """When the request expires."""
    @property
    def reserved_tokens(self) -> int:
        """The worst case held for an allowed call."""
    @property
    def reserved_cost(self) -> int:
        """The worst case held for an allowed call."""
    @property
    def votes(self) -> list[tuple[str, str, _Outcome, bool]]:
        """Every vote, the most restrictive first: kind, name, outcome, undecided."""
    @property
    def advice(self) -> list[tuple[Literal["tell agent", "warn"], str, str]]:
        """Thresholds passed for the first time: kind, text, the limit's name."""
    @property
    def values(self) -> list[tuple[str, str]]:
        """What the deciding condition read: the fact's name, its value as text."""
    @property
    def skipped(self) -> list[str]:
        """Route arms passed over since their condition could not be told."""

@final
class Settlement:
    """What an attempt used, and what had been held for it."""

    @property
    def input_tokens(self) -> int:
        """The input tokens charged."""
    @property
    def output_tokens(self) -> int:
        """The output tokens charged."""
    @property
    def tokens(self) -> int:
        """The tokens charged in all."""
    @property
    def cost(self) -> int:
        """The money charged."""
    @property
    def reserved_tokens(self) -> int:
        """The tokens that had been held."""
    @property
    def reserved_cost(self) -> int:
        """The money that had been held."""
