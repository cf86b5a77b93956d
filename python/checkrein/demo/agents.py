"""Plays a scene with a real LangChain agent over HTTP, without the guard or with it, and counts.

The two halves of a scene differ in one line: with the guard, its middleware is added to the agent's.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain.agents import create_agent
from langchain.agents.middleware import wrap_tool_call
from langchain_core.messages import ToolMessage
from langchain_openai import ChatOpenAI
from langgraph.errors import GraphRecursionError

from checkrein.adapters import langchain
from checkrein.demo import edge
from checkrein.demo.scenes import Say, Scene, Talk
from checkrein.demo.server import LoopbackServer, Received, Reply
from checkrein.demo.shop import Shop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkrein.guard import Guard

TURNS_MAX = 12
"""After so many turns an agent is cut off, so that the demo ends."""

STEPS_PER_TURN = 2
"""LangGraph counts the model and the tools as a step each."""

_CONFIG: Any = {"recursion_limit": STEPS_PER_TURN * TURNS_MAX}
_PROMPT = "Name the topic of the message in one word: " + ", ".join(edge.LABELS) + "."


@dataclass(slots=True)
class Half:
    """What one half of a scene came to, counted by the model server and by the tools themselves.

    `spent` is in nano-dollars; `happened` says how it ended, and `by` which statements saw to that.
    """

    calls: int = 0
    spent: int = 0
    tools: Counter[str] = field(default_factory=Counter)
    happened: str = ""
    by: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


class Meter:
    """The scripted model, and the bill for its replies at the policy's prices."""

    def __init__(self, scene: Scene, price: tuple[int, int]) -> None:
        self._script = scene.script
        self._price = price
        self.spent = 0

    def __call__(self, received: Received) -> Reply:
        """What the model says to one request. Its tokens are what the server then reports as used."""
        say = self._script(Talk(received.body["messages"]))
        called = sum(1 + len(arguments) for _name, arguments in say.calls)
        output = len(say.text.split()) + called + say.thinks
        if received.max_tokens is not None and output > received.max_tokens:
            # As a real server: it was still thinking when its output was used up.
            say, output = Say(), received.max_tokens
        # A million tokens cost so many nano-dollars; a call's cost is rounded up once.
        self.spent += -(-(received.input_tokens * self._price[0] + output * self._price[1]) // 1_000_000)
        return Reply(text=say.text, tool_calls=say.calls, output_tokens=output, sure=say.sure)


@wrap_tool_call
def errors_as_messages(request: Any, handler: Any) -> Any:
    """The usual way to keep an agent alive: a tool's error becomes a message to the model."""
    try:
        return handler(request)
    except Exception as error:  # noqa: BLE001 - whatever a tool raises
        text = f"Tool error: {error}. Please try again."
        return ToolMessage(text, tool_call_id=request.tool_call["id"], status="error")


def converse(scene: Scene, price: tuple[int, int], guard: Guard | None) -> tuple[Half, list[str]]:
    """One half of a scene: every message of the customers, to an agent; and what it answered.

    With a guard, the caller has opened the run.
    """
    meter, shop = Meter(scene, price), Shop()
    with ExitStack() as stack:
        server = stack.enter_context(LoopbackServer({"large": meter}))
        stack.enter_context(closing(shop))
        answers = [ask(_agent(scene, server.url, shop, guard), message) for message in scene.asks]
        half = Half(len(server.requests), meter.spent, shop.runs)
    answered = [answer for answer in answers if answer is not None]
    if len(answered) < len(answers):
        half.happened = f"cut off at turn {TURNS_MAX}"
    else:
        half.happened = happened(answers, shop.refunded)
    return half, answered


def happened(answers: Sequence[object], refunded: float) -> str:
    """How a half ended that was not cut off, and what money left the shop."""
    ended = "answered" if len(answers) == 1 else f"{len(answers)} answers"
    return ended + (f", ${refunded:,.2f} refunded" if refunded else "")


def _agent(scene: Scene, url: str, shop: Shop, guard: Guard | None) -> Any:
    """A LangChain agent as its user would build it; the guard is one more middleware."""
    large = ChatOpenAI(model="large", base_url=url, api_key="none")  # type: ignore[arg-type]
    guarding = [] if guard is None else [_guarding(scene, guard)]
    if scene.kind == "classify":
        return create_agent(large, [], system_prompt=_PROMPT, middleware=guarding)
    return create_agent(large, shop.tools(), middleware=[errors_as_messages, *guarding])


def _guarding(scene: Scene, guard: Guard) -> Any:
    """The guard's middleware; the application tells it which of its steps are small."""
    step = {"step": "classify"} if scene.kind == "classify" else {}
    return langchain.middleware(guard, models={"edge": edge.LabelModel()}, describe=lambda _request: step)


def own_recursion_limit() -> int:
    """The recursion limit that `create_agent` sets by itself, in LangGraph's steps."""
    model = ChatOpenAI(model="large", base_url="http://127.0.0.1", api_key="none")  # type: ignore[arg-type]
    return int((create_agent(model, []).config or {}).get("recursion_limit", 0))


def ask(agent: Any, message: str) -> str | None:
    """The agent's last word, or None if it was cut off."""
    try:
        state = agent.invoke({"messages": [("user", message)]}, config=_CONFIG)
    except GraphRecursionError:
        return None
    messages: Sequence[Any] = state["messages"]
    return str(messages[-1].text)
