"""The asynchronous OpenAI client under a policy: the same as the synchronous one, and cancelling."""

import asyncio
import threading

import openai
import pytest

import checkrein
from checkrein.adapters.openai import guarded
from checkrein.demo.server import cut, refuse, say

from .conftest import RETRIES, asked, used

pytestmark = pytest.mark.asyncio


@pytest.fixture
def setup(serve, make_guard):
    """Runs `scenario(client, guard, server)` with a client of the running loop."""

    async def go(scenario, script, *statements):
        server, guard = serve(script), make_guard(*statements)
        async with openai.AsyncOpenAI(base_url=server.url, api_key="none") as plain:
            await scenario(guarded(plain, guard), guard, server)

    return go


def create(client, **settings):
    return client.chat.completions.create(**{"model": "large-1", "messages": asked(), **settings})


async def test_the_reply_is_exactly_booked(setup):
    async def scenario(client, guard, server):
        async with guard.run() as run:
            reply = await create(client, max_tokens=5000)
            assert reply.choices[0].message.content == "a b c d"
            assert used(run) == (3 + 4, 0)
        assert server.requests[0].max_tokens == 1000

    await setup(scenario, {"large-1": say("a b c d")})


async def test_only_the_policy_retries(setup):
    async def scenario(client, guard, server):
        async with guard.run():
            with pytest.raises(checkrein.Failed):
                await create(client)
        assert len(server.requests) == 3

    await setup(scenario, {"large-1": refuse(500)}, RETRIES)


async def test_parallel_calls_share_the_limit_exactly(setup):
    async def scenario(client, guard, server):
        async with guard.run():
            calls = [create(client) for _ in range(10)]
            results = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(r, checkrein.Stopped) for r in results) == 7
        assert len(server.requests) == 3

    limit = 'limit "calls" on run { model_calls <= 3 } else stop "over_limit"'
    await setup(scenario, {"large-1": say("a")}, limit)


async def test_a_stream_is_settled_exactly(setup):
    async def scenario(client, guard, server):
        async with guard.run() as run:
            chunks = [chunk async for chunk in await create(client, stream=True)]
            assert all(chunk.choices for chunk in chunks)
            assert used(run) == (3 + 4, 0)
            events = [
                e async for e in await client.responses.create(model="large-1", input="one", stream=True)
            ]
            assert events[-1].type == "response.completed"
            assert used(run) == (3 + 4 + 1 + 4, 0)
        assert server.requests[0].body["stream_options"] == {"include_usage": True}

    await setup(scenario, {"large-1": say("a b c d")})


async def test_a_stream_closed_early_keeps_its_hold(setup):
    async def scenario(client, guard, _server):
        async with guard.run() as run:
            async with await create(client, stream=True) as stream:
                await anext(stream)
                hold = used(run)[1]
            assert used(run) == (hold, 0)
            assert hold > 1000

    await setup(scenario, {"large-1": say("a b c d")})


async def test_a_cut_stream_keeps_its_hold(setup):
    async def scenario(client, guard, server):
        async with guard.run() as run:
            stream = await create(client, stream=True)
            hold = used(run)[1]
            with pytest.raises(openai.APIConnectionError):
                [chunk async for chunk in stream]
            assert used(run) == (hold, 0)
        assert len(server.requests) == 1

    await setup(scenario, {"large-1": cut("a b c d", after=2)}, RETRIES)


async def test_a_call_cancelled_in_the_middle_keeps_its_hold(setup):
    async def scenario(client, guard, server):
        async with guard.run() as run:
            task = asyncio.create_task(create(client))
            await asyncio.to_thread(server.wait, requests=1)
            hold = used(run)[1]
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert used(run) == (hold, 0)
            assert hold > 1000
        assert len(server.requests) == 1

    await setup(scenario, {"large-1": say("late", after=threading.Event())}, RETRIES)


async def test_the_deadline_cuts_a_call_off(setup):
    async def scenario(client, guard, server):
        async with guard.run():
            with pytest.raises((TimeoutError, openai.APITimeoutError)):
                await create(client)
        assert len(server.requests) == 1

    limit = 'limit "time" on run { active_time <= 100 ms } else stop "over_limit"'
    await setup(scenario, {"large-1": say("late", after=threading.Event())}, limit)


async def test_a_call_reserved_by_an_outer_layer_is_booked_once(setup):
    async def scenario(client, guard, _server):
        async def host_call(model, max_tokens):
            return await create(client, max_tokens=max_tokens)

        async with guard.run() as run:
            await run.model(host_call, model="large")
            assert used(run) == (3 + 4, 0)
            assert used(run, "model_calls") == (1, 0)

    await setup(scenario, {"large-1": say("a b c d")})
