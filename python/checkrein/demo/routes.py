"""Plays the scenes with several models: a cascade of two that are paid, and a cloud that is away.

The agent is built for the large model in both halves; with the guard, its policy chooses.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from openai import APIConnectionError

from checkrein import amounts
from checkrein.adapters import langchain
from checkrein.demo import agents, edge
from checkrein.demo.scenes import Scene, small_says
from checkrein.demo.server import LoopbackServer

if TYPE_CHECKING:
    from checkrein.demo.agents import Half
    from checkrein.guard import Guard

POLICY = Path(__file__).parent / "routes.rein"
KINDS = "cascade", "offline"


class _Counted(edge.LabelModel):
    """The edge model, which counts how often it ran; its copies count in the same place."""

    runs: Any

    def _generate(self, *arguments: Any, **options: Any) -> Any:
        self.runs["edge"] += 1
        return super()._generate(*arguments, **options)


def converse(scene: Scene, price: tuple[int, int], guard: Guard | None) -> tuple[Half, list[str]]:
    """One half of a scene: what it came to, and what was answered; `price` is the large model's.

    With a guard, the caller has opened the run.
    """
    return _cascade(scene, price, guard) if scene.kind == "cascade" else _offline(scene, guard)


def _cascade(scene: Scene, price: tuple[int, int], guard: Guard | None) -> tuple[Half, list[str]]:
    """Paid models on one server, and what each answer cost at each."""
    meters = {"large": agents.Meter(scene, price)}
    if guard is not None:
        (tariff,) = guard.models["small"]["price"]
        small = replace(scene, script=small_says)
        meters["small"] = agents.Meter(small, (tariff["input"], tariff["output"]))
    half, answers, paid = agents.Half(), [], dict.fromkeys(meters, 0)
    with LoopbackServer(dict(meters)) as server:
        agent = _agent(server.url, guard, {"small": _chat("small", server.url, logprobs=True)})
        for message in scene.asks:
            answers.append(agents.ask(agent, message))
            costs = {name: meter.spent - paid[name] for name, meter in meters.items()}
            paid = {name: meter.spent for name, meter in meters.items()}
            half.notes.append(f"{message} {_bill(costs)}: {answers[-1]}")
        half.calls = len(server.requests)
    half.spent = sum(paid.values())
    half.happened = agents.happened(answers, 0)
    return half, []


def _bill(costs: dict[str, int]) -> str:
    """Who is paid how much, and the sum, if there is one."""
    parts = [f"`{name}` {amounts.money(cost)}" for name, cost in reversed(costs.items()) if cost]
    total = f" = {amounts.money(sum(costs.values()))}" if len(parts) > 1 else ""
    return " + ".join(parts) + total


def _offline(scene: Scene, guard: Guard | None) -> tuple[Half, list[str]]:
    """A server that is away: nobody listens at its port, so every connection is refused, for real."""
    half = agents.Half()
    sent: list[httpx.Request] = []
    answers: list[str | None] = []
    with ExitStack() as stack:
        port = stack.enter_context(closing(socket.socket()))
        port.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{port.getsockname()[1]}/v1"
        client = stack.enter_context(httpx.Client(event_hooks={"request": [sent.append]}))
        counted: dict[str, Any] = {"http_client": client, "http_socket_options": ()}
        small = _chat("small", url, **counted)
        agent = _agent(url, guard, {"small": small, "edge": _Counted(runs=half.tools)}, **counted)
        for message in scene.asks:
            before, end = len(sent), "answered"
            try:
                answers.append(agents.ask(agent, message))
            except APIConnectionError as error:
                end = f"{type(error).__name__}: {error}"
            half.notes.append(f"{message} {len(sent) - before} requests refused, {end}")
            if len(answers) < len(half.notes):  # an application ends at an error that it does not expect
                break
    half.happened = agents.happened(answers, 0) if len(answers) == len(scene.asks) else "no answer"
    return half, []


def _agent(url: str, guard: Guard | None, models: dict[str, Any], **options: Any) -> Any:
    """An agent for the large model; the guard is one more middleware, with the models that it may choose."""
    guarding = [] if guard is None else [langchain.middleware(guard, models=models)]
    return create_agent(_chat("large", url, **options), [], middleware=guarding)


def _chat(model: str, url: str, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(model=model, base_url=url, api_key="none", **options)  # type: ignore[arg-type]
