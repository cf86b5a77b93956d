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


def require(run: Run, call: Call, model: str, names: list[str], required: list[tree.Require]) -> None:
    """What observed requirements say of the model that serves a call."""
    from .facts import holds
    from .models import meets, unfit

    used_in = call.ask.input_tokens
    for each in run.of["require"]:
        is_met = meets(each.need, run.models[model])
        if not each.observed or is_met or holds(run, each.when, call.ask) is not True:
            continue
        later = [run.models[name] for name in names[names.index(model) + 1 :]]
        others = [
            other
            for other in later
            if meets(each.need, other)
            and not unfit(required, other, used_in)
            and not health.bars(run, "model", other.name.text)
        ]
        run.would.append(Vote(each, "allow" if others else "deny"))
