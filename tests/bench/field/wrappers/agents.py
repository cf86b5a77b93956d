"""An agent of LangChain that calls one tool: alone, and with middlewares that limit it."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import count
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool

from tests.bench.field.worker import Wrong

MADE: list[str] = []
MOST = (2, 9_000_000)
"""The tool calls that a run may make, where a limit is to be met, and where it is not."""


@tool
def search_kb(query: str) -> str:
    """Look something up."""
    MADE.append(query)
    return "done"


class Scripted(BaseChatModel):
    """Asks for the tool so often, and then says that it is done."""

    calls: int = 1
    model_name: str = "large"
    max_tokens: int | None = 300

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        """It knows its tool."""
        return self

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        asked = sum(isinstance(message, AIMessage) for message in messages)
        calls = [{"name": "search_kb", "args": {"query": f"{messages[0].text} q{asked}"}, "id": f"c{asked}"}]
        usage = {"input_tokens": 80, "output_tokens": 12, "total_tokens": 92}
        message = AIMessage(
            "" if asked < self.calls else "done", tool_calls=calls if asked < self.calls else [],
            usage_metadata=usage,
        )  # fmt: skip
        return ChatResult(generations=[ChatGeneration(message=message)])


class Agent:
    """An agent with a tool and some middlewares."""

    def __init__(self, middleware: list[Any], calls: int = 1, begin: Any = nullcontext) -> None:
        self._agent = create_agent(Scripted(calls=calls), [search_kb], middleware=middleware)
        self._begin = begin
        self._number = count()

    def invoke(self) -> Any:
        """One question, one tool call, one answer; in a run of its own, if there are runs."""
        question = {"messages": [{"role": "user", "content": f"x{next(self._number)}"}]}
        with self._begin():
            return self._agent.invoke(question)


def made(agent: Agent) -> int:
    """How many tool calls one question leads to."""
    MADE.clear()
    agent.invoke()
    return len(MADE)


def stops(alone: Agent, limited: Agent, most: int) -> None:
    """The agent alone makes one call; one that would go on is stopped by its limit."""
    if (made(alone), found := made(limited)) != (1, most):
        raise Wrong(f"an agent that may make {most} tool calls made {found}")
