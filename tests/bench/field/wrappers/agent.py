"""LangChain's agent alone."""

from __future__ import annotations

from typing import Any

from tests.bench.field.wrappers.agents import Agent, stops

PACKAGE = "langchain"


class Peer:
    """No middleware."""

    def build(self, many: int) -> None:
        """Make the agent."""
        self._agent = Agent([])

    def check(self) -> None:
        """It makes all calls that its model asks for."""
        stops(self._agent, Agent([], calls=3), 3)

    def shape(self, call: Any) -> Any:
        """Nothing is asked."""
        return call

    def ask(self, call: Any) -> Any:
        """One question with one tool call."""
        return self._agent.invoke()
