"""Whether what has to come first has come: seen by the model, about the same, and with no change since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.language import tree

from .facts import filled, shown
from .values import ILL, MISSING

if TYPE_CHECKING:
    from .run import Run
    from .state import Call


def kept(run: Run, order: tree.Order, call: Call, names_tool: Any) -> bool | None:
    """Whether a call keeps an order; None if it cannot be told what the call is about."""
    about = values(run, order, call.ask.tool, call.ask.args)
    if about is None:
        return None
    family, changers = run.family, {name.text for name in order.again_after}
    own = {key for key in family.uses if key[0] == run.number and run.attempts[key[1]].call is call}
    began = [family.uses[key].began for key in own]
    # A change that is tried again is the same change, if there was no other since its latest attempt began.
    if began and not family.changed_since(max(began), changers, own):
        return True
    for tool, clock, args, number in run.successes:
        is_seen = call.last_step_clock is None or clock < call.last_step_clock
        is_same = names_tool(run, order.before, tool) and values(run, order, tool, args) == about
        if is_seen and is_same and not family.changed_since(family.uses[run.number, number].began, changers):
            return True
    return False


def fresh(run: Run, call: Call, names_tool: Any) -> int | None:
    """The attempt whose result a call may be given: none if it looked before what has changed since."""
    number = run.known.get(call.binding)
    if number is None:
        return None
    enforced = [order for order in run.of["order"] if not order.observed]
    looks = [order for order in enforced if names_tool(run, order.before, call.ask.tool)]
    changers = {name.text for order in looks for name in order.again_after}
    began = run.family.uses[run.number, number].began
    return None if run.family.changed_since(began, changers) else number


def values(run: Run, order: tree.Order, tool: str, args: dict[str, Any]) -> list | None:
    """What a call is about; None if an argument is missing or ill-typed."""
    found = [slot for _, _, slot in compared(run, order, tool, args)]
    return None if MISSING in found or ILL in found else found


def compared(run: Run, order: tree.Order, tool: str, args: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """The arguments that an order compares: name, dimension and value."""
    names = sorted((name.text for name in order.matching), key=str.encode)
    return [(f"call.args.{name}", *filled(run.tools[tool].args, name, args)) for name in names]


def explained(run: Run, order: tree.Order, call: Call) -> list[tuple[str, str]]:
    """The same, as a decision shows it."""
    known = run.vocabulary
    rows = compared(run, order, call.ask.tool, call.ask.args)
    return [(name, shown(kind, slot, known.currency, known.constants)) for name, kind, slot in rows]
