"""What a run and the runs that it starts remember together, and the loops that they make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import xxhash

from .values import call_bytes

if TYPE_CHECKING:
    from checkrein.language import tree

    from .run import Run

LONGEST = 256
MOST = 4096


@dataclass
class Noted:
    """A logical tool call, and in which step of all of them it was asked."""

    tool: str
    args: dict[str, Any]
    step: int
    marks: dict[frozenset[str], int] = field(default_factory=dict)

    def mark(self, ignored: frozenset[str]) -> int:
        """What the call is known by without these arguments."""
        if ignored not in self.marks:
            left = {name: each for name, each in self.args.items() if name not in ignored}
            self.marks[ignored] = xxhash.xxh3_64_intdigest(call_bytes(self.tool, left))
        return self.marks[ignored]


@dataclass
class Use:
    """An attempt at a tool call, from one moment of the family to another."""

    tool: str
    began: int
    ended: int | None = None
    is_sent: bool = True


@dataclass
class Family:
    """The latest tool calls and given up errors, each with the steps of all of them so far."""

    steps: int = 0
    ring: list[Noted] = field(default_factory=list)
    mistakes: list[tuple[tuple, int]] = field(default_factory=list)
    given: list[int] = field(default_factory=list)
    brought: dict[frozenset[str], list[tuple[bytes, int | None]]] = field(default_factory=dict)
    """By the arguments that are left out: calls with what they gave."""
    sent: list[int] = field(default_factory=list)
    beginnings: list[tuple[int, ...]] = field(default_factory=list)
    """Of prompts, by the messages up to there."""
    moment: int = 0
    uses: dict[tuple[int, int], Use] = field(default_factory=dict)
    """By the numbers of the run and of the attempt."""

    def begin(self, run: int, attempt: int, tool: str) -> None:
        """An attempt at a tool call is opened."""
        self.moment += 1
        self.uses[run, attempt] = Use(tool, self.moment)

    def end(self, run: int, attempt: int, is_sent: bool) -> None:
        """It is over; not sent, it never was."""
        self.moment += 1
        use = self.uses[run, attempt]
        use.ended, use.is_sent = self.moment, is_sent

    def changed_since(self, moment: int, tools: set[str], but: set[tuple[int, int]] = frozenset()) -> bool:
        """Whether an attempt at one of these tools, but for these attempts, was open or ended since then."""
        uses = [use for key, use in self.uses.items() if use.tool in tools and use.is_sent and key not in but]
        return any(use.ended is None or use.ended > moment for use in uses)

    def note(self, tool: str, args: dict[str, Any]) -> None:
        """A logical tool call was asked."""
        self.ring.append(Noted(tool, args, self.steps))
        del self.ring[:-LONGEST]

    def give(self, fingerprint: int) -> None:
        """A tool gave this, or the agent was told it in place of what a tool gives."""
        if fingerprint not in self.given:
            self.given.append(fingerprint)
        del self.given[:-MOST]

    def mistake(self, mistake: tuple) -> None:
        """A tool's error was given up."""
        self.mistakes.append((mistake, self.steps))
        del self.mistakes[:-LONGEST]


def closed_by_call(run: Run, tool: str) -> list[tree.Loop]:
    """The loops that the newest call makes with those before it."""
    if tool in run.tools and run.tools[tool].may_repeat:
        return []
    return [loop for loop in run.of["loop"] if is_stuck(run, loop)]


def is_stuck(run: Run, loop: tree.Loop) -> bool:
    """Whether the newest call is one too many of its kind, or ends one round too many."""
    ignored = frozenset(fact.text.removeprefix("call.args.") for fact in loop.ignoring)
    marks = [each.mark(ignored) for each in run.family.ring]
    if loop.same_call:
        count, steps = loop.same_call
        recent = [each for each in run.family.ring if run.family.steps - each.step < steps]
        if marks[len(marks) - len(recent) :].count(marks[-1]) >= count:
            return True
    longest, times = loop.cycle or (0, 0)
    tails = [(period, marks[-period * times :]) for period in range(1, longest + 1)]
    return any(len(tail) == period * times and tail == tail[:period] * times for period, tail in tails)


def closed_by_error(run: Run) -> list[tree.Loop]:
    """The loops that the newest error makes with those before it."""
    found = []
    newest = run.family.mistakes[-1][0]
    for loop in run.of["loop"]:
        count, steps = loop.same_error or (0, 0)
        recent = [each for each, step in run.family.mistakes if run.family.steps - step < steps]
        if steps and recent.count(newest) >= count:
            found.append(loop)
    return found
