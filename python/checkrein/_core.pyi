"""The engine of Checkrein, compiled from Rust: it loads compiled policies and decides.

Nothing here reads a clock, a file, the network or the environment, but for `Ledger` and `Operator`, which
talk to a store. Time is passed in: `now` is a monotonic instant in nanoseconds, and an earlier one than a
run has already seen counts as that one; `wall` is the time since the Unix epoch in nanoseconds, which the
windows of the calendar are read from. Money is in nano-units of the policy's currency, durations and
instants are in nanoseconds.
"""

from decimal import Decimal
from typing import Any, Final, final

from checkrein._decisions import Decision as Decision
from checkrein._decisions import Settlement as Settlement
from checkrein._rows import (
    Fact as _Fact,
)
from checkrein._rows import (
    Limit as _Limit,
)
from checkrein._rows import (
    Model as _Model,
)
from checkrein._rows import (
    Statement as _Statement,
)
from checkrein._rows import (
    Tool as _Tool,
)
from checkrein._rows import (
    Usage as _Usage,
)
from checkrein._stores import Ledger as Ledger
from checkrein._stores import Operator as Operator

__all__ = [
    "FORMAT",
    "GRAMMAR",
    "Decision",
    "Ledger",
    "Operator",
    "Program",
    "Run",
    "Settlement",
    "canonical",
    "fingerprint",
    "xxh3_64",
]

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
    def meaning(self) -> str:
        """The SHA-256 of all that decides: not of the file's place, of comments and of lines. In hex."""
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
    def prices(self) -> str:
        """The price snapshot that prices were taken from; empty if the policy states all of them."""
    @property
    def scopes(self) -> list[str]:
        """What a run has to say for the policy's limits: `user`, or the name of a fact."""
    @property
    def wide(self) -> bool:
        """Whether a limit is wider than a run."""
    @property
    def shared(self) -> bool:
        """Whether the policy asks for a store that other machines see too."""
    @property
    def wraps_up(self) -> bool:
        """Whether a limit keeps something for the calls that close the work."""
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

    def __new__(
        cls,
        program: Program,
        *,
        seed: int,
        now: int,
        wall: int = 0,
        ledger: Ledger | None = None,
        session: str | None = None,
        user: str | None = None,
        team: str | None = None,
        org: str | None = None,
        keys: dict[str, str] | None = None,
        parent: Run | None = None,
        id: str = "",
    ) -> Run:
        """Begin a run at `now`. `seed` (unsigned, 64 bits) settles the jitter of its retries.

        `session` to `org` and `keys` (the facts that limits are kept by) say whose run it is. Without a
        `ledger` what it spends is added up for this run and its children only. A run with a `parent` is
        part of it: the same program, the same ledger, for the same people, and what it spends is spent
        there too. `id` names the run in the ledger's records.

        Raises:
            EngineError: kind `bad_value`, for an id that can name no account.
        """

    def model_call(
        self,
        now: int,
        wall: int,
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
            EngineError: kind `full`, if the ledger's journal has no room for what the call will use.
        """

    def tool_call(
        self,
        now: int,
        wall: int,
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
            EngineError: kind `bad_value`, for arguments that have no canonical JSON; `full` as above.
        """

    def settle(
        self,
        now: int,
        wall: int,
        attempt: int,
        usage: _Usage,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cache_read: int = 0,
        cache_write: int = 0,
        reasoning: int = 0,
    ) -> Settlement:
        """Say that an attempt succeeded, or was never sent, and what it used.

        `input_tokens` has what was read from and written to a cache in it, `output_tokens` what was
        reasoned. Settling again with the same usage gives the same answer.

        Raises:
            EngineError: kinds `unknown_attempt`, `already_settled` and `bad_value`.
        """

    def adjust(
        self,
        now: int,
        wall: int,
        attempt: int,
        input_tokens: int,
        output_tokens: int,
        cache_read: int = 0,
        cache_write: int = 0,
        reasoning: int = 0,
    ) -> Settlement:
        """Say what an attempt really used that was settled as unknown or as at least so much.

        Once, also after the end of the run; the same figures again give the same answer.

        Raises:
            EngineError: kinds `unknown_attempt`, `not_settled`, `already_settled` and `bad_value`.
        """

    def error(
        self,
        now: int,
        wall: int,
        attempt: int,
        usage: _Usage,
        input_tokens: int,
        output_tokens: int,
        kind: str,
        status: int | None = None,
        retry_after: float | Decimal | None = None,
        billed: bool | None = None,
        cache_read: int = 0,
        cache_write: int = 0,
        reasoning: int = 0,
    ) -> Decision:
        """Say that an attempt failed, settle it, and ask what to do.

        `allow` means: pass the error on, it is not retried. `kind` is one of timeout, rate_limited,
        unavailable, quota_exhausted, billing, auth, invalid_request, content_policy,
        context_too_long, tool_failure, cancelled, unknown. `retry_after` is in seconds.

        Raises:
            EngineError: kinds `unknown_attempt` and `already_settled`.
        """

    def answer(self, now: int, wall: int, request: int, approve: bool) -> None:
        """Answer the request of an escalation. The same answer twice changes nothing.

        Raises:
            EngineError: kinds `unknown_request`, `expired` and `already_answered`.
        """

    def count(self, now: int, wall: int, attempt: int, n: int) -> int:
        """Count `n` more tokens that an attempt has produced; give how many it may still produce.

        Raises:
            EngineError: kinds `unknown_attempt` and `already_settled`.
        """

    def end(self, now: int, wall: int) -> None:
        """End the run: open attempts are settled as unknown, and every later call is denied."""

    def suspend(self, now: int, wall: int, keep: list[int]) -> bytes:
        """End the run in this process and give it as bytes, from which `resume` goes on with it.

        The open attempts in `keep` go on with it; every other open one is settled as unknown. From now on
        this run denies every call; its attempts and requests are the resumed run's. A second time it gives
        the same bytes.

        Raises:
            EngineError: kinds `unknown_attempt` and `already_settled`, for an attempt to keep that is not
                open; `ended`, after the end of the run; `child`, for a run with a parent.
        """

    @staticmethod
    def resume(
        program: Program,
        state: bytes,
        *,
        now: int,
        wall: int,
        later: int,
        ledger: Ledger | None = None,
        session: str | None = None,
        user: str | None = None,
        team: str | None = None,
        org: str | None = None,
        keys: dict[str, str] | None = None,
        id: str = "",
    ) -> Run:
        """Go on with a suspended run, at an instant of this process's clock.

        `later` are the nanoseconds since it was suspended, by a clock that both processes see: the store's.

        `program` and all the rest are those that the run began with. How long it was suspended is told by
        the wall clock: for requests and `wall_time` that time has passed, for `active_time` it has not.
        Nobody here knows whether the same bytes were resumed elsewhere: keep them where they are given out
        once.

        Raises:
            EngineError: kind `bad_state`, for bytes that are damaged or no run; `other_form`, for a run that
                another version suspended; `other_policy`, for one of another program; `bad_value`, for other
                ids than it began with.
        """

    def held(self, attempt: int) -> Decision | None:
        """Give an open attempt as a decision that allows it; `None` if it is not open.

        Its `number` is the latest decision's, since nothing was decided.
        """

    def limits(self) -> list[_Limit]:
        """Give where every limit stands, one entry for each of its bounds; none, once it is suspended."""

    @property
    def in_flight(self) -> int:
        """How many attempts are open."""
    @property
    def latched(self) -> str | None:
        """The failure state that the run stopped in, if it did."""
