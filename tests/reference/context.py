"""How much of a prompt was paid for before, by all that the family has sent."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checkrein.language import tree

    from .run import Run
    from .state import Call

MOST = 4096


def votes(run: Run, call: Call) -> list[tuple[tree.Loop, bool]]:
    """The loops that are found at a model call, each with whether that could not be told."""
    found = []
    for loop in run.of["loop"]:
        if loop in call.loops:
            found.append((loop, False))
        elif loop.repeated_context is not None:
            if call.ask.messages is None:
                found.append((loop, True))
            elif share(run, call.ask.messages) * 10**6 >= loop.repeated_context:
                found.append((loop, False))
    return found


def share(run: Run, messages: list[tuple[int, int]]) -> Fraction:
    """The part of the tokens that is paid for again; none of a prompt without tokens."""
    marks = tuple(mark for mark, _ in messages)
    common = max((end for end in range(1, len(marks) + 1) if marks[:end] in run.family.beginnings), default=0)
    again = sum(
        tokens
        for place, (mark, tokens) in enumerate(messages)
        if place >= common and (mark in run.family.sent or mark in marks[:place])
    )
    total = sum(tokens for _, tokens in messages)
    return Fraction(again, total) if total else Fraction(-1)


def sends(run: Run, call: Call) -> None:
    """A model call is allowed: what its first attempt sends is paid for."""
    if call.point != "model" or call.made:
        return
    marks = tuple(mark for mark, _ in call.ask.messages or [])
    for end in range(1, len(marks) + 1):
        remember(run.family.sent, marks[end - 1])
        remember(run.family.beginnings, marks[:end])


def remember(known: list, each: object) -> None:
    """At the end, if it is not there; the oldest goes if there are too many."""
    if each not in known:
        known.append(each)
    del known[:-MOST]
