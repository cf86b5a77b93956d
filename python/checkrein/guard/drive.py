"""How one guarded call goes: ask, wait, ask a person, run, settle, retry. Written once.

`steps` is a generator that does no waiting itself: it yields what has to happen next, and `run_sync`
or `run_async` make it happen. So there is one copy of the logic for both kinds of caller.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from checkrein.errors import EngineError, Refusal, Stopped
from checkrein.guard.approval import Approval, Approver
from checkrein.guard.classify import classify, pauses
from checkrein.guard.context import Attempt
from checkrein.guard.mistakes import message_fingerprint
from checkrein.guard.patience import Patience, waited, waited_async
from checkrein.guard.result import fingerprint
from checkrein.guard.signature import is_asynchronous
from checkrein.guard.stream import (
    Begun,
    begun,
    begun_async,
    drop,
    guarded_stream,
    is_stream,
    tell_end,
    unless_ended,
)
from checkrein.guard.usage import UNKNOWN, Usage

if TYPE_CHECKING:
    from checkrein.guard.run import Run

_NO_FAILURES = {"cancelled", "denied"}
_MISTAKES = (TypeError, NameError, AttributeError)
"""Of the host's code: no model has failed."""


@dataclass(slots=True)  # a frozen one takes longer to make than the decision takes
class Request:
    """One logical call: how to ask about it, how to run it, how to read what it used.

    `threaded` says that a synchronous call may run in a thread of its own, to be given up at its
    deadline. `key` is the host's id of the call, `exact` what the call is known by when the host comes
    back to it with this key, `approver` the person for this call. `fields` reads what the policy wants to
    know of a result, `content` what the agent reads of it, `confidence` how sure a model was of its own.
    """

    point: str
    subject: str
    ask: Callable[[int | None], Any]
    invoke: Callable[[Any], Any]
    read: Callable[[Any], Usage | None]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    threaded: bool = False
    key: str | None = None
    exact: Any = None
    approver: Approver | None = None
    answered: Callable[[str], Any] | None = None
    """What the host makes of a text that the policy gives instead of a result; without it, `Answered`."""
    fields: Callable[[Any], dict[str, Any]] = lambda _value: {}
    content: Callable[[Any], Any] = lambda value: value
    confidence: Callable[[Any], Any] | None = None
    whole: bool = False
    """The policy reads fields of its result. A stream has none, so it is no result."""

    def used(self, value: Any) -> Usage | None:
        """What `value`, a result or a chunk of one, says that the call used."""
        usage = self.read(value)
        if usage is not None and not isinstance(usage, Usage):
            raise EngineError(
                f"`usage=` of {self.subject} gave a value of type `{type(usage).__name__}`; give a `Usage`, "
                "or None if nobody knows",
                "bad_value",
            )
        return usage


@dataclass(frozen=True, slots=True)
class _Sleep:
    run: Run
    duration: int

    def sync(self) -> None:
        self.run.clock.sleep(self.duration)

    async def asynchronous(self) -> None:
        await self.run.clock.sleep_async(self.duration)


@dataclass(frozen=True, slots=True)
class _Ask:
    approver: Approver | None
    approval: Approval

    def sync(self) -> bool | str | None:
        if self.approver is None:
            return None
        answer = self.approver(self.approval)
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            raise TypeError("the approver is asynchronous; use it with asynchronous calls")
        return answer

    async def asynchronous(self) -> bool | str | None:
        if self.approver is None:
            return None
        answer: Any
        if is_asynchronous(self.approver):
            answer = self.approver(self.approval)
        else:
            from asyncio import to_thread

            answer = await to_thread(self.approver, self.approval)
        return await answer if inspect.isawaitable(answer) else answer  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class _Judge:
    judge: Callable[[Any], Any]
    value: Any

    def sync(self) -> Any:
        sure = self.judge(self.value)
        if inspect.isawaitable(sure):
            if inspect.iscoroutine(sure):
                sure.close()
            raise TypeError("the judge is asynchronous; use it with asynchronous calls")
        return sure

    async def asynchronous(self) -> Any:
        sure = self.judge(self.value)
        return await sure if inspect.isawaitable(sure) else sure


@dataclass(slots=True)
class _Invoke:
    request: Request
    attempt: Attempt

    @property
    def decision(self) -> Any:
        return self.attempt.decision

    def sync(self) -> Any:
        patience = self._patience() if self.request.threaded else None
        with self.attempt.underway():
            if patience is None:
                value = self._begun(None)
            else:
                value = waited(lambda: self._begun(patience), patience, self.request.subject)
        if inspect.iscoroutine(value):
            value.close()
            raise EngineError(
                f"the function of {self.request.subject} gives a coroutine, which would run unguarded; "
                "pass a coroutine function",
                "signature",
            )
        return self._with(value, patience)

    def _begun(self, patience: Patience | None) -> Any:
        value = self.request.invoke(self.decision)
        if not is_stream(value) or self.request.whole:
            return value
        stream = begun(value)
        if patience is not None and patience.left <= 0:  # this thread was abandoned meanwhile
            drop(value)
        return stream

    async def asynchronous(self) -> Any:
        patience = self._patience()
        with self.attempt.underway():
            value = await waited_async(self._begun_async, patience, self.request.subject)
        return self._with(value, patience)

    async def _begun_async(self) -> Any:
        value = self.request.invoke(self.decision)
        if inspect.isawaitable(value):
            value = await value
        return await begun_async(value) if is_stream(value) and not self.request.whole else value

    def _patience(self) -> Patience | None:
        limit = self.decision.timeout_ns
        return None if limit is None else Patience.of(limit)

    def _with(self, value: Any, patience: Patience | None) -> Any:
        """A stream goes on as a part of the attempt, and under the patience that is left."""
        if isinstance(value, Begun):
            return replace(value, attempt=self.attempt, patience=patience)
        if patience is not None:
            patience.rest()
        return value


Steps = Generator[Any, Any, Any]


def steps(run: Run, request: Request) -> Steps:
    """Everything between a host's wish to make a call and its result.

    Where a larger model was to be asked as well, and then could not or failed, the first one's result stands.
    Not after a stop, nor for a mistake of the host, which nobody would hear of.
    """
    doubted: list[Any] = []
    try:
        return (yield from _until_done(run, request, doubted))
    except Refusal as refusal:
        if not doubted or isinstance(refusal, Stopped):
            raise
        return doubted[-1]


def _until_done(run: Run, request: Request, doubted: list[Any]) -> Steps:
    """The steps themselves; a result that a larger model is to better goes into `doubted`."""
    call, resumed = run.known(request.key, request.exact)
    while True:
        decision, resumed = resumed or request.ask(call), None
        call = run.remember(request.key, decision)
        if decision.outcome == "wait":
            yield _Sleep(run, decision.wait_ns)
        elif decision.outcome == "escalate":
            approval = run.approval(decision, request.subject, request.arguments)
            verdict = yield _Ask(request.approver or run.approver, approval)
            if verdict is None:
                raise run.refusal(decision, request.subject)
            _answer(run, decision.request, verdict)
        elif decision.outcome == "answer" and request.answered is not None:
            return request.answered(run.text_of(decision))
        elif decision.outcome == "reuse" and decision.reused in run.results:
            return run.results[decision.reused]
        elif decision.outcome != "allow":
            raise run.refusal(decision, request.subject)
        else:
            done, value = yield from _attempt(run, request, decision, doubted)
            if done:
                return value
            doubted += value


def _answer(run: Run, request: int, approve: bool | str) -> None:
    """Pass a person's answer on; one that comes too late changes nothing: the call is asked again."""
    try:
        run.take_answer(request, approve)
    except EngineError as error:
        if error.kind not in {"expired", "already_answered", "ended"}:
            raise


def _attempt(
    run: Run, request: Request, decision: Any, doubted: list[Any]
) -> Generator[Any, Any, tuple[bool, Any]]:
    """Run one allowed attempt: (True, its value), or (False, what may stand) where it is made again."""
    attempt = Attempt(run, decision)
    try:
        value = yield _Invoke(request, attempt)
    except BaseException as error:
        if request.key is not None and pauses(error):
            run.hold(request.key, decision, request.exact)
            raise
        after = None
        with unless_ended(run):
            failure = attempt.blamed(classify(error, request.point))
            if request.point == "tool":
                failure = replace(failure, fingerprint=message_fingerprint(error))
            after = run.fail(decision, failure, request.subject)
        if after is None:
            raise
        if after.outcome == "allow":
            if doubted and failure.kind not in _NO_FAILURES and not isinstance(error, _MISTAKES):
                return True, doubted[-1]
            raise
        if after.outcome == "answer" and request.answered is not None:
            return True, request.answered(run.text_of(after))
        if after.outcome != "wait":
            raise run.refusal(after, request.subject) from error
        yield _Sleep(run, after.wait_ns)
        return False, []
    if isinstance(value, Begun):
        return True, guarded_stream(run, decision, request, value)
    run.keep_result(decision, value)
    if run.guard.judges:
        return (yield from _judged(run, request, decision, value, is_doubted=bool(doubted)))
    usage = UNKNOWN
    try:  # what goes wrong from here on is no failure of the call, which is not made again for it
        usage = request.used(value) or UNKNOWN
    finally:
        tell_end(run, decision, lambda: run.settle(decision, usage))
    return True, value


def _judged(
    run: Run, request: Request, decision: Any, value: Any, *, is_doubted: bool
) -> Generator[Any, Any, tuple[bool, Any]]:
    """What is done with what came back: (True, it), or (False, what may stand) where it is made again.

    How sure a model is matters only to who would ask a larger one.
    """
    usage, mark, after = UNKNOWN, None, None
    fields: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    try:  # what goes wrong from here on is no failure of the call, which is not made again for it
        usage = request.used(value) or UNKNOWN
        fields = request.fields(value)
        if request.confidence is not None and not is_doubted and run.guard.models[decision.model]["cascades"]:
            with suppress(Refusal):  # of a call of the judge's own: then nobody knows
                facts = {"result.confidence": (yield _Judge(request.confidence, value))}
        mark = fingerprint(request.content(value)) if request.point == "tool" else None
    finally:
        after = tell_end(
            run, decision,
            lambda: run.result(
                decision, usage, fields=fields, facts=facts, fingerprint=mark, subject=request.subject
            ),
        )  # fmt: skip
    if after is None:
        raise EngineError(
            f"{request.subject} came back when its run was over or elsewhere, so nobody decided about the "
            "result, and it is dropped; wait for calls before the run ends",
            "ended",
        )
    if after.outcome == "allow":
        run.keep_result(decision, value)
        return True, value
    run.results.pop(decision.attempt, None)
    if after.outcome != "wait":
        raise run.refusal(after, request.subject)
    yield _Sleep(run, after.wait_ns)
    return False, [value] if after.kind == "route" else []


def run_sync(plan: Steps) -> Any:
    """Carry out the steps in this thread."""
    result: Any = None
    error: BaseException | None = None
    while True:
        try:
            effect = plan.send(result) if error is None else plan.throw(error)
        except StopIteration as end:
            return end.value
        except RuntimeError as raised:
            is_pythons = type(raised) is RuntimeError and raised.__cause__ is error  # no refusal of ours
            if is_pythons and isinstance(error, StopIteration):
                raise error from error.__cause__  # the host's own, which a generator may not raise
            raise
        result, error = None, None
        try:
            result = effect.sync()
        except BaseException as raised:  # noqa: BLE001 -- thrown into the plan, which decides
            error = raised


async def run_async(plan: Steps) -> Any:
    """Carry out the steps in this task."""
    result: Any = None
    error: BaseException | None = None
    while True:
        try:
            effect = plan.send(result) if error is None else plan.throw(error)
        except StopIteration as end:
            return end.value
        result, error = None, None
        try:
            result = await effect.asynchronous()
        except BaseException as raised:  # noqa: BLE001 -- thrown into the plan, which decides
            error = raised


def carry_out(plan: Steps, asynchronous: bool) -> Any | Awaitable[Any]:
    """The result of a synchronous call, or the coroutine of an asynchronous one."""
    return run_async(plan) if asynchronous else run_sync(plan)
