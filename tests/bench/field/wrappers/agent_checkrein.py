"""Checkrein's middleware for LangChain, under the benchmark's policy, with the log."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import checkrein
from checkrein.adapters import langchain
from tests.bench.field.environments import HOME
from tests.bench.field.policy import SCOPES
from tests.bench.field.wrappers.agents import MOST, Agent, stops

PACKAGE = "langchain"


class Peer:
    """A guard as a middleware, and a run for each question."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._guards: list[checkrein.Guard] = []

    def _guarded(self, most: int, calls: int = 1) -> Agent:
        log = Path(self._folder.name) / f"{most}.jsonl"
        guard = checkrein.load(HOME / f"agent-{most}.reinc", log=log, store="memory:")
        self._guards.append(guard)
        return Agent([langchain.middleware(guard)], calls, partial(guard.run, **SCOPES))

    def build(self, many: int) -> None:
        """Make the agent."""
        self._agent = self._guarded(MOST[1])

    def check(self) -> None:
        """The limit of tool calls holds."""
        stops(self._agent, self._guarded(MOST[0], calls=5), MOST[0])

    def shape(self, call: Any) -> Any:
        """Nothing is asked."""
        return call

    def ask(self, call: Any) -> Any:
        """One question with one tool call."""
        return self._agent.invoke()

    def close(self) -> None:
        """End the guards; their logs go with their folder."""
        for guard in self._guards:
            guard.close()
        self._folder.cleanup()
