"""Makes a difference between the engines small enough to read: fewer statements, fewer events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pprint import pformat
from typing import Any

from checkrein.errors import PolicyError
from tests.both import Compiled, Event, Walked, load

from .generate import source_of

Compare = Callable[[Walked, Compiled, Event], tuple[Any, str | None]]


@dataclass(frozen=True)
class Link:
    """A call, attempt or request, by the event that it came from: its number changes when others go."""

    event: int


Step = tuple[int, Event]


class Minimiser:
    """Repeats one run with less and less of it, as long as `compare` still finds a difference."""

    def __init__(self, compare: Compare, run_seed: int, begun: int) -> None:
        self.compare = compare
        self.run_seed = run_seed
        self.begun = begun

    def report(self, statements: list[str], events: list[Event], told: str) -> str:
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
        seen: list[Event] = []
        self._differs(statements, steps, seen)
        lines = [f"run seed {self.run_seed}, begun at {self.begun}", source_of(statements)]
        lines += [f"{method} {pformat(arguments, width=150, compact=True)}" for method, arguments in seen]
        return "\n".join([*lines, told])

    def _both(self, policy: Any, program: Any) -> tuple[Walked, Compiled]:
        return Walked(policy, self.run_seed, self.begun), Compiled(program, self.run_seed, self.begun)

    def _linked(self, statements: list[str], events: list[Event]) -> list[Step]:
        policy, program = load(source_of(statements))
        walked, compiled = self._both(policy, program)
        came_from: dict[tuple[str, int], int] = {}
        steps = []
        for place, (method, arguments) in enumerate(events):
            answer, _ = self.compare(walked, compiled, (method, arguments))
            linked = {name: came_from.get((name, value), value) if name in LINKED else value
                      for name, value in arguments.items()}  # fmt: skip
            steps.append((place, (method, linked)))
            for name in LINKED:
                if isinstance(answer, dict) and answer.get(name) is not None:
                    came_from.setdefault((name, answer[name]), Link(place))
        return steps

    def _differs(
        self, statements: list[str], steps: list[Step], seen: list[Event] | None = None
    ) -> str | None:
        try:
            policy, program = load(source_of(statements))
        except PolicyError:
            return None
        walked, compiled = self._both(policy, program)
        answers: dict[int, Any] = {}
        for place, (method, linked) in steps:
            arguments = dict(linked)
            for name, value in linked.items():
                if isinstance(value, Link):
                    answer = answers.get(value.event)
                    arguments[name] = answer.get(name) if isinstance(answer, dict) else None
            if any(arguments[name] is None for name in LINKED if isinstance(linked.get(name), Link)):
                continue
            if seen is not None:
                seen.append((method, arguments))
            answers[place], told = self.compare(walked, compiled, (method, arguments))
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
