"""The block of a run: where it begins and ends, and what came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

from checkrein.errors import EngineError, Refusal, Stopped
from checkrein.guard.context import RUN, put_back
from checkrein.guard.voice import Voice


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `str()` is `completed`, the name of a failure state, or the kind."""

    kind: Literal[
        "running", "completed", "stopped", "handed_over", "suspended", "failed", "denied", "escalated",
        "answered", "error",
    ]  # fmt: skip
    state: str | None = None
    decision: str | None = None

    def __str__(self) -> str:
        return self.state or self.kind


class Block(Voice):
    """A run as a `with` or `async with` block, entered once. A stop of its own ends it quietly."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outcome = Outcome("running")
        self._token: Any = None
        self._entered = False

    def __enter__(self) -> Self:
        with self._lock:
            if self._entered or self.ended:
                raise EngineError("a run is one block, and this one is not new; begin another", "reused")
            self._entered, self._is_unused = True, False
        self._token = RUN.set(self)  # type: ignore[arg-type]  # every block is a `Run`
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
        state, is_handed_over = None, False
        if self._is_forked():  # what a run spends is the business of the process that began it
            self.ended = True
        else:
            self._settle_dropped()
            with self._lock:
                self.ended = True
                self._core.end(*self._instant())
            state, is_handed_over = self._core.latched, self._core.handed_over
        if is_handed_over:
            self.outcome = Outcome("handed_over", None, error.id if isinstance(error, Refusal) else None)
        elif state is not None:
            self.outcome = Outcome("stopped", state, error.id if isinstance(error, Refusal) else None)
        elif isinstance(error, Refusal):
            kind: Any = {
                "Failed": "failed",
                "Denied": "denied",
                "Escalated": "escalated",
                "Answered": "answered",
            }.get(type(error).__name__)
            self.outcome = Outcome(kind or "error", error.state, error.id)
        else:
            # A suspended run whose store has not answered is nowhere yet.
            self.outcome = Outcome("completed" if error is None and not self.suspended else "error")
        self.guard.drain()
        return self.outcome
