"""Which run and which attempt the code that is running now belongs to.

Context variables follow tasks and, where we start them, threads. The attempt is how an outer layer
(a framework adapter) hands its reservation to the first call of an inner one (a client adapter),
once, so that nothing is booked twice and nothing slips by.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextvars import ContextVar, Token
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from checkrein.errors import EngineError

if TYPE_CHECKING:
    from checkrein.guard.classify import Failure
    from checkrein.guard.guard import Guard
    from checkrein.guard.run import Run

RUN: ContextVar[Run | None] = ContextVar("checkrein_run", default=None)
ATTEMPT: ContextVar[Attempt | None] = ContextVar("checkrein_attempt", default=None)


class Attempt:
    """An allowed attempt, while the host's code runs it."""

    def __init__(self, run: Run, decision: Any) -> None:
        self.run = run
        self.decision = decision
        timeout = decision.timeout_ns
        self.until: int | None = None if timeout is None else run.clock.now() + timeout
        """When it is given up, by the run's clock."""
        self._outer: Attempt | None = None
        self._lock = threading.Lock()
        self._claimed = False
        self.is_hurried = False
        """The host gave it less time than its client has, and than the policy leaves."""

    def blamed(self, failure: Failure) -> Failure:
        """The failure, which is the host's own doing if it hurried and ran out of time."""
        is_own = self.is_hurried and failure.kind == "timeout"
        return replace(failure, own=True) if is_own else failure

    def claim(self) -> bool:
        """True for the first caller only: that call is paid by this attempt.

        When the host's code is done, the guard itself claims what is left, so that a task it left
        behind cannot use a reservation that has been settled.
        """
        with self._lock:
            first, self._claimed = not self._claimed, True
            return first

    def underway(self) -> _Underway:
        """While the host's code runs: the caller is in this run and this attempt."""
        return _Underway(self)


class _Underway:
    """The block in which the host's code runs an attempt."""

    __slots__ = ("_attempt", "_in_attempt", "_in_run")

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def __enter__(self) -> None:
        attempt = self._attempt
        attempt._outer = ATTEMPT.get()  # noqa: SLF001  (its own block)
        self._in_run, self._in_attempt = RUN.set(attempt.run), ATTEMPT.set(attempt)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._attempt.claim()
        put_back(ATTEMPT, self._in_attempt)
        put_back(RUN, self._in_run)


def attempts_around() -> Iterator[Attempt]:
    """The attempts that the caller is in, from the innermost outwards."""
    attempt = ATTEMPT.get()
    seen: list[Attempt] = []
    while attempt is not None and attempt not in seen:  # streams that read each other may be a circle
        yield attempt
        seen.append(attempt)
        attempt = attempt._outer  # noqa: SLF001  (its own class's)


def is_inside(run_id: str) -> bool:
    """Whether the caller is in an attempt of that run, however deep."""
    return any(attempt.run.id == run_id for attempt in attempts_around())


def put_back(variable: ContextVar[Any], token: Token[Any]) -> None:
    """Undo a `set`. A block that is left in another context (a generator that some other task or thread
    closes, or the collector) has nothing to undo there."""
    try:  # noqa: SIM105  (a block of its own takes longer than all of this)
        variable.reset(token)
    except ValueError:
        pass


def current_run() -> Run | None:
    """The run whose `with` block (or guarded call) the caller is in, or None."""
    return RUN.get()


def run_of(guard: Guard, subject: str) -> Run:
    """The run of `guard` that the caller is in. Raises `EngineError` if there is none."""
    run = RUN.get()
    if run is None or run.guard is not guard:
        raise EngineError(
            f"{subject} was called outside a run of its guard; wrap the agent in `with guard.run():`",
            "no_run",
        )
    return run


def claim_attempt(run: Run, model: str | None) -> Attempt | None:
    """The model attempt that an outer layer of `run` reserved for this call, if still unclaimed.

    `model` is the policy's name of the model that is about to run, None when the layer does not
    know it; another model than the reserved one is another attempt.
    """
    attempt = ATTEMPT.get()
    if attempt is None or attempt.run is not run or attempt.decision.model is None:
        return None
    if model is not None and model != attempt.decision.model:
        return None
    return attempt if attempt.claim() else None
