"""How an attempt ends: settled, come back with a result, or corrected; and what it is charged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from . import cascade, errors, health, limits, progress, stays
from .facts import explained, holds
from .prices import Used, cost, worst
from .state import AMOUNTS, Attempt, Misuse, normal
from .values import is_exact

if TYPE_CHECKING:
    from .run import Run

KNOWN_MAX = 256


def settle(run: Run, now: int, wall: int, attempt: int, reported: Used) -> dict:
    """The attempt is over, and what it gave is taken as it is."""
    run.happens(now, wall)
    tried = run.attempt(attempt)
    reported = normal(tried, reported)
    if tried.usage is None:
        close(run, tried, reported, good=None if reported.kind == "unsent" else True)
        stays.serve(run, tried)
        tried.call.state = "closed"
        if reported.kind != "unsent":
            succeeded(run, tried, None)
    elif tried.usage != reported:
        raise Misuse("already_settled")
    return tried.settlement


def result(
    run, now, wall, attempt, reported: Used, facts: dict, fields: dict, mark: int | None, committed: bool
) -> dict:  # fmt: skip
    """The attempt is over, and it is decided whether what it gave is taken."""
    if reported.kind == "unsent":
        raise Misuse("bad_value")
    run.happens(now, wall)
    tried = run.attempt(attempt, unsettled=True)
    call = tried.call
    known = {name: value for name, value in facts.items() if value is not None}
    ask = replace(call.ask, facts=call.ask.facts | known, result=fields, attempt=tried.number)
    needed = run.tools[tried.target].succeeds if call.point == "tool" else None
    held = holds(run, needed, ask)
    if not held:
        values = explained(run, needed, ask)
        close(run, tried, normal(tried, reported), "tool_failure")
        return fell_short(run, tried, held is None, values, committed)
    close(run, tried, normal(tried, reported), good=True)
    stays.serve(run, tried)
    model = tried.target if call.point == "model" else None
    extra = {"attempt_number": tried.number, "model": model}
    larger = cascade.climbs(run, tried, facts, committed)
    if larger:
        call.state = "open"
        return run.conclude(f"{call.point} result", call, [larger], larger, **extra)
    call.state = "closed"
    succeeded(run, tried, mark)
    if call.point == "tool" and mark is not None:
        run.family.give(mark)
    extra["call"] = call.number
    return run.decide(f"{call.point} result", "allow", **extra)


def fell_short(run: Run, tried: Attempt, is_unknown: bool, values: list, committed: bool) -> dict:
    """Half a result is a failure of the tool, but for one thing: it is never passed on."""
    details = {
        "kind": "tool_failure",
        "status": None,
        "retry_after": None,
        "billed": None,
        "usage": "unknown",
        "committed": committed,
    }
    was_over = run.latch or run.is_over
    decision = errors.decide(run, tried, details) | {"event": "tool result"}
    if was_over:
        return decision
    if decision["by"] == "not retried" and decision["kind"] == "built-in":
        decision |= {"outcome": "deny", "by": "incomplete result", "undecided": is_unknown}
    return decision | {"values": [*values, *decision["values"]]}


def succeeded(run: Run, tried: Attempt, mark: int | None) -> None:
    """A tool's success counts for what has to come after it, and its result is known from now on."""
    if tried.call.point != "tool":
        return
    progress.brought(run, tried.call, mark)
    number = number_of(run, tried)
    run.successes.append((tried.target, run.clock, tried.call.ask.args, number))
    if is_exact(tried.call.ask.args) and not tried.is_earlier:
        known, binding = run.known, tried.call.binding
        known.pop(binding, None)
        known[binding] = number
        for forgotten in list(known)[:-KNOWN_MAX]:
            del known[forgotten]


def number_of(run: Run, tried: Attempt) -> int:
    """The number of an attempt."""
    return next(number for number, each in run.attempts.items() if each is tried)


def adjust(run: Run, now: int, wall: int, attempt: int, reported: Used) -> dict:
    """What an attempt really used is known after all."""
    run.happens(now, wall)
    tried = run.attempt(attempt)
    if tried.usage is None:
        raise Misuse("not_settled")
    reported = normal(tried, reported)
    if tried.usage.kind in ("unknown", "at_least"):
        used = used_by(run, tried, reported)
        limits.correct(run, tried, used)
        run.total({each: used[each] - tried.used[each] for each in AMOUNTS})
        settled(tried, reported, used)
    elif tried.usage != reported:
        raise Misuse("already_settled")
    return tried.settlement


def close(run: Run, tried: Attempt, usage: Used, error: str | None = None, good: bool | None = None) -> None:
    """Charge what an open attempt used; whether it ended well, if that is known, is told to its breakers."""
    health.ends(run, tried, good)
    used = used_by(run, tried, usage)
    is_sent = usage.kind != "unsent"
    if tried.call.point == "tool":
        run.family.end(run.number, number_of(run, tried), is_sent)
    limits.give_back(run, tried, used, is_sent, error)
    run.total(used, {each: -amount for each, amount in tried.held.items()})
    if not is_sent:
        tried.call.step_charged &= not tried.charged.get("steps")
        run.total({each: -amount for each, amount in tried.charged.items()})
    settled(tried, usage, used)


def used_by(run: Run, tried: Attempt, usage: Used) -> dict[str, int]:
    """What an attempt is charged for this usage."""
    if tried.call.point == "tool" or usage.kind == "unsent":
        return dict.fromkeys(AMOUNTS, 0)
    tariffs = run.tariffs[tried.target]
    if usage.kind == "unknown":
        used_in, used_out = tried.held["input_tokens"], max(tried.cap, tried.produced)
        price = worst(tariffs, used_in, used_out)
    else:
        used_in, used_out = usage.input, usage.output
        if usage.kind == "at_least":
            used_out = max(used_out, tried.produced)
        parts = usage.cache_read, usage.cache_write, usage.reasoning
        price = cost(tariffs, Used("exact", used_in, used_out, *parts), tried.opened.wall)
    used = {
        "cost": price,
        "tokens": used_in + used_out,
        "input_tokens": used_in,
        "output_tokens": used_out,
    }
    if usage.kind != "exact":
        used = {each: max(amount, tried.held[each]) for each, amount in used.items()}
    return used


def settled(tried: Attempt, usage: Used, used: dict[str, int]) -> None:
    """Remember what an attempt was charged."""
    tried.usage, tried.used = usage, used
    out = usage.output
    if usage.kind == "at_least":
        out = max(out, tried.produced)
    tried.settlement = {f"reserved_{each}": tried.held[each] for each in ("tokens", "cost")}
    tried.settlement |= {"input_tokens": usage.input, "output_tokens": out}
    parts = ("cache_read", "cache_write", "reasoning")
    tried.settlement |= {f"{each}_tokens": getattr(usage, each) for each in parts}
    tried.settlement |= {"cost": used["cost"], "tokens": used["tokens"]}
