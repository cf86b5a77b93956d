"""Several random hosts with a run each, which share scopes and the time."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.both import Event

from .generate import Made
from .hosts import Clock, Host
from .travels import Traveller

SCOPES = ("session", "user", "team", "org")


class Party:
    """Several hosts by the names of their runs; they take turns."""

    def __init__(self, chance: Random, made: Made, begun: int) -> None:
        self.chance = chance
        self.clock = Clock(chance, begun)
        self.wall = self.clock.wall
        self.runs: dict[str, dict[str, Any]] = {}
        for name in "abcd"[: chance.choice([1, 1, 2, 3, 4])]:
            self.runs[name] = self._whose()
        self.hosts = {
            name: (Host if "parent" in whose else Traveller)(chance, made, self.clock)
            for name, whose in self.runs.items()
        }
        self.last = "a"

    def _whose(self) -> dict[str, Any]:
        if self.runs and self.chance.random() < 0.3:
            return {"parent": self.chance.choice(list(self.runs))}
        draw = self.chance.choices
        ids = {scope: draw([f"{scope}1", f"{scope}2", None], [60, 30, 10])[0] for scope in SCOPES}
        keys = {"acct.id": draw(["n1", "n2", None], [6, 3, 1])[0]}
        keys["acct.tier"] = draw(["free", "paid", "other", None], [6, 3, 1, 1])[0]
        whose = {scope: each for scope, each in ids.items() if each is not None}
        whose["id"] = f"run {len(self.runs)}"
        return whose | {"keys": {name: key for name, key in keys.items() if key is not None}}

    def next(self) -> tuple[str, Event]:
        """One of the runs, and its next event."""
        if self.chance.random() < 0.4:
            going = [name for name, host in self.hosts.items() if not host.is_over]
            self.last = self.chance.choice(going)
        if self.hosts[self.last].is_over:
            self.last = next(name for name, host in self.hosts.items() if not host.is_over)
        self.clock.move()
        method, arguments = self.hosts[self.last].next()
        if method not in ("held", "tell_agent"):
            arguments = {**arguments, "wall": self.clock.wall}
        return self.last, (method, arguments)

    @property
    def is_over(self) -> bool:
        return all(host.is_over for host in self.hosts.values())
