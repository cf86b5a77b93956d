"""Whether a model's result is taken, or a larger model is asked as well."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import deadlines, health
from .accounts import FITS, FULL
from .admission import limit_votes, may_wait, model_votes
from .facts import explained, holds
from .limits import in_the_way, wrapping
from .models import candidates, most_output, required_of, unfit, wanted
from .state import Attempt, Call, Vote

if TYPE_CHECKING:
    from .run import Run


def climbs(run: Run, tried: Attempt, facts: dict[str, Any], committed: bool) -> Vote | None:
    """The route's vote to ask again without the model that came back; None where its result is taken."""
    call = tried.call
    arm = call.cascade
    if call.point != "model" or arm is None or committed or run.latch:
        return None
    sent = {name: value for name, value in facts.items() if value is not None}
    call.ask = replace(
        call.ask, facts={**call.ask.facts, **sent}, attempt=tried.number, results=[], messages=[]
    )
    held = holds(run, arm.then.when, call.ask)
    values = explained(run, arm.then.when, call.ask)
    call.failed.add(tried.target)
    if held is False or admitted(run, call) != arm.then.model.text:
        return None
    call.climbed = tried.target
    return Vote(run.of["route"][0], "wait", held is None, wait=0, values=values)


def admitted(run: Run, call: Call) -> str | None:
    """The model that would be allowed if the call were asked now; nothing is done."""
    run_out = [line for line, left in run.time_left() if left <= 0]
    ask = call.ask
    ask.attempt = 1 if call.last_model in call.failed else 1 + call.made.get(call.last_model, 0)
    if decisive(model_votes(run, call)) or limit_votes(run, run_out, call):
        return None
    if any(not retry.observed for retry in deadlines.over(run, call)):
        return None
    required = required_of(run, call)
    usable = []
    for model in [run.models[name] for name in candidates(run, call).names]:
        if unfit(required, model, ask.input_tokens):
            continue
        if health.bars(run, "model", model.name.text):
            continue
        if decisive(model_votes(run, call, model.name.text)):
            return None
        asked = model.output if ask.max_output is None else ask.max_output
        cap = min(asked, model.output, model.window - ask.input_tokens)
        usable.append((model, min(model.least_output, cap), cap))
        if most_output(run, call, *usable[-1], set()) is not None:
            return model.name.text
    found = [in_the_way(run, wanted(run, call, model, least), set()) for model, least, _ in usable]
    if any(FITS < worst_room < FULL for _, worst_room in found) and may_wait(run, call):
        return None
    relaxed = {line.wrapping for line in wrapping([line for lines, _ in found for line in lines])}
    for model, least, cap in usable if relaxed else []:
        if most_output(run, call, model, least, cap, relaxed) is not None:
            return model.name.text
    return None


def decisive(votes: list[Vote | None]) -> list[Vote]:
    """The votes of statements that are not only observed."""
    return [each for each in votes if each is not None and not each.statement.observed]
