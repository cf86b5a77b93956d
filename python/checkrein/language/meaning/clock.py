"""What a clock shows at once: the time of a day goes with its hour, the day of a month with the month."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

HOUR = 3_600 * 10**9
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""The days that a month can have."""


class Pair(NamedTuple):
    """Two facts that a clock does not show in every combination.

    Of a cell of the finer one the least value goes with whatever another one of it goes with.
    """

    coarse: str
    fine: str
    fit: Callable[[int, int], bool]
    coarse_edges: Sequence[int]
    fine_edges: Sequence[int]


PAIRS = (
    Pair(
        "now.hour",
        "now.time",
        lambda hour, time: time // HOUR == hour,
        range(24),
        range(0, 24 * HOUR, HOUR),
    ),
    Pair("now.month", "now.day", lambda month, day: day <= LONGEST[month - 1], range(1, 13), ()),
)


def edges(name: str, read: Collection[str]) -> Sequence[int]:
    """Where the cells of a fact end besides at the constants that it is compared with."""
    for pair in PAIRS:
        if pair.coarse in read and pair.fine in read:
            if name == pair.coarse:
                return pair.coarse_edges
            if name == pair.fine:
                return pair.fine_edges
    return ()
