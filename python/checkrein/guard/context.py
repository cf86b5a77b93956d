"""Which run and which attempt the code that is running now belongs to.

Context variables follow tasks and, where we start them, threads. The attempt is how an outer layer
(a framework adapter) hands its reservation to the first call of an inner one (a client adapter),
once, so that nothing is booked twice and nothing slips by.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checkrein.guard.run import Run

RUN: ContextVar[Run | None] = ContextVar("checkrein_run", default=None)
ATTEMPT: ContextVar[Attempt | None] = ContextVar("checkrein_attempt", default=None)


class Attempt:
    """An allowed attempt, while the host's code runs it."""

    def __init__(self, run: Run, decision: Any) -> None:
        self.run = run
        self.decision = decision
        self._lock = threading.Lock()
        self._claimed = False

    def claim(self) -> bool:
        """True for the first caller only: that call is paid by this attempt.

        When the host's code is done, the guard itself claims what is left, so that a task it left
        behind cannot use a reservation that has been settled.
        """
        with self._lock:
            first, self._claimed = not self._claimed, True
            return first


def current_run() -> Run | None:
    """The run whose `with` block (or guarded call) the caller is in, or None."""
    return RUN.get()


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
