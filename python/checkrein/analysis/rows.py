"""What the limits of a policy let one run have: as rows of a linear program, and why some give none.

A bound holds for a run and the runs below it. A wider limit bounds each run that takes from it, as long as
nobody raises it in the ledger; a window bounds a run only as often as the run's wall time lets it begin anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from checkrein.language.tree import Calendar, Limit, Rolling
from checkrein.language.zones import zone

if TYPE_CHECKING:
    from checkrein.language.names import Names
    from checkrein.language.tree import Bound, Policy
    from checkrein.language.zones import Zone

SECOND = 10**9
TIMES = frozenset({"active_time", "wall_time"})
AMOUNTS = frozenset({"cost", "tokens", "input_tokens", "output_tokens"})
ALWAYS_ATTEMPTED = frozenset({"retries", "escalations"})
LENGTHS = {"hour": 3600, "day": 86_400, "week": 7 * 86_400, "month": 28 * 86_400}
"""The shortest that a window can be on the clocks of its zone, in seconds."""


@dataclass(frozen=True, slots=True)
class Held:
    """A bound that holds for a run: `most` of it in all, with `raised` by people in each of `windows`."""

    limit: Limit
    bound: Bound
    most: int
    raised: int = 0
    windows: int = 1


@dataclass(frozen=True, slots=True)
class Loose:
    """A bound that is none for a run, and why."""

    limit: Limit
    bound: Bound
    why: str


def time_of(policy: Policy, *measures: str) -> Held | None:
    """The tightest bound on the time of a run, in nanoseconds."""
    found = [
        Held(limit, bound, int(bound.literal.value))
        for limit in policy.enforced(Limit)
        for bound in limit.bounds
        if bound.dimension in measures
    ]
    return min(found, key=lambda held: held.most, default=None)


def held_of(policy: Policy, names: Names) -> tuple[list[Held], list[Loose]]:
    """Every bound but those on time: what it lets a run have, or why it does not bound one."""
    time = time_of(policy, "wall_time")
    held, loose = [], []
    for limit in policy.enforced(Limit):
        windows = 1 if limit.window is None else _windows(limit.window, time)
        for bound in limit.bounds:
            if bound.dimension in TIMES:
                continue
            why = _why_loose(limit, bound, windows)
            if why is not None or windows is None:
                loose.append(Loose(limit, bound, why or ""))
                continue
            raised = _raised(limit, bound, names)
            most = windows * (int(bound.literal.value) + raised)
            held.append(Held(limit, bound, most, raised, windows))
    return held, loose


def _why_loose(limit: Limit, bound: Bound, windows: int | None) -> str | None:
    if limit.failure is not None and limit.failure.text == "allow":
        return "calls pass it while its store is away (`on failure allow`)"
    is_count = bound.dimension not in AMOUNTS | ALWAYS_ATTEMPTED
    if is_count and limit.basis is not None and limit.basis.text != "attempted":
        return f"`counts {limit.basis.text}` leaves out attempts that failed"
    if windows is None:
        return "it is for each window, and a run without a `wall_time` may go on for any number of them"
    return None


def _raised(limit: Limit, bound: Bound, names: Names) -> int:
    """By how much people may raise a bound in one window, all grants together."""
    if limit.otherwise.kind != "escalate" or limit.otherwise.target is None:
        return 0
    grants = names.queues[limit.otherwise.target.text].grants
    if grants is None:
        return 0
    dimension = grants.amount.dimension
    if {"money": "cost", "tokens": "tokens"}.get(dimension, bound.dimension) != bound.dimension:
        return 0
    if dimension == "count" and bound.dimension in AMOUNTS:
        return 0
    return int(grants.amount.value) * grants.times


def _windows(window: Calendar | Rolling, time: Held | None) -> int | None:
    """In how many windows the calls of a run can begin; None if there is no end to them."""
    if time is None:
        return None
    if isinstance(window, Rolling):
        return -(-time.most // window.duration)
    changes = zone("UTC" if window.zone is None else window.zone.text)
    ahead = time.most + (0 if changes is None else _jumps(changes, time.most) * SECOND)
    return 1 + -(-ahead // (LENGTHS[window.period] * SECOND))


def _jumps(changes: Zone, nanoseconds: int) -> int:
    """The most seconds by which the zone's clocks are put forward within so much time."""
    jumps, before = [], changes.offset
    for second, after in changes.transitions:
        jumps.append((second, max(0, after - before)))
        before = after
    most = total = first = 0
    for second, jump in jumps:
        total += jump
        while (second - jumps[first][0]) * SECOND > nanoseconds:
            total -= jumps[first][1]
            first += 1
        most = max(most, total)
    return most
