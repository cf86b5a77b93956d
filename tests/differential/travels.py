"""A random host whose run is suspended now and then, and goes on in a process with another clock."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from tests.both import Event

from .generate import Made
from .hosts import SECOND, Clock, Host

SHARED_CLOCK = re.compile(r'limit "[^"]*" on (?!run )\S+ rolling|breaker |route |retry .* share ')


class Traveller(Host):
    """A host of a run that is nobody's child. While it is away it is asked all the same."""

    def __init__(self, chance: Random, made: Made, clock: Clock) -> None:
        super().__init__(chance, made, clock)
        self.ahead = 0
        self.is_away = False
        self.left = 0
        self.restless = chance.choice([0, 0.01, 0.06])
        # Processes share a rolling account through a store, not through one ledger with two clocks; and what
        # is known of models and tools they do not share at all.
        self.keeps_clock = any(SHARED_CLOCK.match(each) for each in made.statements)

    @property
    def now(self) -> int:
        return self.clock.now + self.ahead

    def next(self) -> Event:
        draw = self.chance.random()
        if self.is_away and draw < 0.8:
            return self._resume()
        if draw < self.restless:
            return self._suspend()
        if draw < 2 * self.restless:
            return "held", {"attempt": self.chance.choice([*self.flights, 1, 2, 999])}
        return super().next()

    def _suspend(self) -> Event:
        keep = [attempt for attempt in self.flights if self.chance.random() < 0.7]
        if self.chance.random() < 0.05:
            keep.append(self.chance.choice([1, 999]))
        return "suspend", {"now": self.now, "keep": keep}

    def _resume(self) -> Event:
        self.clock.pass_by(self.chance.choice([0, 0, 2, 25, 130, 4000]) * SECOND)
        later = self.clock.now - self.left
        if not self.keeps_clock and self.chance.random() < 0.8:
            clock = self.chance.choice([0, 5 * SECOND, self.now + 9000 * SECOND, 2**60])
            self._goes_by(clock - self.now)
        return "resume", {"now": self.now, "later": later}

    def _goes_by(self, ahead: int) -> None:
        """Another clock, so much ahead."""
        self.ahead += ahead
        self.waiting = [(ready + ahead, *rest) for ready, *rest in self.waiting]
        self.requests = {request: last + ahead for request, last in self.requests.items()}

    def saw(self, event: Event, answer: Any) -> None:
        method, arguments = event
        if isinstance(answer, dict) and "error" in answer:
            return
        if method == "resume":
            self.is_away = False
        elif method == "suspend" and not self.is_away:
            self.is_away = True
            self.left = self.clock.now
            for attempt in [each for each in self.flights if each not in arguments["keep"]]:
                ask = self.flights[attempt][2]
                usage = {"usage": "unknown", "input_tokens": ask.get("input_tokens", 0), "output_tokens": 0}
                self.settled.append((attempt, usage))
                self.closed.append(self.flights.pop(attempt))
        elif not self.is_away and method not in ("suspend", "held", "tell_agent"):
            super().saw(event, answer)
