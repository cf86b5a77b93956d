"""How long an attempt is waited for: a task is cancelled at its deadline, a thread abandoned."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Patience:
    """For how long an attempt is waited for, and how much of that is left, in seconds.

    Only waiting uses it up, so whoever reads a stream slowly takes nothing from whom it comes from.
    """

    limit: float
    left: float

    @classmethod
    def of(cls, nanoseconds: int) -> Patience:
        """All of it still left."""
        return cls(nanoseconds / 1e9, nanoseconds / 1e9)


def waited(call: Callable[[], Any], patience: Patience | None, subject: str) -> Any:
    """What `call` gives: in this thread, or with `patience` in one of its own, which is given up in the end.

    A thread cannot be stopped, so the call is abandoned: its late result is refused, and its hold is kept
    as spent.
    """
    if patience is None:
        return call()
    if patience.left <= 0:
        raise _late(patience, subject)
    context = contextvars.copy_context()
    outcome: list[tuple[bool, Any]] = []

    def body() -> None:
        try:
            outcome.append((True, context.run(call)))
        except BaseException as error:  # noqa: BLE001 -- raised again by the thread that waits
            outcome.append((False, error))

    thread = threading.Thread(target=body, name=f"checkrein {subject}", daemon=True)
    begin = time.monotonic()
    thread.start()
    thread.join(patience.left)
    if not outcome:
        patience.left = 0
        raise _late(patience, subject)
    patience.left -= time.monotonic() - begin
    good, value = outcome[0]
    if good:
        return value
    raise value


async def waited_async(call: Callable[[], Awaitable[Any]], patience: Patience | None, subject: str) -> Any:
    """What `call` gives; with `patience` it is cancelled when that has run out.

    What does not heed its cancellation, and comes back later, is refused all the same.
    """
    if patience is None:
        return await call()
    from asyncio import timeout

    begin = time.monotonic()
    try:
        async with timeout(patience.left) as deadline:
            value = await call()
    finally:
        patience.left -= time.monotonic() - begin
    if deadline.expired():
        raise _late(patience, subject)
    return value


def _late(patience: Patience, subject: str) -> TimeoutError:
    return TimeoutError(f"{subject} took longer than {patience.limit:g} s; a late result is refused")
