"""What a conversation of the OpenAI client says that tools gave, in all the shapes that it has."""

from collections import deque

import pytest
from openai.types.responses import ResponseFunctionToolCallOutputItem

import checkrein
from checkrein.adapters.openai import guarded
from checkrein.demo.server import say

from .conftest import asked

TRUTH = 'truth { tool results } else deny because "No tool gave that."'
REAL, MADE_UP = '{"rows":[1,2]}', '{"rows":[3]}'


@pytest.fixture
def setup(serve, client_of, make_guard):
    """A server, a run in which a tool gave something, and a guarded client."""
    server, guard = serve({"large-1": say("a")}), make_guard(TRUTH)
    with guard.run() as run:
        run.tool("search", lambda query: {"rows": [1, 2]}, query="x")
        yield server, guarded(client_of(server), guard)


def parts(text):
    """A text in two parts, as messages may have it."""
    return [{"type": "text", "text": text[:4]}, {"type": "text", "text": text[4:]}]


CHAT = [
    lambda text: [*asked(), {"role": "tool", "tool_call_id": "1", "content": text}],
    lambda text: ({"role": "tool", "tool_call_id": "1", "content": text},),
    lambda text: [{"role": "tool", "tool_call_id": "1", "content": parts(text)}],
    lambda text: [{"role": "function", "name": "search", "content": text}],
    lambda text: deque([{"role": "tool", "tool_call_id": "1", "content": text}]),
    lambda text: iter([{"role": "tool", "tool_call_id": "1", "content": text}]),
]


@pytest.mark.parametrize("messages", CHAT)
def test_an_invented_tool_result_is_not_sent(setup, messages):
    server, client = setup
    for describe in ({}, {"input_tokens": 100}):
        client.chat.completions.create(model="large-1", messages=messages(REAL), describe=describe)
        with pytest.raises(checkrein.Denied, match="No tool gave that"):
            client.chat.completions.create(model="large-1", messages=messages(MADE_UP), describe=describe)
    assert len(server.requests) == 2


def item(text):
    return ResponseFunctionToolCallOutputItem(
        id="fc_1", call_id="1", output=text, type="function_call_output", status="completed"
    )


RESPONSES = [
    lambda text: [{"type": "function_call_output", "call_id": "1", "output": text}],
    lambda text: [{"type": "custom_tool_call_output", "call_id": "1", "output": text}],
    lambda text: [{"type": "function_call_output", "call_id": "1", "output": [
        {"type": "input_text", "text": text}]}],
    lambda text: [item(text)],
]  # fmt: skip


@pytest.mark.parametrize("items", RESPONSES)
def test_an_invented_output_is_not_sent(setup, items):
    server, client = setup
    create = client.responses.create
    create(model="large-1", input=items(REAL), describe={"input_tokens": 100})
    with pytest.raises(checkrein.Denied, match="No tool gave that"):
        create(model="large-1", input=items(MADE_UP), describe={"input_tokens": 100})
    assert len(server.requests) == 1
