"""Failures 29 to 31 of docs/failures.md: what streams used, from real clients and a server on loopback."""

import asyncio
import gc

import openai
import pytest
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI

from checkrein.adapters import langchain
from checkrein.adapters.openai import guarded
from checkrein.demo.server import cut, refuse, say

from .conftest import figures

LIMIT = 'limit "run" on run { tokens <= 100k tokens model_calls <= 50 } else stop "over"'
FALLBACK = 'route "r" { to "large" fallback "large" -> "small" }'
RETRY = 'retry "again" on model any { attempts <= 3 backoff 1 s .. 2 s } else fail "over"'
WORDS = "one two three four"
HOLD = 4096


def asked(client, **settings):
    """One streamed chat completion of the large model, which holds 4,096 tokens."""
    describe = {"input_tokens": HOLD - 100}
    return client.chat.completions.create(
        model="large", messages=[{"role": "user", "content": "a b c"}], max_tokens=100, stream=True,
        describe=describe, **settings,
    )  # fmt: skip


def spent(run):
    return figures(run, "run", "tokens")


def test_failure_29_a_cut_stream_keeps_its_hold(load, serve):
    server = serve(large=say(WORDS))
    guard = load(LIMIT)
    with openai.OpenAI(base_url=server.url, api_key="none") as plain, guard.run() as run:
        client = guarded(plain, guard)
        assert len(list(asked(client))) > 4
        assert spent(run) == (3 + 4, 0)
        for number, leave in enumerate((lambda stream: stream.close(), _drop), 1):
            stream = asked(client)
            next(stream)
            assert spent(run) == ((number - 1) * HOLD + 7, HOLD)
            leave(stream)
            del stream
            gc.collect()
            assert spent(run) == (number * HOLD + 7, 0), "who leaves pays what was held"
        before = spent(run)[0]
        server.script["large"] = say(WORDS, input_tokens=0, output_tokens=0)
        assert list(asked(client))
        assert spent(run) == (before, 0), "zero is a number, and nobody's guess is better"
        server.script["large"] = cut(WORDS, after=2)
        with pytest.raises(openai.APIConnectionError):
            list(asked(client))
        assert spent(run) == (before + HOLD, 0)


def _drop(stream):
    stream.response.close()


def test_failure_30_streams_are_asked_for_their_usage(load, serve):
    server = serve(large=say(WORDS))
    guard = load(LIMIT)

    async def asynchronously(run):
        async with openai.AsyncOpenAI(base_url=server.url, api_key="none") as plain:
            chunks = [chunk async for chunk in await asked(guarded(plain, guard))]
        assert all(chunk.choices for chunk in chunks), "who did not ask for the usage does not see it"
        assert spent(run) == (2 * 7, 0)

    with openai.OpenAI(base_url=server.url, api_key="none") as plain, guard.run() as run:
        chunks = list(asked(guarded(plain, guard)))
        assert all(chunk.choices for chunk in chunks)
        assert spent(run) == (7, 0)
        asyncio.run(asynchronously(run))
        model = ChatOpenAI(model="large", base_url=server.url, api_key="none", use_responses_api=False)
        agent = create_agent(model, [], middleware=[langchain.middleware(guard)])
        parts = list(agent.stream({"messages": [("user", "a b c")]}, stream_mode="messages"))
        assert "".join(part.text for part, _ in parts if part.type == "AIMessageChunk") == WORDS
        assert spent(run) == (3 * 7, 0)
    assert [r.body["stream"] for r in server.requests] == [True] * 3
    assert [r.body["stream_options"] for r in server.requests] == [{"include_usage": True}] * 3


def test_failure_31_a_stream_is_not_switched_in_the_middle(load, serve):
    server = serve(large=cut(WORDS, after=2), small=say("another story"))
    guard = load(LIMIT, FALLBACK, RETRY)
    with openai.OpenAI(base_url=server.url, api_key="none") as plain, guard.run() as run:
        client = guarded(plain, guard, targets={"small": (plain, "small")})
        stream, seen = asked(client), []
        with pytest.raises(openai.APIConnectionError):
            seen.extend(_texts(stream))
        assert seen == ["one", " two"]
        assert spent(run) == (HOLD, 0)
        assert [r.model for r in server.requests] == ["large"]
        # Before the first chunk there is nothing to mix up: the other model answers, all of it.
        server.script["large"] = refuse(503)
        assert "".join(_texts(asked(client))) == "another story"
        assert [r.model for r in server.requests] == ["large"] * 4 + ["small"]
        assert spent(run) == (HOLD + 3 + 2, 0)


def _texts(stream):
    """The words of a stream, as they come."""
    for chunk in stream:
        yield from (choice.delta.content for choice in chunk.choices if choice.delta.content)
