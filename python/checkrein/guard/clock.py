"""Time as an input: the engine never reads a clock, the guard reads the one that it was given."""

from __future__ import annotations

import time
from operator import index
from typing import Protocol

from checkrein import _core


class Clock(Protocol):
    """What a guard needs to know about time. All values are nanoseconds."""

    def now(self) -> int:
        """Monotonic time: never goes back, also counts while the machine is busy."""
        ...

    def wall(self) -> int:
        """Time since the Unix epoch: for records, the windows of the calendar, prices by the hour."""
        ...

    def sleep(self, duration: int) -> None:
        """Wait in a synchronous call."""
        ...

    async def sleep_async(self, duration: int) -> None:
        """Wait in an asynchronous call, without blocking the event loop."""
        ...


class SystemClock:
    """The machine's clock."""

    now = staticmethod(_core.now)  # as the engine's binding reads it, so that their instants are of one clock
    wall = staticmethod(time.time_ns)

    def sleep(self, duration: int) -> None:
        time.sleep(duration / 1e9)

    async def sleep_async(self, duration: int) -> None:
        from asyncio import sleep  # loading it takes longer than all of Checkrein

        await sleep(duration / 1e9)


class VirtualClock:
    """A clock that only moves when told to, or when something sleeps on it: for tests and replay."""

    def __init__(self, now: int = 0, wall: int = 0) -> None:
        self._now = now
        self._wall = wall

    def now(self) -> int:
        return self._now

    def wall(self) -> int:
        return self._wall

    def advance(self, duration: int) -> None:
        """Move on by so many nanoseconds (not negative)."""
        duration = index(duration)  # a `TypeError` for a part of a nanosecond
        if duration < 0:
            raise ValueError("a clock never goes back")
        self._now += duration
        self._wall += duration

    def sleep(self, duration: int) -> None:
        self.advance(duration)

    async def sleep_async(self, duration: int) -> None:
        self.advance(duration)
        from asyncio import sleep

        await sleep(0)
