"""What holds where a policy says nothing: the loop that stops an agent which goes round in circles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.diagnostics import quote
from checkrein.language.tree import Loop, LoopOff, Name, Outcome, Span, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checkrein.diagnostics import Report

NAME = "stuck"
BUILT_IN = """\
loop "stuck" on run {
  same call >= 5 within 20 steps
  same error >= 5 within 20 steps
  cycle <= 8 calls repeated >= 4
} else stop "stuck"
"""
"""The statement as its author would write it, which explanations show."""
NOWHERE = Span(0, 0, 0, 0)
"""A place in no file."""


def with_loop(statements: Iterable[Any], report: Report) -> list[Any]:
    """The statements, with the built-in loop and its state if they have no loop and do not switch it off."""
    statements = list(statements)
    off = [each for each in statements if isinstance(each, LoopOff)]
    kept = [each for each in statements if not isinstance(each, LoopOff)]
    loops = [each for each in kept if isinstance(each, Loop) and each.observed is None]
    for each in off if loops else []:
        report.add(
            "R0517",
            each.span,
            f"`loop off` stands beside loop {quote(loops[0].name.text)}",
            help="remove it: a policy with a loop of its own has no built-in one",
        )
    if off or loops:
        return kept
    name = Name(NAME, NOWHERE)
    stop = Outcome("stop", NOWHERE, target=name)
    # An observed loop of the same name does not take the built-in one's place.
    is_taken = any(isinstance(each, Loop) and each.name.text == NAME for each in kept)
    own = Name(f"{NAME} (built in)", NOWHERE) if is_taken else name
    written = BUILT_IN.replace(f'loop "{NAME}"', f'loop "{own.text}"')
    loop = Loop(own, (), (5, 20), (5, 20), (8, 4), None, None, stop, NOWHERE, built_in=written)
    if not any(isinstance(each, State) and each.name.text == NAME for each in kept):
        agent = "You repeat yourself without getting on. Stop, and say what you could not do."
        user = "I could not make progress and stopped."
        kept.append(State(name, NOWHERE, agent, user))
    return [*kept, loop]


def has_built_in_loop(statements: Iterable[Any]) -> bool:
    """Whether the loop of these statements is the built-in one."""
    return any(isinstance(each, Loop) and each.built_in for each in statements)
