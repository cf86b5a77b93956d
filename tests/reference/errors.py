"""What becomes of a call whose attempt failed: retried, sent to a fallback, given up, or passed on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from checkrein.language import tree

from .admission import names_tool, vote
from .facts import explained, holds, host
from .state import Attempt, Vote
from .values import Absence

if TYPE_CHECKING:
    from .run import Run

PASSING = ("timeout", "rate_limited", "unavailable")


def decide(run: Run, tried: Attempt, error: dict[str, Any]) -> dict:
    """The decision after a failed attempt that is settled."""
    call = tried.call
    event = f"{call.point} error"
    extra = {"attempt_number": tried.number, "model": tried.target if call.point == "model" else None}
    if error["kind"] == "cancelled":
        return pass_on(run, tried, extra)
    if run.latch:
        call.state = "closed"
        return run.decide(event, "stop", **run.latch, latched=True, call=call.number, **extra)
    matching = [each for each in run.statements[tree.Retry] if selected(run, each.selector, tried)]
    cast = [(retry, vote_of(run, retry, tried, error)) for retry in matching]
    applying = [(retry, each) for retry, each in cast if each is not None]
    votes = [each for _, each in applying]
    call.state = "open"
    winner = deciding(votes)
    if winner is None:
        if call.point == "model" and error["kind"] in PASSING and not matching:
            winner = fallback(run, tried, [])
        if winner is None:
            return pass_on(run, tried, extra)
    elif winner.outcome == "fail" and not winner.undecided and call.point == "model":
        winner = fallback(run, tried, [retry for retry, _ in applying]) or winner
    if winner.kind == "route":
        call.failed.add(tried.target)
        votes.append(winner)
    return run.conclude(event, call, votes, winner, **extra)


def pass_on(run: Run, tried: Attempt, extra: dict) -> dict:
    """The host gets the error unchanged."""
    call = tried.call
    call.state = "closed"
    fields = {"by": "not retried", "kind": "built-in", "call": call.number}
    return run.decide(f"{call.point} error", "allow", **fields, **extra)


def selected(run: Run, selector: tree.Selector, tried: Attempt) -> bool:
    """Whether a retry statement is about what was tried."""
    if selector.point != tried.call.point:
        return False
    if selector.point == "tool":
        return names_tool(run, selector, tried.target)
    return selector.name is None or selector.name.text == tried.target


def vote_of(run: Run, retry: tree.Retry, tried: Attempt, error: dict[str, Any]) -> Vote | None:
    """A retry statement's vote: a wait while it allows one, else its `else`; None if it does not apply."""
    call = tried.call
    ask = replace(call.ask, attempt=tried.number, error=error)
    if retry.selector.point == "model" and retry.selector.name is not None:
        ask = replace(ask, model=tried.target)
    held = holds(run, retry.when, ask)
    if held is False:
        return None
    values = explained(run, retry.when, ask)
    once = call.point == "tool" and run.tools[tried.target].once
    delay = delay_of(run, retry, tried, error)
    in_time = retry.within is None or run.now - call.first_asked + delay <= retry.within
    if held and not once and tried.number < retry.attempts and in_time and run.fits_time(delay):
        return Vote("retry", retry, "wait", wait=delay, values=values)
    return vote(run, retry, retry.otherwise, call, undecided=held is None, values=values)


def delay_of(run: Run, retry: tree.Retry, tried: Attempt, error: dict[str, Any]) -> int:
    """The back-off before the next attempt, never shorter than the server asked for."""
    delay = 0
    if retry.backoff is not None:
        low, high = retry.backoff
        ceiling = max(low, min(high, low * 2**tried.number))
        delay = low + run.jitter(tried.call, tried.number, ceiling - low + 1)
    asked = host("duration", error["retry_after"])[1]
    return delay if isinstance(asked, Absence) else max(delay, asked)


def deciding(votes: list[Vote]) -> Vote | None:
    """The most restrictive vote; of several waits the longest."""
    longest = max((each.wait for each in votes if each.outcome == "wait"), default=0)
    eligible = [each for each in votes if each.outcome != "wait" or each.wait == longest]
    return min(eligible, key=Vote.rank, default=None)


def fallback(run: Run, tried: Attempt, applying: list[tree.Retry]) -> Vote | None:
    """A vote to go on at once with the next candidate, if there is one and there is time."""
    call = tried.call
    after = call.candidates[call.candidates.index(tried.target) + 1 :]
    waited = run.now - call.first_asked
    in_time = all(each.within is None or waited <= each.within for each in applying)
    if not in_time or not run.fits_time(0) or all(model in call.failed for model in after):
        return None
    return Vote("route", run.routes[0], "wait", wait=0)
