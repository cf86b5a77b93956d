"""An agent that is a process of its own, without a framework; under the guard if it is told of a policy.

`python -m checkrein.demo.worker` reads one task as JSON from its standard input, with the conversation
so far, and writes what came of it to its standard output.
"""

from __future__ import annotations

import http.client
import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import checkrein
from checkrein.demo.shop import Shop
from checkrein.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

Messages = list[dict[str, Any]]


def main() -> None:
    """Do one task."""
    task = json.load(sys.stdin)
    shop = Shop()
    done: dict[str, Any] = {"answer": None, "suspended": False, "refused": None}
    if "policy" in task:
        done |= _guarded(task, shop)
    else:
        done["answer"] = _talk(task, _client(task["url"]), _unguarded, shop)
    shop.close()
    json.dump({**done, "messages": task["messages"], "runs": shop.runs, "refunds": shop.refunds}, sys.stdout)


def _guarded(task: dict[str, Any], shop: Shop) -> dict[str, Any]:
    """The same under the policy: begins the run or goes on with it, and leaves it where a person is asked."""
    client = _client(task["url"])
    done: dict[str, Any] = {}
    guard = checkrein.load(task["policy"], store=task["store"], log=task["log"])
    try:
        with guard.run(id=task["run"]) if task["starts"] else guard.resume(task["run"]) as run:
            ask = partial(run.model, client, model="large")
            try:
                done["answer"] = _talk(task, ask, run.tool, shop)
            except checkrein.Escalated:
                run.suspend()
                done["suspended"] = True
    except EngineError as error:
        done["refused"] = str(error)
    finally:
        guard.close()
    return done


def _talk(task: dict[str, Any], ask: Callable[..., Any], use: Callable[..., Any], shop: Shop) -> str | None:
    """The agent: model and tools in turn, until it answers. None if it ended at the tool of `ends_at`."""
    messages: Messages = task["messages"]
    while True:
        if messages[-1]["role"] != "assistant":
            messages.append(ask(messages=messages)["choices"][0]["message"])
        calls = messages[-1].get("tool_calls")
        if not calls:
            return str(messages[-1]["content"])
        for call in calls:
            name = call["function"]["name"]
            result = use(name, getattr(shop, name), **json.loads(call["function"]["arguments"]))
            if name == task.get("ends_at"):
                return None  # before anybody noted that the tool ran
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})


def _unguarded(_name: str, tool: Callable[..., str], **arguments: Any) -> str:
    return tool(**arguments)


def _client(url: str) -> Callable[..., Any]:
    """A function that asks the model server."""
    place = urlsplit(url)

    def ask(messages: Messages, model: str = "large", max_tokens: int | None = None) -> Any:
        body = {"model": model, "messages": messages, "max_tokens": max_tokens}
        line = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
        line.request("POST", f"{place.path}/chat/completions", json.dumps(body))
        return json.load(line.getresponse())

    return ask


if __name__ == "__main__":
    main()
