"""Which model serves a call: the candidates in order, what each must meet, and the room that it needs."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import xxhash

from checkrein.language import tree

from . import health, limits, observed, stays
from .accounts import FITS, FULL
from .admission import (
    NO,
    attempts_of,
    broken,
    by_condition,
    limit_votes,
    may_wait,
    model_votes,
    open_attempt,
    wait,
)
from .conditions import SIGNS
from .facts import holds, look
from .prices import worst
from .state import Attempt, Call

if TYPE_CHECKING:
    from .run import Run


@dataclass
class Choice:
    """The models to try, in order; the arms passed over because they could not be decided.

    `cascades` has the arms of cascades by the models that they brought; `stayed` says that the first model is
    the one that served before.
    """

    names: list[str]
    skipped: list[str]
    cascades: dict[str, tree.Arm]
    stayed: bool = False


def candidates(run: Run, call: Call) -> Choice:
    """The models to try, by the route and by what is known of them."""
    arms = [arm for route in run.of["route"] for arm in route.arms]
    edges = [(before.text, after.text) for route in run.of["route"] for before, after in route.fallbacks]
    truths = [(arm, holds(run, arm.when, call.ask)) for arm in arms]
    canary, undrawn = drawn(run, call)
    chosen, cascades = [], {}
    for arm in [arm for arm, held in truths if held]:
        if arm.then and arm.model.text not in [*canary, *chosen]:
            cascades[arm.model.text] = arm
        chosen += [each.model.text for each in (arm, arm.then) if each]
    wanted = chosen or [call.ask.model] * (call.ask.model is not None)
    found = list(dict.fromkeys([*canary, *wanted]))
    for model in found:  # The list grows while it is walked: that is breadth first.
        found += [after for before, after in edges if before == model and after not in found]
    skipped = undrawn + [arm.model.text for arm, held in truths if held is None]
    choice = Choice([model for model in found if model not in call.failed], skipped, cascades)
    if prefers_lower(run):
        choice.names.sort(key=lambda model: run.models[model].tier or 0)
    elif stays.stays(run, call, choice.names, bool(canary or chosen)):
        kept = stays.latest(run).model
        choice.names.remove(kept)
        choice.names.insert(0, kept)
        choice.stayed = True
    return choice


def drawn(run: Run, call: Call) -> tuple[list[str], list[str]]:
    """The canary's model, if one is drawn; those that might have been, if nobody can tell."""
    for route in run.of["route"]:
        if not route.canaries:
            continue
        value = look(run, route.canaries[0].fact.text, call.ask)[1]
        if not isinstance(value, str):
            return [], [canary.model.text for canary in route.canaries]
        salt = xxhash.xxh3_64_intdigest(route.name.text.encode())
        share = Fraction(xxhash.xxh3_64_intdigest(value.encode(), seed=salt), 2**64) * 10**6
        end = 0
        for canary in route.canaries:
            end += canary.percent.value
            if share < end:
                return [canary.model.text], []
    return [], []


def prefers_lower(run: Run) -> bool:
    """Whether a limit has been filled so far that it wants lower tiers from then on."""
    return any(
        (limit.name.text, place) in run.given
        for limit in run.of["limit"]
        for place, threshold in enumerate(limit.thresholds)
        if threshold.advice == "prefer lower tier"
    )


def admit_model(run: Run, call: Call, advice: list) -> dict:
    """Find the first candidate that may run and fits, with the most output that fits."""
    ask = call.ask
    choice = candidates(run, call)
    names, skipped = choice.names, choice.skipped
    required = required_of(run, call)
    usable, passed, bars = [], [], []
    extra = {"advice": advice, "skipped": skipped, "passed": passed}
    for model in [run.models[name] for name in names]:
        reasons = unfit(required, model, ask.input_tokens)
        passed += reasons
        if reasons:
            continue
        bars.append(health.bars(run, "model", model.name.text))
        passed += [(model.name.text, "breaker", each.name.text) for each, _, _ in bars[-1]]
        if bars[-1]:
            continue
        votes = observed.enforced(run, model_votes(run, call, model.name.text))
        if votes:
            return run.conclude("model call", call, votes, **extra)
        asked = model.output if ask.max_output is None else ask.max_output
        cap = min(asked, model.output, model.window - ask.input_tokens)
        usable.append((model, min(model.least_output, cap), cap))
        output = most_output(run, call, *usable[-1], set())
        if output is not None:
            return allow_model(run, call, model, output, choice, extra)
        passed += too_dear(run, call, model, usable[-1][1], set())
    return without_room(run, call, choice, usable, (required, broken(bars)), extra)


def required_of(run: Run, call: Call) -> list[tree.Require]:
    """The requirements that hold."""
    enforced = [each for each in run.of["require"] if not each.observed]
    return [each for each in enforced if holds(run, each.when, call.ask)]


def unfit(required: list[tree.Require], model: tree.Model, used_in: int) -> list[tuple[str, str, str]]:
    """Why a model could not serve the call at any price: (model, kind, statement)."""
    name = model.name.text
    reasons = [(name, "require", each.name.text) for each in required if not meets(each.need, model)]
    return reasons + [(name, "window", "")] * (used_in + model.least_output > model.window)


def meets(need: str | tree.TierNeed | tree.NamesNeed, model: tree.Model) -> bool:
    """Whether a model is as it is required to be."""
    if isinstance(need, str):
        return need == model.place
    if isinstance(need, tree.TierNeed):
        return bool(model.tier) and getattr(operator, SIGNS[need.operator])(model.tier, need.tier)
    found = model.name if need.kind == "model" else model.region
    return found is not None and found.text in [name.text for name in need.names]


def too_dear(run: Run, call: Call, model: tree.Model, least: int, relaxed: set) -> list[tuple[str, str, str]]:
    """Which limits the worst case of a model does not fit."""
    lines, _ = limits.in_the_way(run, wanted(run, call, model, least), relaxed)
    names = sorted({line.limit.name.text for line in lines}, key=str.encode)
    return [(model.name.text, "limit", name) for name in names]


def without_room(run: Run, call: Call, choice: Choice, usable: list, others: tuple, extra: dict) -> dict:
    """No candidate fits: wait for what is held, wrap up, or the `else` of the limits in the way."""
    names = choice.names
    found = [limits.in_the_way(run, wanted(run, call, model, least), set()) for model, least, _ in usable]
    blocking = list(dict.fromkeys(line for lines, _ in found for line in lines))
    if any(worst_room < FULL for _, worst_room in found) and may_wait(run, call):
        return wait(run, call, **extra)
    wrapped = limits.wrapping(blocking)
    relaxed = {line.wrapping for line in wrapped}
    last = extra | {"passed": [each for each in extra["passed"] if each[1] != "limit"]}
    for model, least, cap in usable if relaxed else []:
        output = most_output(run, call, model, least, cap, relaxed)
        if output is not None:
            last["passed"] = before(names, model.name.text, last["passed"])
            return allow_model(run, call, model, output, choice, last | {"wrap_up": True}, wrapped)
        last["passed"] += too_dear(run, call, model, least, relaxed)
    again = [limits.in_the_way(run, wanted(run, call, model, least), relaxed) for model, least, _ in usable]
    if relaxed and any(worst_room < FULL for _, worst_room in again) and may_wait(run, call):
        return wait(run, call, **last | {"passed": in_order(names, last["passed"])})
    required, tripped = others
    votes = limit_votes(run, blocking, call) + tripped
    filtering = {name for _, kind, name in extra["passed"] if kind == "require"}
    missed = [each for each in required if each.name.text in filtering]
    votes = votes or [by_condition(run, each, NO, call, call.ask) for each in missed]
    if votes:
        return run.conclude("model call", call, votes, **extra)
    call.state = "closed"
    by = "no usable model" if names else "no candidate"
    return run.built_in("model call", by, call=call.number, **extra)


def amounts_of(run: Run, call: Call, model: tree.Model, output: int) -> dict[str, int]:
    """What a call may use at most with so many tokens out."""
    used_in = call.ask.input_tokens
    price = worst(run.tariffs[model.name.text], used_in, output)
    return {"cost": price, "tokens": used_in + output, "input_tokens": used_in, "output_tokens": output}


def wanted(run: Run, call: Call, model: tree.Model, output: int) -> list:
    """What it takes of each account."""
    return limits.wants(run, call, model.name.text, amounts_of(run, call, model, output))


def most_output(run: Run, call: Call, model: tree.Model, least: int, cap: int, relaxed: set) -> int | None:
    """The largest output between `least` and `cap` that no limit refuses: more never fits better."""

    def fits(output: int) -> bool:
        return limits.in_the_way(run, wanted(run, call, model, output), relaxed)[1] == FITS

    if not fits(least):
        return None
    while least < cap:
        middle = (least + cap + 1) // 2
        least, cap = (middle, cap) if fits(middle) else (least, middle - 1)
    return least


def allow_model(
    run: Run, call: Call, model: tree.Model, output: int, choice: Choice, extra: dict, wrapped=()
) -> dict:  # fmt: skip
    """Reserve the worst case and open an attempt."""
    name = model.name.text
    observed.model(run, call, name, choice.names)
    call.candidates = choice.names
    call.cascade = choice.cascades.get(name)
    extra |= {"stayed": choice.stayed and name == choice.names[0]}
    held = amounts_of(run, call, model, output)
    charged = {"steps": int(not call.step_charged), "model_calls": 1} | attempts_of(call)
    attempt = Attempt(call, name, held, charged, run.at, cap=output, wrapped=list(wrapped))
    limits.take(run, attempt, wanted(run, call, model, output))
    for line in wrapped:
        used = line.owner.wrap_ups
        used[line.limit.name.text] = used.get(line.limit.name.text, 0) + 1
    call.last_model = name
    call.step_charged = True
    return open_attempt(run, attempt, None, model=name, output_cap=output, **extra)


def in_order(names: list[str], passed: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Reasons by the place of their model among the candidates."""
    return sorted(passed, key=lambda each: names.index(each[0]))


def before(names: list[str], model: str, passed: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """The reasons against the candidates before one."""
    return [each for each in in_order(names, passed) if names.index(each[0]) < names.index(model)]
