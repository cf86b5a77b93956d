"""Makes a difference between the engines small enough to read: fewer statements, fewer events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pprint import pformat
from typing import Any

from checkrein.errors import PolicyError
from tests.both import Compiled, Event, Hosted, Walked, load

from .generate import source_of

Compare = Callable[[Hosted, Hosted, str, Event], tuple[Any, str | None]]


@dataclass(frozen=True)
class Link:
    """A call, attempt or request, by the event that it came from: its number changes when others go."""

    event: int


Step = tuple[int, str, Event]


@dataclass(frozen=True)
class Scene:
    """The runs with their scopes and parents, and when they begin."""

    runs: dict[str, dict[str, Any]]
    seed: int
    now: int
    wall: int

    def play(self, kind: Any, policy: Any) -> Hosted:
        """The runs, in one of the engines."""
        return Hosted(kind, policy, self.runs, self.seed, self.now, self.wall)


class Minimiser:
    """Repeats one run with less and less of it, as long as `compare` still finds a difference."""

    def __init__(self, compare: Compare, scene: Scene) -> None:
        self.compare = compare
        self.scene = scene

    def report(self, statements: list[str], events: list[tuple[str, Event]], told: str) -> str:
        """The smallest policy and events found, and what differs at the last event."""
        steps = self._linked(statements, events)
        shrinking = True
        while shrinking:
            shrinking = False
            for fewer in without_some(steps):
                if found := self._differs(statements, fewer):
                    steps, told, shrinking = fewer, found, True
                    break
            for fewer in without_some(statements):
                if found := self._differs(fewer, steps):
                    statements, told, shrinking = fewer, found, True
                    break
        seen: list[tuple[str, Event]] = []
        self._differs(statements, steps, seen)
        lines = [str(self.scene), source_of(statements)]
        lines += [f"{run}: {pformat(event, width=150, compact=True)}" for run, event in seen]
        return "\n".join([*lines, told])

    def _both(self, policy: Any, program: Any) -> tuple[Hosted, Hosted]:
        return self.scene.play(Walked, policy), self.scene.play(Compiled, program)

    def _linked(self, statements: list[str], events: list[tuple[str, Event]]) -> list[Step]:
        policy, program = load(source_of(statements))
        walked, compiled = self._both(policy, program)
        came_from: dict[tuple[str, str, int], Link] = {}
        steps = []
        for place, (run, (method, arguments)) in enumerate(events):
            answer, _ = self.compare(walked, compiled, run, (method, arguments))
            linked = {name: came_from.get((run, name, value), value) if name in LINKED else value
                      for name, value in arguments.items()}  # fmt: skip
            steps.append((place, run, (method, linked)))
            for name in LINKED:
                if isinstance(answer, dict) and answer.get(name) is not None:
                    came_from.setdefault((run, name, answer[name]), Link(place))
        return steps

    def _differs(
        self, statements: list[str], steps: list[Step], seen: list[tuple[str, Event]] | None = None
    ) -> str | None:
        try:
            policy, program = load(source_of(statements))
        except PolicyError:
            return None
        walked, compiled = self._both(policy, program)
        answers: dict[int, Any] = {}
        for place, run, (method, linked) in steps:
            arguments = dict(linked)
            for name, value in linked.items():
                if isinstance(value, Link):
                    answer = answers.get(value.event)
                    arguments[name] = answer.get(name) if isinstance(answer, dict) else None
            if any(arguments[name] is None for name in LINKED if isinstance(linked.get(name), Link)):
                continue
            if seen is not None:
                seen.append((run, (method, arguments)))
            answers[place], told = self.compare(walked, compiled, run, (method, arguments))
            if told:
                return told
        return None


LINKED = ("call", "attempt", "request")


def without_some(items: list) -> Iterator[list]:
    """The list without a half, a quarter, ... and in the end without each single item."""
    size = max(1, len(items) // 2)
    while True:
        for place in range(0, len(items), size):
            yield items[:place] + items[place + size :]
        if size == 1:
            return
        size //= 2
