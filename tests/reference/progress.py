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
WAITED_FOR = 256


@dataclass(eq=False)
class Step:
    """What was asked for from a model call to the next, and for which arguments left out it is not idle."""

    has_asked: bool = False
    calls: list[Call] = field(default_factory=list)
    fresh: set[frozenset[str]] = field(default_factory=set)


@dataclass
class Steps:
    """The steps that are not counted yet, the present one last, and how many idle ones there were."""

    open: list[Step] = field(default_factory=lambda: [Step()])
    idle: dict[frozenset[str], int] = field(default_factory=lambda: defaultdict(int))


def watching(run: Run) -> list[tuple[tree.Loop, frozenset[str]]]:
    """The loops that look at progress, with the arguments that they leave out."""
    loops = [loop for loop in run.of["loop"] if loop.no_progress is not None]
    return [
        (loop, frozenset(fact.text.removeprefix("call.args.") for fact in loop.ignoring)) for loop in loops
    ]


def asked(run: Run, call: Call) -> None:
    """A tool is asked for, declared or not."""
    step, tool = run.steps.open[-1], call.ask.tool
    step.calls.append(call)
    if not (tool in run.tools and run.tools[tool].may_repeat):
        step.has_asked = True


def brought(run: Run, call: Call, mark: int | None) -> None:
    """A tool succeeded: is that new to the family? Then no step before this moment was idle."""
    for ignored in {ignored for _, ignored in watching(run)}:
        left = {name: each for name, each in call.ask.args.items() if name not in ignored}
        had = run.family.brought.setdefault(ignored, [])
        pair = (call_bytes(call.ask.tool, left), mark)
        if pair not in had:
            had.append(pair)
            for step in run.steps.open:
                step.fresh.add(ignored)
            run.steps.idle[ignored] = 0
        del had[:-MOST]


def stepped(run: Run) -> None:
    """A new logical model call: the step before it is over, and counts unless calls of it are under way."""
    asking = [step for step in run.steps.open if step.has_asked]
    waited_for = [
        step for step in asking[-WAITED_FOR:] if any(is_under_way(run, call) for call in step.calls)
    ]
    for step in asking:
        for ignored in {ignored for _, ignored in watching(run)}:
            run.steps.idle[ignored] += step not in waited_for and ignored not in step.fresh
    run.steps.open = [*waited_for, Step()]


def is_under_way(run: Run, call: Call) -> bool:
    """Whether a call was let pass, or waits without a person, and is not over."""
    is_flying = any(tried.usage is None for tried in run.attempts.values() if tried.call is call)
    return is_flying or (call.state == "open" and bool(call.made or call.waiting is not None))


def idle(run: Run) -> list[tree.Loop]:
    """The loops that have seen enough."""
    return [loop for loop, ignored in watching(run) if run.steps.idle[ignored] >= loop.no_progress]


def goes_on(run: Run, call: Call) -> None:
    """A model call passes. Loops that were found at it were let go on by a person: they count from here."""
    if call.point == "model" and call.loops:
        is_found = any(not loop.observed for loop in call.loops)
        call.loops = []
        if is_found:
            run.steps.idle.clear()
            del run.steps.open[:-1]
