"""What the steps of a run bring, and the loops that see that it is nothing new."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .values import call_bytes

if TYPE_CHECKING:
    from checkrein.language import tree

    from .run import Run
    from .state import Call

MOST = 4096


@dataclass
class Steps:
    """The present step of a run, and how many before it in a row were idle, by what loops leave out."""

    has_asked: bool = False
    fresh: set[frozenset[str]] = field(default_factory=set)
    idle: dict[frozenset[str], int] = field(default_factory=lambda: defaultdict(int))


def watching(run: Run) -> list[tuple[tree.Loop, frozenset[str]]]:
    """The loops that look at progress, with the arguments that they leave out."""
    loops = [loop for loop in run.of["loop"] if loop.no_progress is not None]
    return [
        (loop, frozenset(fact.text.removeprefix("call.args.") for fact in loop.ignoring)) for loop in loops
    ]


def asked(run: Run, tool: str) -> None:
    """A tool is asked for, declared or not."""
    if not (tool in run.tools and run.tools[tool].may_repeat):
        run.steps.has_asked = True


def brought(run: Run, call: Call, mark: int | None) -> None:
    """A tool succeeded: is that new to the family?"""
    for ignored in {ignored for _, ignored in watching(run)}:
        left = {name: each for name, each in call.ask.args.items() if name not in ignored}
        had = run.family.brought.setdefault(ignored, [])
        pair = (call_bytes(call.ask.tool, left), mark)
        if pair not in had:
            had.append(pair)
            run.steps.fresh.add(ignored)
            run.steps.idle[ignored] = 0
        del had[:-MOST]


def stepped(run: Run) -> None:
    """A new logical model call: the step before it is over."""
    for ignored in {ignored for _, ignored in watching(run)}:
        run.steps.idle[ignored] += run.steps.has_asked and ignored not in run.steps.fresh
    run.steps = Steps(idle=run.steps.idle)


def idle(run: Run) -> list[tree.Loop]:
    """The loops that have seen enough."""
    return [loop for loop, ignored in watching(run) if run.steps.idle[ignored] >= loop.no_progress]


def goes_on(run: Run, call: Call) -> None:
    """A model call passes. Loops that were found at it were let go on by a person: they count from here."""
    if call.point == "model" and call.loops:
        call.loops = []
        run.steps.idle.clear()
