"""The calendar, straight from `zoneinfo`: windows, where they begin and end, and what a clock shows."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

SECOND = 10**9
EPOCH = date(1970, 1, 1).toordinal()
LONGEST = 32 * 86_400


@cache
def by_the_clock(period: str, zone: str, second: int) -> int:
    """The number of the window that the clock on the wall shows."""
    local = datetime.fromtimestamp(second, ZoneInfo(zone))
    days = local.toordinal() - EPOCH
    return {
        "hour": days * 24 + local.hour,
        "day": days,
        "week": (days + 3) // 7,  # The epoch was a Thursday, a week begins on Monday.
        "month": local.year * 12 + local.month - 1,
    }[period]


WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()


def shown(zone: str, wall: int) -> dict[str, Any]:
    """What a clock on the wall of a zone shows."""
    local = datetime.fromtimestamp(wall // SECOND, ZoneInfo(zone))
    since_midnight = (local.hour * 60 + local.minute) * 60 + local.second
    return {
        "hour": ("count", local.hour),
        "time": ("duration", since_midnight * SECOND + wall % SECOND),
        "weekday": ("text", WEEKDAYS[local.weekday()]),
        "day": ("count", local.day),
        "month": ("count", local.month),
    }


@cache
def number(period: str, zone: str, second: int) -> int:
    """The number of the window of an instant: a clock that is set back does not open an old one again."""
    shown = by_the_clock(period, zone, second)
    if not datetime.fromtimestamp(second, ZoneInfo(zone)).fold:
        return shown
    # The clock shows this time for the second time: the first was at most some hours ago.
    return max(shown, *(by_the_clock(period, zone, second - 60 * ago) for ago in range(1, 181)))


@cache
def span(period: str, zone: str, wanted: int, near: int) -> tuple[int, int]:
    """The first second of a window and the first after it, found by halving; `near` is any second in it."""

    def first(after: int) -> int:
        low, high = near - LONGEST, near + LONGEST
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if number(period, zone, middle) >= after else (middle + 1, high)
        return low

    return first(wanted), first(wanted + 1)
