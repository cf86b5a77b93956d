"""An agent loop by hand, without any framework: the guard's own face over a plain client."""

import asyncio
import json
import threading

import openai
import pytest

import checkrein
from checkrein.demo.server import call_tool, cut, refuse, say

from .conftest import RETRIES, asked, used


class Loop:
    """The loop that everybody writes: ask the model, run its tools, ask again."""

    def __init__(self, client):
        self.client = client
        self.ran = []

    def call_model(self, model, max_tokens, messages):
        return self.client.chat.completions.create(
            model=f"{model}-1", messages=messages, max_tokens=max_tokens, timeout=30
        )

    def search(self, query):
        self.ran.append(query)
        return f"found {query}"

    def go(self, run, text="one two three"):
        messages = asked(text)
        while True:
            reply = run.model(self.call_model, model="large", messages=messages).choices[0].message
            if not reply.tool_calls:
                return reply.content
            messages.append(reply.model_dump(exclude_none=True))
            for call in reply.tool_calls:
                try:
                    content = run.tool(call.function.name, self.search, **json.loads(call.function.arguments))
                except checkrein.Denied as denied:
                    content = str(denied.decision.reason)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": content})


@pytest.fixture
def loop(client_of):
    return lambda server: Loop(client_of(server, max_retries=0))


def test_an_agent_that_ends_is_exactly_booked(serve, make_guard, loop):
    server = serve({"large-1": [call_tool("search", query="x"), say("a b c d")]})
    agent = loop(server)
    with make_guard().run() as run:
        assert agent.go(run) == "a b c d"
        assert used(run) == (sum(r.input_tokens for r in server.requests) + 2 + 4, 0)
    assert (agent.ran, str(run.outcome)) == (["x"], "completed")


def test_a_runaway_agent_is_stopped_after_exactly_n_calls(serve, make_guard, loop):
    server = serve({"large-1": lambda received: call_tool("search", query=str(received.index))})
    agent = loop(server)
    with make_guard('limit "calls" on run { model_calls <= 5 } else stop "over_limit"').run() as run:
        agent.go(run)
    assert (len(server.requests), len(agent.ran), str(run.outcome)) == (5, 5, "over_limit")


def test_an_agent_that_repeats_itself_is_stuck(serve, make_guard, loop):
    server = serve({"large-1": call_tool("search", query="same")})
    agent = loop(server)
    with make_guard('loop "stuck" on run { same call >= 3 within 10 steps } else stop "stuck"').run() as run:
        agent.go(run)
    assert (len(server.requests), len(agent.ran), str(run.outcome)) == (3, 2, "stuck")


def test_attempts_that_leave_are_exactly_those_of_the_policy(serve, make_guard, loop, clock):
    server = serve({"large-1": [refuse(429, retry_after=3), refuse(500), say("a")]})
    with make_guard(RETRIES).run() as run:
        assert loop(server).go(run) == "a"
        assert used(run, "model_calls") == (3, 0)
    assert len(server.requests) == 3
    assert clock.now() >= 4_000_000_000


def test_a_host_exception_passes_unchanged(make_guard):
    error = LookupError("the host's own")

    def broken(**_arguments):
        raise error

    for call in (
        lambda run: run.model(broken, model="large"),
        lambda run: run.tool("search", broken, query="x"),
    ):
        with pytest.raises(LookupError) as caught, make_guard().run() as run:
            call(run)
        assert caught.value is error
        assert run.outcome.kind == "error"


@pytest.mark.parametrize("reply", [say("a b c d"), cut("a b c d", after=2)])
def test_a_stream_that_does_not_say_its_usage_keeps_its_hold(serve, make_guard, loop, reply):
    server = serve({"large-1": reply})
    client = loop(server).client

    def stream(model, max_tokens):
        return client.chat.completions.create(
            model="large-1", messages=asked(), max_tokens=max_tokens, stream=True
        )

    with make_guard().run() as run:
        chunks = run.model(stream, model="large", max_tokens=20, input_tokens=10)
        try:
            list(chunks)
        except openai.APIConnectionError:
            assert reply.cut_after
        assert used(run) == (30, 0)


def test_a_generator_of_the_hosts_is_a_stream(make_guard):
    def words(model, max_tokens):
        for n in range(max_tokens):
            yield {"text": n}
        yield {"usage": {"input_tokens": 7, "output_tokens": max_tokens}}

    with make_guard().run() as run:
        assert len(list(run.model(words, model="large", max_tokens=20, input_tokens=10))) == 21
        assert used(run) == (27, 0)


@pytest.mark.asyncio
async def test_the_asynchronous_loop_is_governed_alike(serve, make_guard):
    server = serve({"large-1": call_tool("search", query="same")})
    ran = []

    async def search(query):
        ran.append(query)
        return query

    async with openai.AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as client:

        async def call_model(model, max_tokens, messages):
            return await client.chat.completions.create(
                model="large-1", messages=messages, max_tokens=max_tokens
            )

        guard = make_guard('loop "stuck" on run { same call >= 3 within 10 steps } else stop "stuck"')
        async with guard.run() as run:
            while True:
                reply = await run.model(call_model, model="large", messages=asked())
                for call in reply.choices[0].message.tool_calls:
                    await run.tool("search", search, **json.loads(call.function.arguments))
    assert (len(server.requests), len(ran), str(run.outcome)) == (3, 2, "stuck")
    assert used(run) == (3 * (3 + 2), 0)


@pytest.mark.asyncio
async def test_cancelling_in_the_middle_keeps_the_hold(serve, make_guard):
    server = serve({"large-1": say("late", after=threading.Event())})
    async with openai.AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as client:

        async def call_model(model, max_tokens):
            return await client.chat.completions.create(
                model="large-1", messages=asked(), max_tokens=max_tokens
            )

        async with make_guard(RETRIES).run() as run:
            task = asyncio.create_task(run.model(call_model, model="large", max_tokens=20, input_tokens=10))
            await asyncio.to_thread(server.wait, requests=1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert used(run) == (30, 0)
    assert len(server.requests) == 1


@pytest.mark.asyncio
async def test_decorated_functions_find_their_run_in_tasks(make_guard):
    guard = make_guard('limit "tools" on run { tool_calls <= 3 } else stop "over_limit"')

    @guard.tool
    async def search(query):
        await asyncio.sleep(0)
        return query

    async with guard.run() as run:
        results = await asyncio.gather(*(search(query=str(n)) for n in range(5)), return_exceptions=True)
    assert sum(isinstance(r, checkrein.Stopped) for r in results) == 2
    assert str(run.outcome) == "over_limit"
    with pytest.raises(checkrein.EngineError, match="outside a run"):
        await search(query="x")
