"""What becomes of a call whose attempt failed: retried, sent to a fallback, given up, or passed on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import xxhash

from checkrein.language import tree

from . import health, observed
from .admission import vote
from .facts import explained, holds, host, seen_by
from .family import closed_by_error
from .health import selected
from .state import Attempt, Call, Vote

if TYPE_CHECKING:
    from .run import Run

PASSING = ("timeout", "rate_limited", "unavailable", "unknown", "tool_failure")
FALLS_BACK = ("timeout", "rate_limited", "unavailable", "quota_exhausted", "billing")
FINAL = ("cancelled", "denied")
PATIENCE = 60 * 10**9


def decide(run: Run, tried: Attempt, error: dict[str, Any]) -> dict:
    """The decision after a failed attempt that is settled."""
    call, event = tried.call, f"{tried.call.point} error"
    call.state = "closed"
    model = tried.target if call.point == "model" else None
    extra = {"attempt_number": tried.number, "model": model}
    if error["kind"] in FINAL:
        return run.built_in(event, "not retried", "allow", call=call.number, **extra)
    if run.latch:
        return run.decide(event, "stop", **run.latch, latched=True, call=call.number, **extra)
    if run.is_over:
        return run.built_in(event, "run ended", call=call.number, **extra)
    matching = [each for each in run.of["retry"] if selected(run, each.selector, tried)]
    matching = [each for each in matching if each.when is not None or error["kind"] in PASSING]
    votes = observed.enforced(run, [vote_of(run, retry, tried, error) for retry in matching])
    for each in run.would:
        if each.outcome == "wait":
            health.retried(run, each.statement)
    matching = [each for each in matching if not each.observed]
    longest = max((each.wait for each in votes if each.outcome == "wait"), default=0)
    deciding = [each for each in votes if each.outcome != "wait" or each.wait == longest]
    winner = min(deciding, key=Vote.rank, default=None)
    if call.point == "tool" and (winner is None or winner.outcome != "wait"):
        run.family.mistake((tried.target, error["kind"], error.get("fingerprint")))
        found = [vote(run, loop, loop.otherwise, call) for loop in closed_by_error(run)]
        votes += observed.enforced(run, found)
        winner = min(votes, key=Vote.rank, default=None)
    given_up = winner and winner.outcome in ("fail", "answer") and not winner.undecided
    gives_way = given_up or (error["kind"] in FALLS_BACK and not matching)
    if model and gives_way and goes_on(run, tried, [each.statement for each in votes]):
        call.failed.add(model)
        winner = Vote(run.of["route"][0], "wait", wait=0)
        votes.append(winner)
    if winner is None:
        return run.built_in(event, "not retried", "allow", call=call.number, **extra)
    for each in votes if winner.outcome == "wait" and winner.statement in matching else []:
        if each.outcome == "wait":
            health.retried(run, each.statement)
    call.state = "open"
    return run.conclude(event, call, votes, winner, **extra)


def vote_of(run: Run, retry: tree.Retry, tried: Attempt, error: dict[str, Any]) -> Vote | None:
    """A retry statement's vote: a wait while it allows one, else its `else`; None if it does not apply."""
    call = tried.call
    ask = seen_by(retry, replace(call.ask, attempt=tried.number, error=error))
    held = holds(run, retry.when, ask)
    if held is False:
        return None
    values = explained(run, retry.when, ask)
    asked = host("duration", error["retry_after"])[1]
    delay = max(backoff(run, retry, call, tried.number), asked if isinstance(asked, int) else 0)
    in_time = is_within(run, retry, call, delay) and run.fits_time(delay)
    has_room = tried.number < retry.attempts and health.has_share(run, retry)
    if held and may_run_again(run, tried, error) and has_room and in_time:
        return Vote(retry, "wait", wait=delay, values=values)
    return vote(run, retry, retry.otherwise, call, held is None, values, ask)


def may_run_again(run: Run, tried: Attempt, error: dict[str, Any]) -> bool:
    """Whether a tool may run once more: what nobody knows to have run or not is repeated by leave only."""
    if tried.call.point == "model":
        return True
    if error.get("committed"):
        return False
    tool = run.tools[tried.target]
    if tool.once or tool.may_repeat:
        return tool.may_repeat
    return error["usage"] in ("exact", "unsent") or tool.tool_class in ("retrieve", "reason")


def is_within(run: Run, retry: tree.Retry, call: Call, delay: int) -> bool:
    if retry.within is None:
        return delay <= max(PATIENCE, retry.backoff[1] if retry.backoff else 0)
    return run.now - call.begun + delay < retry.within


def backoff(run: Run, retry: tree.Retry, call: Call, made: int) -> int:
    """The wait by the statement alone: the same for the same seed, call and attempt."""
    if retry.backoff is None:
        return 0
    low, high = retry.backoff
    ceiling = max(low, min(high, low * 2**made))
    data = call.number.to_bytes(8, "little") + made.to_bytes(8, "little")
    return low + xxhash.xxh3_64_intdigest(data, seed=run.seed) % (ceiling - low + 1)


def goes_on(run: Run, tried: Attempt, applying: list[tree.Retry]) -> bool:
    """Whether there is a next candidate, and time to ask it at once."""
    call = tried.call
    after = call.candidates[call.candidates.index(tried.target) + 1 :]
    in_time = run.fits_time(0) and all(is_within(run, retry, call, 0) for retry in applying)
    return in_time and not all(model in call.failed for model in after)
