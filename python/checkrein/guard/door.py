"""The low-level door of a run: one event of the engine after the other, each with its record."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from checkrein import _core, sentences
from checkrein.errors import Answered, EngineError, Refusal
from checkrein.guard.approval import Approval, Approver
from checkrein.guard.approvals import OTHER_KIND, Asked, own_answer, require_text
from checkrein.guard.classify import Failure
from checkrein.guard.context import is_inside
from checkrein.guard.luggage import Resumed
from checkrein.guard.prompt import weigh
from checkrein.guard.result import marks_of, told_mark
from checkrein.guard.scopes import WORDS, Scopes, text_of
from checkrein.guard.stream import unless_ended
from checkrein.guard.usage import NOTHING, UNKNOWN, Usage
from checkrein.record import adjustment_record, answer_record, decision_record, settlement_record

if TYPE_CHECKING:
    from checkrein.guard.guard import Guard


class Door:
    """What a run tells the engine and asks it. Safe to share between threads and tasks."""

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
        self.facts = dict(facts or {})
        self.approver = approver or guard.approver
        self.clock = guard.clock
        self.ended = False
        self.suspended = False
        self._is_unused = False
        """It was resumed, and then neither entered nor asked anything: it may go on elsewhere."""
        self._scopes = scopes or Scopes.of(guard.program, self.names, self.facts)
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._advice: list[str] = []
        self._wrapped_up = False
        self._dropped: deque[tuple[Any, Usage, bool]] = deque()
        self._asked: dict[int, Asked] = {}
        self._texts: dict[int, str] = {}
        common: dict[str, Any] = {
            "now": self.clock.now(), "wall": self.clock.wall(), "ledger": guard.ledger, "id": self.id,
            "keys": dict(self._scopes.keys), **{word: getattr(self._scopes, word) for word in WORDS},
        }  # fmt: skip
        if resumed is not None:
            self._core = _core.Run.resume(guard.program, resumed.state, later=resumed.later, **common)
            return
        seed = int.from_bytes(os.urandom(8), "little") if seed is None else seed
        self._core = _core.Run(
            guard.program, seed=seed, parent=parent._core if parent else None,  # noqa: SLF001  (its kind)
            **common,
        )  # fmt: skip

    @property
    def first(self) -> Door:
        """The run that began it and is no child. (Not kept: it has to go at once when nobody has it.)"""
        return self._above or self

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
        results: Iterable[Any] | None = None,
        context: Any = None,
    ) -> Any:
        """One decision, for hosts that run the call themselves.

        With `tool` a tool call, else a model call, with the tool `results` that its conversation has and the
        messages of its prompt (`context`). An `allow` opens `decision.attempt`: end it with `settle` or
        `fail`. On `wait`, wait `decision.wait_ns` and ask again with `decision.call`.
        """
        sent = self._facts(facts, step, confidence)
        if tool is not None:
            return self.ask_tool(call, tool, dict(args or {}), sent)
        return self.ask_model(call, model, input_tokens, max_tokens, sent, results, context)

    def ask_model(
        self,
        call: int | None,
        model: str | None,
        input_tokens: int,
        max_tokens: int | None,
        facts: dict[str, Any],
        results: Iterable[Any] | None = None,
        context: Any = None,
    ) -> Any:
        """Ask about a model call; `call` is the logical call when it is asked again."""
        subject = sentences.subject("model", model)
        marks = marks_of(results) if results is not None and self.guard.program.checks_truth else None
        weighed = weigh(context) if self.guard.program.compares_context else None
        decision = self._decided(
            lambda now, wall: self._core.model_call(
                now, wall, call, model, input_tokens, max_tokens, facts, marks, weighed
            ),
            subject,
        )
        return self._remembered(decision, subject, {})

    def ask_tool(self, call: int | None, name: str, arguments: dict[str, Any], facts: dict[str, Any]) -> Any:
        """Ask about a tool call; `call` is the logical call when it is asked again."""
        subject = sentences.subject("tool", name)
        decision = self._decided(
            lambda now, wall: self._core.tool_call(now, wall, call, name, arguments, facts), subject
        )
        return self._remembered(decision, subject, arguments)

    def settle(self, decision: Any, usage: Usage | None = None) -> Any:
        """The attempt of `decision` has ended well and used so much.

        A model call settled without a usage keeps its whole hold as spent.
        """
        usage = usage or (UNKNOWN if decision.model else NOTHING)
        with self._lock:
            settled = self._core.settle(*self._instant(), decision.attempt, usage.kind, *usage.figures)
            self._write(lambda: settlement_record(self, decision, usage, settled, self._core.limits()))
        return settled

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
        usage = usage or (UNKNOWN if decision.model else NOTHING)
        return self._decided(
            lambda now, wall: self._core.result(
                now, wall, decision.attempt, usage.kind, *usage.figures,
                dict(facts or {}), dict(fields or {}), fingerprint, committed,
            ),
            subject, ended=(decision, usage),
        )  # fmt: skip

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
            settled = self._core.adjust(*self._instant(), decision.attempt, *usage.figures)
            self._write(lambda: adjustment_record(self, decision, usage, settled, self._core.limits()))
        return settled

    def dropped(self, decision: Any, usage: Usage, *, begun: bool) -> None:
        """The attempt of `decision` was dropped unfinished: settle it before the next event."""
        self._dropped.append((decision, usage, begun))

    def fail(self, decision: Any, failure: Failure, subject: str = "call") -> Any:
        """The attempt of `decision` has failed: is it made again (`wait`), given up, or passed on?"""
        usage = failure.usage
        return self._decided(
            lambda now, wall: self._core.error(
                now, wall, decision.attempt, usage.kind, usage.input_tokens, usage.output_tokens,
                failure.kind, failure.status, failure.retry_after, failure.billed, failure.own,
                usage.cache_read_tokens, usage.cache_write_tokens, usage.reasoning_tokens,
                fingerprint=failure.fingerprint,
            ),
            subject, failure,
        )  # fmt: skip

    def answer(self, request: int, approve: bool | str) -> None:
        """A person's answer to an escalation; then ask about the same call again. A question takes a text.

        Raises `EngineError` of kind `self_answer` inside a call of this run: an agent does not answer for
        people. Others are `other_kind` (no `True`, `False` or text, which is not empty), `unknown_request`,
        `expired`, `already_answered`, and `ended` once the run has ended or stopped.
        """
        if is_inside(self.id):
            raise EngineError(own_answer(self.id), "self_answer")
        self.take_answer(request, approve)

    def take_answer(self, request: int, approve: bool | str) -> None:
        """What an approver has said, who may be asked anywhere."""
        if not isinstance(approve, bool):
            require_text(approve)
        with self._lock:
            now = self._instant()
            asked = (open for open in self._core.open_requests() if open["request"] == request)
            is_right = all(isinstance(approve, str) == (open["wants"] == "question") for open in asked)
            if approve is not False and not is_right:
                raise EngineError(OTHER_KIND, "other_kind")
            self._core.answer(*now, request, approve is not False)  # a text answers its question
            self._asked.pop(request, None)
            if isinstance(approve, str):
                self._texts[request] = approve
            word = "answer" if isinstance(approve, str) else "approve" if approve else "reject"
            self._write(lambda: answer_record(self, request, word))

    def count(self, decision: Any, tokens: int = 1) -> int:
        """Count generated tokens of an attempt; gives how many more are paid for. 0 means stop."""
        return int(self._core.count(*self._instant(), decision.attempt, tokens))

    def limits(self) -> list[dict[str, Any]]:
        """Each limit's dimension with its bound, what is spent, held, leased elsewhere and free."""
        self._settle_dropped()
        return [dict(row) for row in self._core.limits()]

    def take_advice(self) -> list[str]:
        """What the agent is to be told and has not been told yet."""
        with self._lock:
            advice, self._advice, self._is_unused = self._advice, [], False
        return advice

    def approval(self, decision: Any, subject: str, arguments: Mapping[str, Any]) -> Approval:
        """What a person is asked for an `escalate` decision."""
        return Approval(
            decision.request, decision.queue, subject, dict(arguments), decision.by,
            decision.reason or "", decision.expires_at, self.limits(), decision.wants,
        )  # fmt: skip

    def refusal(self, decision: Any, subject: str) -> Refusal:
        """The exception for a decision that does not let a call run."""
        program = self.guard.program
        self.tell_agent(sentences.for_agent(decision))
        standing = ""
        if decision.kind == "limit" and not decision.latched:
            ledger = self.guard.ledger
            health = ledger.health() if ledger is not None else {"error": None, "refused": None}
            trouble = health["error"] if health["error"] != health["refused"] else None
            standing = sentences.standing(decision, self._rows(), program.currency, trouble)
        refusal = sentences.refusal(
            decision, subject, self.decision_id(decision), self.guard.instead_of(decision), standing
        )
        if isinstance(refusal, Answered):
            refusal.text = self.text_of(decision)
        return refusal

    def _rows(self) -> list[dict[str, Any]]:
        """Where the limits stand: this run's, and those of the run above it."""
        above = [] if self.first is self else self.first.limits()
        scope = f"run {self.first.id}, which this one is a part of"
        return self.limits() + [{**row, "scope": scope} for row in above if row["scope"] == "run"]

    def text_of(self, decision: Any) -> str:
        """What an `answer` says: the policy's text, or once what a person answered."""
        if decision.answered is None:
            return str(decision.text)
        return self._texts.pop(decision.answered, "")

    def tell_agent(self, text: Any, *, id: str | None = None) -> None:
        """The agent gets `text` in place of a tool's result, so a `truth` does not take it for an invention.

        For what a host writes itself: an error that was passed on, what was said before this run. What the
        policy tells the agent is known. With the `id` of a call it is the result of that call only.
        """
        mark = told_mark(text, id) if self.guard.program.checks_truth else None
        if mark is not None:
            with unless_ended(self):
                self._core.tell_agent(mark)

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
        self._is_unused = False
        return self.clock.now(), self.clock.wall()

    def _remembered(self, decision: Any, subject: str, arguments: Mapping[str, Any]) -> Any:
        """Keep what a person is asked about, in case the run is suspended."""
        if decision.outcome == "escalate" and decision.request not in self._asked:
            self._asked[decision.request] = Asked(subject, _core.canonical(arguments))
        return decision

    def _is_forked(self) -> bool:
        return os.getpid() != self._process

    def _facts(self, facts: Mapping[str, Any] | None, step: str | None, confidence: Any) -> dict[str, Any]:
        sent = {**self.facts, **facts} if facts else dict(self.facts)
        if step is not None:
            sent["step.kind"] = step
        if confidence is not None:
            sent["step.confidence"] = confidence
        return sent

    def _decided(
        self, decide: Callable[[int, int], Any], subject: str, failure: Failure | None = None,
        ended: tuple[Any, Usage] | None = None,
    ) -> Any:  # fmt: skip
        if failure is None and self._is_forked():
            raise EngineError("this run is of another process: nobody adds up what a fork spends", "forked")
        if failure is None and self.first.suspended:
            below = "" if self.first is self else f", and run `{self.id}` is a part of it"
            raise EngineError(
                f"run `{self.first.id}` was suspended{below}, and does no more here; go on with "
                f'`guard.resume("{self.first.id}")`',
                "suspended",
            )
        self._settle_dropped()
        with self._lock:
            sink = self.guard.sink
            before = self._core.limits() if sink else []
            decision = decide(*self._instant())
            self._advice += [text for kind, text, _by in decision.advice if kind == "tell agent"]
            if decision.wrap_up and not self._wrapped_up:
                self._wrapped_up = True
                self._advice.append(sentences.WRAP_UP)
            if ended is not None:
                settled = self._core.settled(ended[0].attempt)
                self._write(lambda: settlement_record(self, *ended, settled, self._core.limits()))
            self._write(
                lambda: decision_record(self, decision, subject, failure, before, self._core.limits())
            )
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

    def _write(self, record: Callable[[], dict[str, Any]]) -> None:
        if self.guard.sink is not None:
            self.guard.sink.write(record())
