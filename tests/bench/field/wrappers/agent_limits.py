"""LangChain's two limit middlewares."""

from __future__ import annotations

from typing import Any

from langchain.agents.middleware import ModelCallLimitMiddleware, ToolCallLimitMiddleware

from tests.bench.field.wrappers.agents import Agent, stops

PACKAGE = "langchain"


def limits(most: int) -> list[Any]:
    """At most so many tool calls in a run."""
    return [
        ModelCallLimitMiddleware(run_limit=100),
        ToolCallLimitMiddleware(run_limit=most, exit_behavior="continue"),
    ]


class Peer:
    """Calls of models and tools are counted."""

    def build(self, many: int) -> None:
        """Make the agent."""
        self._agent = Agent(limits(100))

    def check(self) -> None:
        """The limit of tool calls holds."""
        stops(self._agent, Agent(limits(2), calls=5), 2)

    def shape(self, call: Any) -> Any:
        """Nothing is asked."""
        return call

    def ask(self, call: Any) -> Any:
        """One question with one tool call."""
        return self._agent.invoke()
