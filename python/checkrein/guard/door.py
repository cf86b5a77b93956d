"""The low-level door of a run: one event of the engine after the other, each with its record."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from checkrein import _core, sentences
from checkrein.errors import EngineError
from checkrein.guard.approval import Approver
from checkrein.guard.approvals import Asked
from checkrein.guard.classify import Failure
from checkrein.guard.clock import SystemClock
from checkrein.guard.luggage import Given, Resumed
from checkrein.guard.prompt import weigh
from checkrein.guard.result import marks_of
from checkrein.guard.scopes import WORDS, Scopes, text_of
from checkrein.guard.stream import unless_ended
from checkrein.guard.usage import NOTHING, UNKNOWN, Usage
from checkrein.record import adjustment_record, decision_record, head, settlement_record

if TYPE_CHECKING:
    from checkrein.guard.guard import Guard


OWN = (SystemClock.now, SystemClock.wall)
"""The clocks that the compiled part reads by itself. Others in their place are a host's."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_core.forked)


class Door(_core.Door):
    """What a run tells the engine and asks it. Safe to share between threads and tasks.

    `decide`, `ask_model`, `ask_tool` and `settle` are compiled. They come back here for what is due
    (`_begin`), for what a decision says besides (`_heed`), and for a sink of the host's own.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        id: str | None = None,
        seed: int | None = None,
        names: Mapping[str, Any] | None = None,
        scopes: Scopes | None = None,
        facts: Mapping[str, Any] | None = None,
        approver: Approver | None = None,
        parent: Door | None = None,
        resumed: Resumed | None = None,
    ) -> None:
        self.guard = guard
        self.id = text_of("the id of the run", id) if id else os.urandom(6).hex()
        self.parent_id = parent.id if parent else None
        self._above: Door | None = parent.first if parent else None
        self.names = {word: name for word, name in (names or {}).items() if name is not None}
        self._lasting = dict(facts or {})
        self.approver = approver or guard.approver
        self.clock = guard.clock
        self._now, self._wall = self.clock.now, self.clock.wall
        self.ended = False
        self._is_unused = False
        """It was resumed, and then neither entered nor asked anything: it may go on elsewhere."""
        self._scopes = scopes or Scopes.of(guard.program, self.names, self.facts)
        self._lock = threading.RLock()
        self._advice: list[str] = []
        self._wrapped_up = False
        self._dropped: deque[tuple[Any, Usage, bool]] = deque()
        self._answers: list[Given] = []
        self._asked: dict[int, Asked] = {}
        self._texts: dict[int, str] = {}
        common: dict[str, Any] = {
            "now": self._now(), "wall": self._wall(), "ledger": guard.ledger, "id": self.id,
            "keys": dict(self._scopes.keys), **{word: getattr(self._scopes, word) for word in WORDS},
            "records": None if guard.log is None else (guard.log.core, head(self)),
        }  # fmt: skip
        if resumed is not None:
            self._core = _core.Run.resume(guard.program, resumed.state, later=resumed.later, **common)
        else:
            seed = int.from_bytes(os.urandom(8), "little") if seed is None else seed
            self._core = _core.Run(
                guard.program, seed=seed, parent=parent._core if parent else None,  # noqa: SLF001  (its kind)
                **common,
            )  # fmt: skip
        clocks = (self._now, self._wall)
        host = None if clocks == OWN else clocks
        self._open(self._core, host, self._lasting, self._above, guard.sink is not None)

    @property
    def first(self) -> Door:
        """The run that began it and is no child. (Not kept: it has to go at once when nobody has it.)"""
        return self._above or self

    @property
    def facts(self) -> dict[str, Any]:
        """What holds for all calls."""
        return self._lasting

    @facts.setter
    def facts(self, facts: Mapping[str, Any]) -> None:
        facts = dict(facts)
        self._lasting.clear()  # the compiled part has this dict
        self._lasting.update(facts)

    @property
    def keys(self) -> Mapping[str, str]:
        """The facts of the run under which limits add up what is spent."""
        return self._scopes.keys

    @property
    def user(self) -> Any:
        """Whom the run is for, if the host said so."""
        return self.names.get("user")

    @property
    def session(self) -> Any:
        """The session that the run is part of, if the host said so."""
        return self.names.get("session")

    @property
    def suspended(self) -> bool:
        """Whether it waits in a store, and does no more here."""
        return self._suspended

    def result(
        self,
        decision: Any,
        usage: Usage | None = None,
        *,
        fields: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
        fingerprint: int | None = None,
        committed: bool = False,
        subject: str = "call",
    ) -> Any:
        """The attempt of `decision` came back: is its result taken (`allow`), or is the call made again?

        `fields` are those of what a tool gave, `facts` what is known by now. On any answer but `allow` the
        result is dropped: after `wait`, ask again; else the call is given up. Raises `EngineError` of kind
        `already_settled` for a result that comes too late.
        """
        if usage is None:
            usage = NOTHING if decision.model is None else UNKNOWN
        details: tuple[Any, ...] = (
            decision, usage.kind, *usage.figures, dict(facts or {}), dict(fields or {}), fingerprint,
            committed, subject,
        )  # fmt: skip
        if self.guard.sink is None:
            self._begin()
            after = self._core.result(*self._instant(), *details)
        else:
            after = self._logged(self._core.result, details, subject, ended=(decision, usage))
        if not after.is_plain:
            self._heed(after)
        return after

    def adjust(self, decision: Any, usage: Usage) -> Any:
        """What the attempt of `decision` really used, learnt after it was settled for want of better.

        An attempt settled as unknown or as at least so much can be adjusted once, also after the run
        has ended, but not after its guard was closed. `usage` is exact.
        """
        if usage.kind != "exact":
            raise EngineError(f"the usage is `{usage.kind}`; adjust to an exact one", "bad_value")
        if self.guard.closed and self.guard.ledger is not None:
            raise EngineError("this guard was closed, and its store would not be told", "closed")
        with self._lock:
            settled = self._core.adjust(*self._instant(), decision, *usage.figures)
            if self.guard.sink is not None:
                self._write(adjustment_record(self, decision, usage, settled, self._core.limits()))
        self.guard.drain()  # no run is there any more whose end would do it
        return settled

    def dropped(self, decision: Any, usage: Usage, *, begun: bool) -> None:
        """The attempt of `decision` was dropped unfinished: settle it before the next event."""
        self._dropped.append((decision, usage, begun))
        self._due = True

    def fail(self, decision: Any, failure: Failure, subject: str = "call") -> Any:
        """The attempt of `decision` has failed: is it made again (`wait`), given up, or passed on?"""
        usage = failure.usage
        details: tuple[Any, ...] = (
            decision, usage.kind, usage.input_tokens, usage.output_tokens, failure.kind,
            failure.status, failure.retry_after, failure.billed, failure.own, usage.cache_read_tokens,
            usage.cache_write_tokens, usage.reasoning_tokens, failure.fingerprint, subject,
        )  # fmt: skip
        if self._dropped:
            self._settle_dropped()
        if self.guard.sink is None:
            after = self._core.error(*self._instant(), *details)
        else:
            after = self._logged(self._core.error, details, subject, failure)
        if not after.is_plain:
            self._heed(after)
        return after

    def count(self, decision: Any, tokens: int = 1) -> int:
        """Count generated tokens of an attempt; gives how many more are paid for. 0 means stop."""
        return int(self._core.count(*self._instant(), decision.attempt, tokens))

    def meter(self, decision: Any) -> _core.Meter:
        """What a token loop counts on, here or in C by its `handle`: no lock, no clock, some nanoseconds.

        Its `count` raises `EngineError` of kind `already_settled` once the attempt is over.
        """
        return _core.Meter(self._core, decision.attempt)

    def limits(self) -> list[dict[str, Any]]:
        """Each limit's dimension with its bound, what is spent, held, leased elsewhere and free."""
        self._settle_dropped()
        return [dict(row) for row in self._core.limits()]

    def decision_id(self, decision: Any) -> str:
        """The id under which the log keeps this decision."""
        return f"{self.id}.{decision.number}"

    @property
    def _is_stopped(self) -> bool:
        """Whether every later call meets the same stop."""
        return self._core.latched is not None or self._core.handed_over

    # -- inside ---------------------------------------------------------------------------------------

    def _instant(self) -> tuple[int, int]:
        """When something happens to the run."""
        self._touch()
        return self._now(), self._wall()

    def _touch(self) -> None:
        """The run is used; what came for it while nobody used it is taken now."""
        self._is_unused = False
        if self._answers:
            with self._lock:
                self._take_answers()

    def _take_answers(self) -> None:
        """What people said in a store is told to the engine; only a run that was resumed has any."""
        raise NotImplementedError

    def _facts(self, facts: Mapping[str, Any] | None, step: str | None, confidence: Any) -> dict[str, Any]:
        sent = {**self.facts, **facts} if facts else dict(self.facts)
        if step is not None:
            sent["step.kind"] = step
        if confidence is not None:
            sent["step.confidence"] = confidence
        return sent

    def _begin(self) -> None:
        """An event that asks for something new begins, if the run is here. `_due` says that there is more
        to it than that."""
        if self._is_forked() or self.first.suspended:
            raise self._elsewhere()
        self._due = False  # before the rest, since another thread may put off more meanwhile
        try:
            if self._dropped:
                self._settle_dropped()
            self._touch()
        except BaseException:
            self._due = True  # what is left is for the next event
            raise

    def _compared(self, results: Iterable[Any] | None, context: Any) -> tuple[Any, Any]:
        """The tool results of a conversation and the messages of a prompt, as the engine compares them."""
        return None if results is None else marks_of(results), None if context is None else weigh(context)

    def _elsewhere(self) -> EngineError:
        """Why this run does no more here."""
        if self._is_forked():
            return EngineError("this run is of another process: nobody adds up what a fork spends", "forked")
        below = "" if self.first is self else f", and run `{self.id}` is a part of it"
        return EngineError(
            f"run `{self.first.id}` was suspended{below}, and does no more here; go on with "
            f'`guard.resume("{self.first.id}")`',
            "suspended",
        )

    def _heed(
        self, decision: Any, point: str = "call", name: str | None = None, arguments: Any = None
    ) -> None:
        """Keep what the agent is to be told, and what a person is asked about if the run is suspended."""
        told = [text for kind, text, _by in decision.advice if kind == "tell agent"]
        is_escalated = decision.outcome == "escalate" and arguments is not None
        with self._lock:
            self._advice += told
            if decision.wrap_up and not self._wrapped_up:
                self._wrapped_up = True
                self._advice.append(sentences.WRAP_UP)
            if is_escalated and decision.request not in self._asked:
                asked = Asked(sentences.subject(point, name), _core.canonical(arguments))
                self._asked[decision.request] = asked

    def _model_in_sink(self, model: str | None, details: tuple[Any, ...], compared: Any) -> Any:
        """Ask about a model call, with its record in the host's sink."""
        details += compared or ()
        decision = self._logged(self._core.model_call, details, sentences.subject("model", model))
        if not decision.is_plain:
            self._heed(decision, "model", model, {})
        return decision

    def _tool_in_sink(self, name: str, details: tuple[Any, ...], arguments: dict[str, Any]) -> Any:
        """Ask about a tool call, with its record in the host's sink."""
        decision = self._logged(self._core.tool_call, details, sentences.subject("tool", name))
        if not decision.is_plain:
            self._heed(decision, "tool", name, arguments)
        return decision

    def _settle_in_sink(self, decision: Any, usage: Usage | None) -> Any:
        """The attempt of `decision` has ended well, with its record in the host's sink."""
        if usage is None:
            usage = NOTHING if decision.model is None else UNKNOWN
        with self._lock:
            settled = self._core.settle(*self._instant(), decision, usage.kind, *usage.figures)
            self._write(settlement_record(self, decision, usage, settled, self._core.limits()))
        return settled

    def _logged(
        self, event: Callable[..., Any], details: tuple[Any, ...], subject: str,
        failure: Failure | None = None, ended: tuple[Any, Usage] | None = None,
    ) -> Any:  # fmt: skip
        """The decision about an event, with its record in the host's sink."""
        if failure is None:
            self._begin()
        with self._lock:
            before = self._core.limits()
            decision = event(*self._instant(), *details)
            if ended is not None:
                settled = self._core.settled(ended[0].attempt)
                self._write(settlement_record(self, *ended, settled, self._core.limits()))
            self._write(decision_record(self, decision, subject, failure, before, self._core.limits()))
        return decision

    def _settle_dropped(self) -> None:
        while True:
            try:
                decision, usage, begun = self._dropped.popleft()
            except IndexError:
                return
            with unless_ended(self):
                if begun:
                    self.settle(decision, usage)
                else:
                    self.fail(decision, Failure("cancelled", usage))

    def __del__(self) -> None:
        # Nobody has the run any more: the streams that were dropped with it may know more than its holds.
        if getattr(self, "_dropped", None):
            self._settle_dropped()

    def _write(self, record: dict[str, Any]) -> None:
        sink = self.guard.log or self.guard.sink
        if sink is not None:
            sink.write(record)
