"""What the `within` of retries leaves to a call, over all its attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.language import tree

from . import health

if TYPE_CHECKING:
    from .run import Run
    from .state import Attempt, Call


def time_left(run: Run, tried: Attempt, observed: bool = False) -> list[tuple[tree.Retry, int]]:
    """What every `within` leaves to a call on what it tries; of retries that are enforced, or all."""
    timed = [each for each in run.of["retry"] if each.within is not None and (observed or not each.observed)]
    looking = [each for each in timed if health.selected(run, each.selector, tried)]
    return [(retry, max(0, retry.within - (run.told - tried.call.begun))) for retry in looking]


def over(run: Run, call: Call) -> list[tree.Retry]:
    """The retries that look at what a call tried last, and whose time is over."""
    tried = [each for each in run.attempts.values() if each.call is call][-1:]
    return [retry for each in tried for retry, left in time_left(run, each, observed=True) if left == 0]
