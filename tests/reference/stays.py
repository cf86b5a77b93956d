"""Which model served a session, or a run without one, and whether the next call stays with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .prices import MILLION, of_size, worst
from .state import Attempt, Call

if TYPE_CHECKING:
    from .run import Run

KEPT = 300 * 10**9


@dataclass
class Stay:
    """The model that served, the tokens of its prompt, and until when others that failed are left alone."""

    model: str
    prompt: int
    until: int
    left: dict[str, int] = field(default_factory=dict)


def latest(run: Run) -> Stay | None:
    """What served last, if that still matters."""
    session = run.scopes["session"]
    stay = run.stay if session is None else run.world.stays.get(session)
    return stay if stay and run.now <= stay.until else None


def serve(run: Run, tried: Attempt) -> None:
    """An attempt that came back has served, if it is known what it was sent."""
    call = tried.call
    if call.point != "model" or not run.of["route"] or tried.usage.kind not in ("exact", "at_least"):
        return
    before, until = latest(run), run.now + KEPT
    known = (before.left if before else {}) | dict.fromkeys(call.failed, until)
    over = {call.climbed, tried.target}
    left = {name: end for name, end in known.items() if run.now <= end and name not in over}
    stay = Stay(tried.target, tried.usage.input, until, left)
    session = run.scopes["session"]
    if session is None:
        run.stay = stay
    else:
        run.world.stays[session] = stay


def stays(run: Run, call: Call, names: list[str], is_chosen: bool) -> bool:
    """Whether the model that served last comes before the first candidate."""
    stay = latest(run)
    if not stay or stay.model not in names[1:] or not run.of["route"]:
        return False
    first = names[0]
    if run.now <= stay.left.get(first, -1):
        return True
    next_model, last = run.models[first], run.models[stay.model]
    if not is_chosen or (next_model.tier or 0) > (last.tier or 0):
        return False
    prompt, most = call.ask.input_tokens, call.ask.max_output
    out = min(next_model.output, last.output, *([] if most is None else [most]))
    cached = stay.prompt if prompt >= stay.prompt else 0
    tariffs = [each for each in run.tariffs[stay.model] if of_size(each, prompt)]
    read = max((each.cache_read for each in tariffs), default=0)
    dear_in = max((max(each.input, each.cache_read, each.cache_write) for each in tariffs), default=0)
    dear_out = max((max(each.output, each.reasoning) for each in tariffs), default=0)
    staying = -(-(cached * read + (prompt - cached) * dear_in + out * dear_out) // MILLION)
    return worst(run.tariffs[first], prompt, out) > staying
