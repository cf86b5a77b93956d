"""What observed statements would have said about an event, kept apart from the votes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import health
from .state import Call, Vote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checkrein.language import tree

    from .run import Run


def enforced(run: Run, votes: Iterable[Vote | None]) -> list[Vote]:
    """The votes that count; what the others say is noted."""
    cast = [each for each in votes if each is not None]
    run.would += [each for each in cast if each.statement.observed]
    return [each for each in cast if not each.statement.observed]


def shown(run: Run) -> list[tuple[str, str, str, str | None, bool]]:
    """What was noted since the event began, of each statement the most restrictive say."""
    said: dict[tuple[str, str], Any] = {}
    for each in sorted(run.would, key=Vote.rank):
        reason = because(each.statement)
        said.setdefault(each.key, (each.outcome, *each.key, reason, each.undecided))
    return list(said.values())


def because(statement: Any) -> str | None:
    """The author's reason, wherever the kind of statement has it."""
    outcome = getattr(statement, "outcome", None) or getattr(statement, "otherwise", None)
    return outcome.reason if outcome else None


def tool(run: Run, call: Call, wanted: list) -> None:
    """What observed limits and breakers say of a tool's call that is made."""
    limits_of(run, call, wanted)
    run.would += [Vote(each, "deny") for each, _, _ in health.bars(run, "tool", call.ask.tool, observed=True)]


def model(run: Run, call: Call, name: str, names: list[str]) -> None:
    """What observed statements say of the model that serves a call."""
    from .models import required_of, unfit

    required = required_of(run, call)
    after = [run.models[each] for each in names[names.index(name) + 1 :]]
    fit = [each for each in after if not unfit(required, each, call.ask.input_tokens)]
    later = [each for each in fit if not health.bars(run, "model", each.name.text)]
    require(run, call, name, later)
    for breaker, _, _ in health.bars(run, "model", name, observed=True):
        bars = [health.bars(run, "model", each.name.text, observed=True) for each in later]
        is_replaced = any(breaker not in [bar for bar, _, _ in each] for each in bars)
        run.would.append(Vote(breaker, "allow" if is_replaced else "deny"))
    others = [[line.limit for line, _ in overrun_by(run, call, each)] for each in later]
    limits_of(run, call, least(run, call, run.models[name]), others)


def require(run: Run, call: Call, name: str, later: list[tree.Model]) -> None:
    """What observed requirements say of it."""
    from .facts import holds
    from .models import meets

    for each in run.of["require"]:
        is_met = meets(each.need, run.models[name])
        if each.observed and not is_met and holds(run, each.when, call.ask) is True:
            is_replaced = any(meets(each.need, other) for other in later)
            run.would.append(Vote(each, "allow" if is_replaced else "deny"))


def least(run: Run, call: Call, model: tree.Model) -> list:
    """What a call of a model takes at least of each account."""
    from .models import wanted

    asked = model.output if call.ask.max_output is None else call.ask.max_output
    cap = min(asked, model.output, model.window - call.ask.input_tokens)
    return wanted(run, call, model, min(model.least_output, cap))


def overrun_by(run: Run, call: Call, model: tree.Model) -> list:
    """The accounts of observed limits that a model's call does not fit."""
    from .limits import overrun

    return overrun(run, least(run, call, model))


def limits_of(run: Run, call: Call, wanted: list, others: list[list[tree.Limit]] | None = None) -> None:
    """What observed limits say of these amounts; `others` are those in the way of each later candidate."""
    from .accounts import FULL
    from .admission import limit_votes
    from .limits import overrun

    found = overrun(run, wanted)
    for limit in dict.fromkeys(line.limit.name.text for line, _ in found):
        own = [(line, room) for line, room in found if line.limit.name.text == limit]
        statement = own[0][0].limit
        if any(statement not in each for each in others or []):
            run.would.append(Vote(statement, "allow"))
        elif all(room < FULL for _, room in own):
            run.would.append(Vote(statement, "wait"))
        else:
            run.would += limit_votes(run, [line for line, _ in own], call)
