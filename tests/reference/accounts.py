"""What was spent and is held of one bound for one scope id, by window, and the world that runs share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from checkrein.language import tree

from . import windows
from .health import Health

FITS, HELD, FULL = range(3)
PARTS = 60


@dataclass(frozen=True)
class Now:
    """An instant by the clock that never goes back, and by the one on the wall (since 1970, UTC)."""

    mono: int
    wall: int


@dataclass
class Span:
    """One window: `extra` is what people granted, in so many `grants`."""

    spent: int = 0
    held: int = 0
    extra: int = 0
    grants: int = 0


@dataclass
class Account:
    """One bound for one scope id. `near` is an instant in the latest window that was used.

    Buckets are numbered by a clock that is `ahead` of the host's. One that is gone has no room any more.
    """

    most: int
    window: tree.Calendar | tree.Rolling | None
    opened: Now
    spans: dict[int, Span] = field(default_factory=dict)
    buckets: dict[int, int] = field(default_factory=dict)
    near: int = 0
    ahead: int = 0
    gone: bool = False

    def __post_init__(self) -> None:
        self.near = self.opened.wall

    # -- windows ----------------------------------------------------------------------------------

    def number(self, now: Now) -> int:
        """The window of an instant; a wall clock that goes back does not open an old one again."""
        if not isinstance(self.window, tree.Calendar):
            return 0
        return max(self._numbered(self.near), self._numbered(now.wall))

    def _numbered(self, wall: int) -> int:
        zone = self.window.zone.text if self.window.zone else "UTC"
        return windows.number(self.window.period, zone, wall // windows.SECOND)

    def _bucket(self, now: Now) -> int:
        width = -(-self.window.duration // PARTS)
        return max([(now.mono + self.ahead) // width, *self.buckets])

    def _use(self, now: Now) -> Span:
        """The window of now, which from now on is the latest."""
        if isinstance(self.window, tree.Calendar) and self._numbered(now.wall) > self._numbered(self.near):
            self.near = now.wall
        return self.spans.setdefault(self.number(now), Span())

    def carried(self, into: int) -> int:
        """What earlier windows spent above their bounds and later ones have not worked off."""
        debt, latest = 0, into
        for number in sorted(number for number in self.spans if number < into):
            debt = max(0, debt - self.most * max(0, number - latest - 1))
            span, latest = self.spans[number], number
            debt = max(0, debt + span.spent - self.most - span.extra)
        return max(0, debt - self.most * max(0, into - latest - 1))

    # -- reading ----------------------------------------------------------------------------------

    def standing(self, now: Now) -> dict[str, Any]:
        """How much there is, was spent and is held in the window of now."""
        number = self.number(now)
        span = self.spans.get(number, Span())
        spent = span.spent + self.carried(number)
        if isinstance(self.window, tree.Rolling):
            at = self._bucket(now)
            spent = sum(amount for bucket, amount in self.buckets.items() if at - bucket <= PARTS)
        most = self.most + span.extra
        return {"limit": most, "spent": spent, "held": span.held, "free": most - spent - span.held}

    def period(self, now: Now) -> tuple[int, int, int] | None:
        """The calendar window of now: its number, its first nanosecond and the first after it."""
        if not isinstance(self.window, tree.Calendar):
            return None
        number = self.number(now)
        wall = max((self.near, now.wall), key=self._numbered)
        zone = self.window.zone.text if self.window.zone else "UTC"
        begin, end = windows.span(self.window.period, zone, number, wall // windows.SECOND)
        return number, begin * windows.SECOND, end * windows.SECOND

    def room(self, amount: int, withheld: int, now: Now) -> int:
        """Whether an amount fits, would fit without what is held, or does not. Nothing always fits."""
        if self.gone:
            return FULL if amount else FITS
        at = self.standing(now)
        left = at["limit"] - withheld - at["spent"] - amount
        return FITS if amount == 0 or left >= at["held"] else HELD if left >= 0 else FULL

    def grants_left(self, times: int, now: Now) -> int:
        return 0 if self.gone else times - self.spans.get(self.number(now), Span()).grants

    def has(self, number: int, window: int) -> bool:
        """Whether what was taken in a window is held in the one with this number."""
        return isinstance(self.window, tree.Rolling) or number == window

    # -- changing ---------------------------------------------------------------------------------

    def touch(self, now: Now) -> None:
        """The window of now is the latest from now on, whatever the clock does."""
        self._use(now)

    def take(self, amount: int, now: Now) -> int:
        """Hold an amount; what is answered names the window (or bucket) that the hold belongs to."""
        self._use(now).held += amount
        return self._bucket(now) if isinstance(self.window, tree.Rolling) else self.number(now)

    def settle(self, window: int, held: int, used: int, now: Now) -> None:
        """End a hold of a window: what was used is spent there, in a rolling window from now on."""
        if self.gone:
            return
        self._use(now)
        if isinstance(self.window, tree.Rolling):
            self.spans[0].held -= held
            if used:
                bucket = self._bucket(now)
                self.buckets[bucket] = self.buckets.get(bucket, 0) + used
        else:
            self.spans[window].held -= held
            self.spans[window].spent += used

    def refund(self, window: int, amount: int) -> None:
        """What was spent was not: out of the hold's own window, or its own bucket and no other."""
        if self.gone:
            return
        if isinstance(self.window, tree.Rolling):
            known = self.buckets.get(window, 0)
            self.buckets[window] = known - min(known, amount)
        else:
            self.spans[window].spent -= amount

    def grant(self, amount: int, times: int, now: Now) -> None:
        """A person adds to the current window, at most so many times."""
        if self.grants_left(times, now) > 0:
            span = self._use(now)
            span.extra += amount
            span.grants += 1


class World:
    """The accounts of all scopes wider than a run."""

    def __init__(self) -> None:
        self.accounts: dict[tuple, Account] = {}
        self.health = Health()
        self.stays: dict[str, Any] = {}

    def open(self, key: tuple, most: int, window: Any, now: Now) -> Account:
        """The account with this key."""
        return self.accounts.setdefault(key, Account(most, window, now))
