"""One governed run: every model and tool call of an agent goes through it."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from checkrein import _core, sentences
from checkrein.errors import EngineError, Refusal, Stopped
from checkrein.guard.approval import Approval, Approver
from checkrein.guard.classify import Failure
from checkrein.guard.context import RUN, put_back
from checkrein.guard.drive import Request, carry_out, steps
from checkrein.guard.prompt import upper_bound
from checkrein.guard.signature import accepts, bind_arguments, is_asynchronous
from checkrein.guard.stream import unless_ended
from checkrein.guard.usage import NOTHING, UNKNOWN, Usage, read_usage
from checkrein.record import decision_record, settlement_record

if TYPE_CHECKING:
    from checkrein.guard.guard import Guard


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `str()` is `completed`, the name of a failure state, or the kind."""

    kind: Literal["running", "completed", "stopped", "failed", "denied", "escalated", "error"]
    state: str | None = None
    decision: str | None = None

    def __str__(self) -> str:
        return self.state or self.kind


class Run:
    """One run under a policy. Use as `with guard.run() as run:` or `async with`.

    A stop ends the block quietly: `run.outcome` says so. Any other exception passes through.
    Safe to share between threads and tasks.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        id: str | None = None,
        seed: int | None = None,
        user: str | None = None,
        session: str | None = None,
        facts: Mapping[str, Any] | None = None,
        approver: Approver | None = None,
    ) -> None:
        self.guard = guard
        self.id = id or os.urandom(6).hex()
        self.user, self.session = user, session
        self.facts = dict(facts or {})
        self.approver = approver or guard.approver
        self.clock = guard.clock
        self.outcome = Outcome("running")
        self.ended = False
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._advice: list[str] = []
        self._calls: dict[str, int] = {}
        self._suspended: dict[str, tuple[Any, Any]] = {}
        self._dropped: deque[tuple[Any, Usage]] = deque()
        self._token: Any = None
        self._entered = False
        seed = int.from_bytes(os.urandom(8), "little") if seed is None else seed
        self._core = _core.Run(guard.program, seed=seed, now=self.clock.now())

    # -- guarded calls ----------------------------------------------------------------------------

    def model(
        self,
        call: Callable[..., Any],
        /,
        *,
        model: str | None = None,
        max_tokens: int | None = None,
        input_tokens: int | None = None,
        step: str | None = None,
        confidence: Any = None,
        facts: Mapping[str, Any] | None = None,
        key: str | None = None,
        approver: Approver | None = None,
        usage: Callable[[Any], Usage | None] = read_usage,
        **kwargs: Any,
    ) -> Any:
        """Run `call(model=..., max_tokens=..., **kwargs)` under the policy; its result is returned.

        `model` is the policy's name of the wanted model (a route may choose another); `max_tokens`
        the most output wanted (the policy may cap it lower). `input_tokens` must be an upper bound
        of the prompt; left out, a token per byte of the arguments is taken. `key` and `approver` are
        as for `call_tool`. A coroutine function gives a coroutine. Raises `Stopped`, `Failed`, `Denied`
        or `Escalated`; an exception of `call` that no retry takes is passed on unchanged.
        """
        sent = self._facts(facts, step, confidence)

        def prompt() -> int:  # counted at every ask: a host may add to its messages before a retry
            return upper_bound(kwargs) if input_tokens is None else input_tokens

        def ask(again: int | None) -> Any:
            return self.ask_model(again, model, prompt(), max_tokens, sent)

        def invoke(decision: Any) -> Any:
            for name in ("max_tokens", "model"):
                if not accepts(call, name):
                    raise EngineError(
                        f"the model function takes no `{name}`, so it cannot be governed; add it", "signature"
                    )
            return call(model=decision.model, max_tokens=decision.output_cap, **kwargs)

        request = Request(
            "model", sentences.subject("model", model), ask, invoke, usage,
            key=key, exact=key and (model, prompt(), max_tokens), approver=approver,
        )  # fmt: skip
        return carry_out(steps(self, request), is_asynchronous(call))

    def tool(self, name: str, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run `call(*args, **kwargs)` as the tool `name`; its result is returned.

        A coroutine function gives a coroutine. Raises as `model` does.
        """
        return self.call_tool(
            name, call, bind_arguments(call, args, kwargs), invoke=lambda: call(*args, **kwargs)
        )

    def call_tool(
        self,
        name: str,
        call: Callable[..., Any],
        arguments: Mapping[str, Any],
        *,
        step: str | None = None,
        confidence: Any = None,
        facts: Mapping[str, Any] | None = None,
        key: str | None = None,
        approver: Approver | None = None,
        invoke: Callable[[], Any] | None = None,
    ) -> Any:
        """Like `tool`, with the arguments as a mapping and the call's own facts.

        `key` is the host's id of the call: asked again with the same key, it is the same call.
        `approver` is asked for this call instead of the run's.
        """
        sent = self._facts(facts, step, confidence)
        arguments = dict(arguments)

        def ask(again: int | None) -> Any:
            return self.ask_tool(again, name, arguments, sent)

        def run_it(_decision: Any) -> Any:
            return invoke() if invoke else call(**arguments)

        request = Request(
            "tool", sentences.subject("tool", name), ask, run_it, lambda _value: NOTHING, arguments,
            threaded=self.guard.tool_timeouts.get(name) is not None,
            key=key, exact=key and (name, _core.canonical(arguments)), approver=approver,
        )  # fmt: skip
        return carry_out(steps(self, request), is_asynchronous(call))

    # -- calls that a host asks about again ---------------------------------------------------------

    def known(self, key: str | None, exact: Any) -> tuple[int | None, Any]:
        """The call that the host knows as `key`, and its attempt if one was suspended.

        An attempt that was decided for another call than `exact`, or before a stop, is given up.
        """
        if key is None:
            return None, None
        with self._lock:
            call = self._calls.get(key)
            decision, was = self._suspended.pop(key, (None, None))
        if decision is None or (was == exact and self._core.latched is None and not self.ended):
            return call, decision
        with unless_ended(self):
            self.fail(decision, Failure("cancelled", UNKNOWN))
        return None, None

    def remember(self, key: str | None, decision: Any) -> int | None:
        """From now on the host's `key` is the call of `decision`, which is given back."""
        call: int | None = decision.call
        if key is not None and call is not None:
            with self._lock:
                self._calls[key] = call
        return call

    def suspend(self, key: str, decision: Any, exact: Any) -> None:
        """The framework paused this attempt: asked again with `key`, it goes on; its hold is kept."""
        with self._lock:
            self._suspended[key] = decision, exact

    def forget(self, key: str) -> None:
        """The host uses `key` for a new call from now on."""
        with self._lock:
            self._calls.pop(key, None)
            self._suspended.pop(key, None)

    # -- the low-level door -------------------------------------------------------------------------

    def decide(
        self,
        *,
        tool: str | None = None,
        args: Mapping[str, Any] | None = None,
        model: str | None = None,
        input_tokens: int = 0,
        max_tokens: int | None = None,
        step: str | None = None,
        confidence: Any = None,
        facts: Mapping[str, Any] | None = None,
        call: int | None = None,
    ) -> Any:
        """One decision, for hosts that run the call themselves.

        With `tool` a tool call, else a model call. An `allow` opens `decision.attempt`: end it with
        `settle` or `fail`. On `wait`, wait `decision.wait_ns` and ask again with `decision.call`.
        """
        sent = self._facts(facts, step, confidence)
        if tool is not None:
            return self.ask_tool(call, tool, dict(args or {}), sent)
        return self.ask_model(call, model, input_tokens, max_tokens, sent)

    def ask_model(
        self,
        call: int | None,
        model: str | None,
        input_tokens: int,
        max_tokens: int | None,
        facts: dict[str, Any],
    ) -> Any:
        """Ask about a model call; `call` is the logical call when it is asked again."""
        return self._decided(
            lambda now: self._core.model_call(now, call, model, input_tokens, max_tokens, facts),
            sentences.subject("model", model),
        )

    def ask_tool(self, call: int | None, name: str, arguments: dict[str, Any], facts: dict[str, Any]) -> Any:
        """Ask about a tool call; `call` is the logical call when it is asked again."""
        return self._decided(
            lambda now: self._core.tool_call(now, call, name, arguments, facts),
            sentences.subject("tool", name),
        )

    def settle(self, decision: Any, usage: Usage | None = None) -> Any:
        """The attempt of `decision` has ended well and used so much.

        A model call settled without a usage keeps its whole hold as spent.
        """
        usage = usage or (UNKNOWN if decision.model else NOTHING)
        with self._lock:
            settled = self._core.settle(
                self.clock.now(), decision.attempt, usage.kind, usage.input_tokens, usage.output_tokens
            )
            self._write(lambda: settlement_record(self, decision, usage, settled, self._core.limits()))
        return settled

    def dropped(self, decision: Any, usage: Usage) -> None:
        """The attempt of `decision` was dropped unfinished: settle it before the next event."""
        self._dropped.append((decision, usage))

    def fail(self, decision: Any, failure: Failure, subject: str = "call") -> Any:
        """The attempt of `decision` has failed: is it made again (`wait`), given up, or passed on?"""
        usage = failure.usage
        return self._decided(
            lambda now: self._core.error(
                now, decision.attempt, usage.kind, usage.input_tokens, usage.output_tokens,
                failure.kind, failure.status, failure.retry_after, failure.billed,
            ),
            subject, failure,
        )  # fmt: skip

    def answer(self, request: int, approve: bool) -> None:
        """A person's answer to an escalation; then ask about the same call again."""
        with self._lock:
            self._core.answer(self.clock.now(), request, approve)

    def count(self, decision: Any, tokens: int = 1) -> int:
        """Count generated tokens of an attempt; gives how many more are paid for. 0 means stop."""
        return int(self._core.count(self.clock.now(), decision.attempt, tokens))

    def limits(self) -> list[dict[str, Any]]:
        """Each limit's dimension with its bound, what is spent and what is held."""
        self._settle_dropped()
        return [dict(row) for row in self._core.limits()]

    def take_advice(self) -> list[str]:
        """What the agent is to be told and has not been told yet."""
        with self._lock:
            advice, self._advice = self._advice, []
        return advice

    def approval(self, decision: Any, subject: str, arguments: Mapping[str, Any]) -> Approval:
        """What a person is asked for an `escalate` decision."""
        return Approval(
            decision.request, decision.queue, subject, dict(arguments), decision.by,
            decision.reason or "", decision.expires_at, self.limits(),
        )  # fmt: skip

    def refusal(self, decision: Any, subject: str) -> Refusal:
        """The exception for a decision that does not let a call run."""
        file, id = self.guard.program.file, self.decision_id(decision)
        return sentences.refusal(decision, subject, file, id, self.guard.instead_of(decision))

    def decision_id(self, decision: Any) -> str:
        """The id under which the log keeps this decision."""
        return f"{self.id}.{decision.number}"

    # -- the block ----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        with self._lock:
            if self._entered or self.ended:
                raise EngineError("a run is one block, and this one is not new; begin another", "reused")
            self._entered = True
        self._token = RUN.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        put_back(RUN, self._token)
        self.end(error)
        return self._is_own_stop(error)

    def _is_own_stop(self, error: BaseException | None) -> bool:
        if isinstance(error, BaseExceptionGroup):  # of an `asyncio.TaskGroup`, say
            return all(map(self._is_own_stop, error.exceptions))
        return isinstance(error, Stopped) and error.run_id == self.id

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> bool:
        return self.__exit__(kind, error, trace)

    def end(self, error: BaseException | None = None) -> Outcome:
        """End the run: open attempts keep their holds as spent. Ending twice changes nothing."""
        if self.outcome.kind != "running":
            return self.outcome
        self._settle_dropped()
        with self._lock:
            self.ended = True
            self._core.end(self.clock.now())
        state = self._core.latched
        if state is not None:
            self.outcome = Outcome("stopped", state, error.id if isinstance(error, Refusal) else None)
        elif isinstance(error, Refusal):
            kind: Any = {"Failed": "failed", "Denied": "denied", "Escalated": "escalated"}.get(
                type(error).__name__
            )
            self.outcome = Outcome(kind or "error", error.state, error.id)
        else:
            self.outcome = Outcome("completed" if error is None else "error")
        return self.outcome

    # -- inside ---------------------------------------------------------------------------------------

    def _facts(self, facts: Mapping[str, Any] | None, step: str | None, confidence: Any) -> dict[str, Any]:
        sent = {**self.facts, **facts} if facts else dict(self.facts)
        if step is not None:
            sent["step.kind"] = step
        if confidence is not None:
            sent["step.confidence"] = confidence
        return sent

    def _decided(self, decide: Callable[[int], Any], subject: str, failure: Failure | None = None) -> Any:
        if failure is None and os.getpid() != self._process:
            raise EngineError("this run is of another process: nobody adds up what a fork spends", "forked")
        self._settle_dropped()
        with self._lock:
            sink = self.guard.sink
            before = self._core.limits() if sink else []
            decision = decide(self.clock.now())
            self._advice += [text for kind, text, _by in decision.advice if kind == "tell agent"]
            self._write(
                lambda: decision_record(self, decision, subject, failure, before, self._core.limits())
            )
        return decision

    def _settle_dropped(self) -> None:
        while True:
            try:
                decision, usage = self._dropped.popleft()
            except IndexError:
                return
            with unless_ended(self):
                self.settle(decision, usage)

    def _write(self, record: Callable[[], dict[str, Any]]) -> None:
        if self.guard.sink is not None:
            self.guard.sink.write(record())
