"""Breakers and shares of retries: every call that ended and every retry is kept, and counted anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from checkrein.language import tree

from . import deadlines

if TYPE_CHECKING:
    from .run import Run
    from .state import Attempt

PARTS = 60
FAILURES = ("timeout", "rate_limited", "unavailable")


class Times:
    """Instants that count for a window's length, and for a sixtieth of it and a bit longer."""

    def __init__(self, window: int) -> None:
        self.width = -(-window // PARTS)
        self.seen: list[int] = []

    def add(self, now: int) -> None:
        self.seen.append(max([now // self.width, *self.seen]))

    def count(self, now: int) -> int:
        at = max([now // self.width, *self.seen])
        return sum(at - each <= PARTS for each in self.seen)


@dataclass(eq=False)
class Era:
    """A time in which a circuit does not change: attempts belong to the one in which they began."""

    kind: str
    ended: Times
    failed: Times
    until: int = 0
    probes: int = 0
    good: int = 0
    begun: int = 0  # the latest probe


@dataclass
class Health:
    """What the runs of a world know of models and tools."""

    eras: dict[Any, Era] = field(default_factory=dict)
    calls: dict[str, Times] = field(default_factory=dict)
    retries: dict[str, Times] = field(default_factory=dict)


def era_of(run: Run, key: tuple[str, str], breaker: tree.Breaker) -> Era:
    fresh = Era("closed", Times(breaker.opens.window), Times(breaker.opens.window))
    return run.world.health.eras.setdefault(key, fresh)


def watched(run: Run, point: str, target: str) -> list[tuple[tuple[str, str], tree.Breaker]]:
    """The breakers that look at a model or tool, each with the circuit that is meant."""
    found = []
    for breaker in run.of["breaker"]:
        selector = breaker.selector
        name = selector.name.text if selector.name else None
        subject = target
        if selector.point == "provider" and point == "model":
            subject = run.models[target].target.text.split("/")[0]
        elif selector.point != point:
            continue
        if selector.tool_class and run.tools[target].tool_class != selector.tool_class:
            continue
        if name in (None, subject):
            found.append(((breaker.name.text, subject), breaker))
    return found


def bars(run: Run, point: str, target: str, observed: bool = False) -> list[tuple[tree.Breaker, int, int]]:
    """The breakers that let no call pass now, how long at most, and for how long that is sure."""
    found = []
    for key, breaker in watched(run, point, target):
        if bool(breaker.observed) is not observed:
            continue
        era = era_of(run, key, breaker)
        if era.kind == "open" and era.until > run.now:
            found.append((breaker, era.until - run.now, era.until - run.now))
        is_full = era.kind == "tried" and era.probes + era.good >= breaker.probes.count
        if is_full and run.now < era.begun + breaker.probes.after:
            found.append((breaker, era.begun + breaker.probes.after - run.now, 0))
    return found


def begins(run: Run, attempt: Attempt) -> None:
    """An attempt passes its breakers, and counts for the shares of retries."""
    point = attempt.call.point
    unseen = [breaker for breaker, _, _ in bars(run, point, attempt.target, observed=True)]
    for key, breaker in watched(run, point, attempt.target):
        if breaker in unseen:
            continue  # had it been enforced, the call would not have been made
        era = era_of(run, key, breaker)
        if era.kind == "open":
            era = Era("tried", era.ended, era.failed, era.until)
            run.world.health.eras[key] = era
        if era.kind == "tried":
            era.probes += 1
            # Runs may have clocks of their own: of several the latest counts, also for when it opens again.
            era.begun = max(era.begun, run.now)
            era.until = max(era.until, era.begun + breaker.probes.after)
        attempt.eras.append((key, breaker, era))
    for retry in run.of["retry"]:
        if retry.share and selected(run, retry.selector, attempt):
            times(run.world.health.calls, retry).add(run.now)


def ends(run: Run, attempt: Attempt, good: bool | None) -> None:
    """An attempt ended well or not, or nobody knows (None)."""
    for key, breaker, era in attempt.eras:
        eras = run.world.health.eras
        if eras[key] is not era:
            continue
        if era.kind == "tried":
            era.probes -= 1
            era.good += good is True
            if good is False:
                eras[key] = opened(run, breaker, era)
            elif era.good >= breaker.probes.count:
                eras[key] = Era("closed", Times(breaker.opens.window), Times(breaker.opens.window), era.until)
        elif era.kind == "closed" and good is not None:
            era.ended.add(run.now)
            if not good:
                era.failed.add(run.now)
            ended, failed = era.ended.count(run.now), era.failed.count(run.now)
            if ended >= breaker.opens.calls and failed * 10**6 >= ended * breaker.opens.failures:
                eras[key] = opened(run, breaker, era)
    attempt.eras = []


def opened(run: Run, breaker: tree.Breaker, era: Era) -> Era:
    return Era("open", era.ended, era.failed, max(era.until, run.now + breaker.probes.after))


def is_late(run: Run, attempt: Attempt) -> bool:
    return any(left == 0 for _, left in deadlines.time_left(run, attempt))


def verdict_of(run: Run, attempt: Attempt, error: str | None, own: bool) -> bool | None:
    """What an end with this error (None: without one) says about what was called."""
    if error is None:
        return True
    if error == "timeout" and (own or not run.fits_time(0) or is_late(run, attempt)):
        return None
    blamed = [*FAILURES, "tool_failure"] if attempt.call.point == "tool" else FAILURES
    return False if error in blamed else None


def times(table: dict[str, Times], retry: tree.Retry) -> Times:
    return table.setdefault(retry.name.text, Times(retry.share.window))


def has_share(run: Run, retry: tree.Retry) -> bool:
    """Whether one more retry of this statement is within its share."""
    if retry.share is None:
        return True
    calls = times(run.world.health.calls, retry).count(run.now)
    retries = times(run.world.health.retries, retry).count(run.now)
    return retries < retry.share.least or retries * 10**6 < calls * retry.share.most


def retried(run: Run, retry: tree.Retry) -> None:
    """A statement has brought a retry."""
    if retry.share:
        times(run.world.health.retries, retry).add(run.now)


def selected(run: Run, selector: tree.Selector, tried: Attempt) -> bool:
    """Whether a retry statement is about what was tried."""
    if selector.point != tried.call.point:
        return False
    if selector.name is not None:
        return selector.name.text == tried.target
    return selector.tool_class is None or selector.tool_class == run.tools[tried.target].tool_class
