"""How long an attempt is waited for: a task is cancelled at its deadline, a thread abandoned."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

Outcomes = SimpleQueue[tuple[bool, Any]]


@dataclass(slots=True)
class Patience:
    """For how long an attempt is waited for, and how much of that is left, in seconds.

    Only waiting uses it up, so whoever reads a stream slowly takes nothing from whom it comes from.
    """

    limit: float
    left: float
    hand: _Hand | None = None

    @classmethod
    def of(cls, nanoseconds: int) -> Patience:
        """All of it still left."""
        return cls(nanoseconds / 1e9, nanoseconds / 1e9)

    def rest(self) -> None:
        """Nothing more is to be done under it. May be called by the collector."""
        hand, self.hand = self.hand, None
        if hand is not None:
            hand.orders.put(None)

    def __del__(self) -> None:
        self.rest()


class _Hand:
    """A thread for one attempt, in one context, which the caller need not wait for.

    The body of a generator that it begins goes on in it: what belongs to a thread (a cursor of a database)
    or to a context (a span of a trace) is still there at the next chunk.
    """

    def __init__(self, name: str) -> None:
        self.orders: SimpleQueue[tuple[Callable[[], Any], Outcomes] | None] = SimpleQueue()
        context = contextvars.copy_context()
        Thread(target=_work, args=(self.orders, context), name=name, daemon=True).start()

    def do(self, call: Callable[[], Any], patience: float) -> tuple[bool, Any]:
        """Whether `call` gave something, and what it gave or raised. Raises `Empty` after so many seconds."""
        outcomes: Outcomes = SimpleQueue()
        self.orders.put((call, outcomes))
        return outcomes.get(timeout=patience)


def _work(orders: SimpleQueue[Any], context: contextvars.Context) -> None:
    while (order := orders.get()) is not None:
        call, outcomes = order
        try:
            outcomes.put((True, context.run(call)))
        except BaseException as error:  # noqa: BLE001 -- raised again by the thread that waits
            outcomes.put((False, error))
        del order, call, outcomes  # while it waits for the next order it keeps nothing alive


def waited(call: Callable[[], Any], patience: Patience | None, subject: str) -> Any:
    """What `call` gives: in this thread, or with `patience` in one of its own, which is given up in the end.

    A thread cannot be stopped, so the call is abandoned: its late result is refused, and its hold is kept
    as spent.
    """
    if patience is None:
        return call()
    if patience.left <= 0:
        raise _late(patience, subject)
    hand = patience.hand = patience.hand or _Hand(f"checkrein {subject}")
    begin = time.monotonic()
    try:
        is_good, value = hand.do(call, patience.left)
    except Empty:
        patience.left = 0
        patience.rest()
        raise _late(patience, subject) from None
    patience.left -= time.monotonic() - begin
    if is_good:
        return value
    patience.rest()
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
