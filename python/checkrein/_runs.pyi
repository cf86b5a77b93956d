"""A run of the compiled engine: for type checkers, there is no such module."""

from decimal import Decimal
from typing import Any, final

from checkrein._core import Program
from checkrein._decisions import Decision, Settlement
from checkrein._logs import Log
from checkrein._rows import (
    Limit as _Limit,
)
from checkrein._rows import (
    OpenRequest as _OpenRequest,
)
from checkrein._rows import (
    Usage as _Usage,
)
from checkrein._stores import Ledger

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
        records: tuple[Log, bytes] | None = None,
    ) -> Run:
        """Begin a run at `now`. `seed` (unsigned, 64 bits) settles the jitter of its retries.

        `session` to `org` and `keys` (the facts that limits are kept by) say whose run it is. Without a
        `ledger` what it spends is added up for this run and its children only. A run with a `parent` is
        part of it: the same program, the same ledger, for the same people, and what it spends is spent
        there too. `id` names the run in the ledger's records. With `records` every decision and every charge
        is written to a log; the bytes are two lines of JSON: the run's id, and whose it is.

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
        results: list[tuple[int, int]] | None = None,
        messages: list[tuple[int, int]] | None = None,
    ) -> Decision:
        """Ask for a model call, with the fingerprints of the tool results in its conversation.

        `messages` are those of its prompt: a fingerprint and the tokens of each.

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
        attempt: int | Decision,
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
        attempt: int | Decision,
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

    def result(
        self,
        now: int,
        wall: int,
        attempt: int | Decision,
        usage: _Usage,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cache_read: int = 0,
        cache_write: int = 0,
        reasoning: int = 0,
        facts: dict[str, object] | None = None,
        fields: dict[str, Any] | None = None,
        fingerprint: int | None = None,
        committed: bool = False,
        subject: str | None = None,
    ) -> Decision:
        """Say that an attempt came back, settle it, and ask what to do with its result.

        `allow` means: take it; `wait`: drop it, and ask for the call again after the delay; anything else:
        drop it. `fields` are those of what a tool gave, `facts` what is known by now. `committed` says that
        something of it was passed on already.

        Raises:
            EngineError: kind `unknown_attempt`, `already_settled` (a late result: drop it) or `bad_value`.
            UnknownFact: a fact that the policy does not declare.
        """

    def tell_agent(self, fingerprint: int) -> None:
        """The agent was told this in place of a tool's result, so that no `truth` takes it for invented.

        Raises:
            EngineError: kind `suspended`.
        """

    def settled(self, attempt: int) -> Settlement | None:
        """What an attempt was charged; `None` while it is open, or if there is none."""

    def error(
        self,
        now: int,
        wall: int,
        attempt: int | Decision,
        usage: _Usage,
        input_tokens: int,
        output_tokens: int,
        kind: str,
        status: int | None = None,
        retry_after: float | Decimal | None = None,
        billed: bool | None = None,
        own: bool = False,
        cache_read: int = 0,
        cache_write: int = 0,
        reasoning: int = 0,
        fingerprint: int | None = None,
        subject: str | None = None,
    ) -> Decision:
        """Say that an attempt failed, settle it, and ask what to do.

        `fingerprint` is of the error's message: a loop takes errors with other ones for other errors.

        `allow` means: pass the error on, it is not retried. `kind` is one of timeout, rate_limited,
        unavailable, quota_exhausted, billing, auth, invalid_request, content_policy,
        context_too_long, tool_failure, cancelled, denied, unknown. `retry_after` is in seconds.
        `own` says that the caller brought a timeout about, with less patience than the policy has: then
        it says nothing about whom it called.

        Raises:
            EngineError: kinds `unknown_attempt` and `already_settled`.
        """

    def answer(
        self, now: int, wall: int, request: int, approve: bool, ago: int = 0, bound: bytes | None = None
    ) -> None:
        """Answer the request of an escalation, so many nanoseconds ago. The same answer twice changes
        nothing. With `bound` it is only for the request that `open_requests` gave with it.

        Raises:
            EngineError: kinds `unknown_request`, `expired` and `already_answered`; `ended`, once the run
                has ended or stopped.
        """

    def open_requests(self) -> list[_OpenRequest]:
        """Give the requests that people may still answer, as of the latest event."""

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
        records: tuple[Log, bytes] | None = None,
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

    def known(self) -> list[int]:
        """Give the attempts whose results a decision may yet hand back."""

    def time_left(self, now: int) -> int | None:
        """What limits on time leave to it at `now`, in nanoseconds; None without any. This is no event."""

    @property
    def in_flight(self) -> int:
        """How many attempts are open."""
    @property
    def handed_over(self) -> bool:
        """Whether a person has taken the task over."""
    @property
    def latched(self) -> str | None:
        """The failure state that the run stopped in, if it did."""
