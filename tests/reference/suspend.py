"""A run leaves its process and goes on in another one: what travels, and what is spent when it leaves."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from . import deadlines, ends, health
from .accounts import Account
from .limits import basis
from .prices import Used
from .state import Attempt, Line, Misuse, Taken, normal

if TYPE_CHECKING:
    from .run import Run


def leave(run: Run, now: int, wall: int, keep: list[int]) -> None:
    """End the run here; what it is stands in `run.left`, and in no other way does it go on."""
    if run.left:
        return
    is_waiting = run.paused_at is not None
    run.tick(now, wall)
    if run.parent or run.ended:
        raise Misuse("child" if run.parent else "ended")
    kept = [run.attempt(number, unsettled=True) for number in dict.fromkeys(keep)]
    run.paused_at = run.now if is_waiting else None
    for tried in run.attempts.values():
        if tried.usage is None and tried not in kept:
            ends.close(run, tried, normal(tried, Used("unknown")))
            tried.call.state = "closed"
    for tried in kept:
        spend_shared(tried)
        health.ends(run, tried, None)
    spend_of_children(run, kept)
    run.left = moved(run)
    run.ended = True
    run.wrap_ups = {limit.name.text: limit.wrap_up.calls for limit in run.of["limit"] if limit.wrap_up}


def spend_shared(tried: Attempt) -> None:
    """What an attempt holds in accounts of others too is spent; once, however often its run leaves."""
    held = [taken for taken in tried.taken if taken.amount and basis(taken.line) != "attempted"]
    for taken in held:
        if not taken.line.is_own and not tried.is_earlier:
            run = taken.line.owner
            taken.line.account.settle(taken.window, taken.amount, taken.amount, run.at)


def spend_of_children(run: Run, kept: list[Attempt]) -> None:
    """What children hold in the run's own accounts is spent: they do not find these again."""
    for line in run.lines:
        if not line.is_own:
            continue
        account = line.account
        account.touch(run.at)
        own = [taken for tried in kept for taken in tried.taken if taken.line is line]
        own = [taken for taken in own if basis(line) != "attempted"]
        for number, span in list(account.spans.items()):
            ours = sum(taken.amount for taken in own if account.has(number, taken.window))
            if span.held > ours:
                account.settle(number, span.held - ours, span.held - ours, run.at)
    for dimension, held in run.holding.items():
        lost = held - sum(tried.held.get(dimension, 0) for tried in kept)
        run.holding[dimension] -= lost
        run.charged[dimension] += lost


def moved(run: Run) -> Run:
    """The run with accounts of its own that are only its own; the old ones are gone."""
    other = copy.copy(run)
    lines = {line: Line(other, line.limit, line.bound, carried(line)) for line in run.lines}
    accounts = {id(line.account): new.account for line, new in lines.items()}
    other.lines = list(lines.values())
    other.family, other.children = copy.deepcopy(run.family), []
    for (number, _), use in other.family.uses.items():
        if use.ended is None and number != run.number:
            use.ended = other.family.moment + 1  # Nobody waits for a child any more.
    other.family.moment += 1
    other.known, other.stay = {}, run.stay and replace(run.stay)
    for table in ("charged", "holding", "wrap_ups"):
        setattr(other, table, dict(getattr(run, table)))
    for call in run.calls.values():
        call.stepped = {lines[line] for line in call.stepped}
    for tried in run.attempts.values():
        tried.taken = [Taken(lines[taken.line], taken.amount, taken.window) for taken in tried.taken]
        tried.steps = [lines[line] for line in tried.steps]
        tried.wrapped = [lines[line] for line in tried.wrapped]
        tried.is_earlier = True
    for request in run.asked.values():
        request.accounts = [accounts[id(account)] for account in request.accounts]
    return other


def carried(line: Line) -> Account | None:
    """The account that the run goes on with."""
    if not line.is_own:
        return line.account
    account = copy.copy(line.account)
    account.spans = {number: replace(span) for number, span in account.spans.items()}
    account.buckets = dict(account.buckets)
    line.account.gone = True
    return account


def resume(left: Run, now: int, wall: int, later: int) -> Run:
    """Go on by another clock, `later` by one that both see."""
    shift = now - (left.now + later)
    left.begun += shift
    left.paused += later
    left.paused_at = None if left.paused_at is None else now
    for call in left.calls.values():
        call.begun += shift
        call.waiting = None
    for request in left.asked.values():
        request.expires += shift
    if left.stay:
        left.stay.until += shift
        left.stay.left = {name: end + shift for name, end in left.stay.left.items()}
    for line in left.lines:
        if line.is_own:
            line.account.ahead -= shift
    left.now, left.told, left.wall = now, now, wall
    return left


def held(run: Run, number: int) -> dict | None:
    """An open attempt as a decision that allows it."""
    tried = run.attempts.get(number)
    if tried is None or tried.usage or run.left:
        return None
    call = tried.call
    times = [max(0, left) for _, left in [*run.time_left(), *deadlines.time_left(run, tried)]]
    fields = {f"reserved_{each}": tried.held[each] for each in ("tokens", "cost")}
    if call.point == "model":
        fields |= {"model": tried.target, "output_cap": tried.cap}
    elif run.tools[tried.target].timeout is not None:
        times.append(run.tools[tried.target].timeout)
    fields |= {"call": call.number, "attempt": number, "attempt_number": tried.number}
    fields |= {"timeout_ns": min(times, default=None), "wrap_up": bool(tried.wrapped), "would": []}
    return run.decision(f"{call.point} call", "allow", **fields)
