"""The beginning of a stream belongs to its attempt: an error in place of the first chunk is tried again."""

import asyncio

import anthropic
import openai
import pytest

import checkrein
from checkrein.adapters.openai import guarded

from .answering import SAID, Answering

RETRY = """retry "models" on model any { attempts <= 3 within 60 s backoff 1 s .. 4 s } else fail "given_up"
state "given_up" tell agent "No model answers." """

CHUNK = (
    'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    '[{"index":0,"delta":{"content":"fine"},"finish_reason":null}],'
    '"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}\n\n'
)
DONE = "data: [DONE]\n\n"
BUSY = 'data: {"error":{"message":"No.","type":"server_error","code":null}}\n\n'

START = (
    'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message",'
    '"role":"assistant","content":[],"model":"m","stop_reason":null,"stop_sequence":null,'
    '"usage":{"input_tokens":3,"output_tokens":1}}}\n\n'
)
DELTA = (
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
    '"stop_sequence":null},"usage":{"output_tokens":1}}\n\n'
)
OVERLOADED = 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"No."}}\n\n'


@pytest.fixture
def server():
    server = Answering()
    yield server
    server.close()


def by_openai(url, run, guard):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        create = client.chat.completions.create
        return list(run.model(create, model="large", max_tokens=10, messages=SAID, stream=True))


def by_openai_async(url, run, guard):
    async def main():
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:

            async def create(model, max_tokens):
                return await client.chat.completions.create(
                    model=model, max_tokens=max_tokens, messages=SAID, stream=True
                )

            return [chunk async for chunk in await run.model(create, model="large", max_tokens=10)]

    return asyncio.run(main())


def by_the_adapter(url, run, guard):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client, run:
        made = guarded(client, guard).chat.completions
        return list(made.create(model="large", max_tokens=10, messages=SAID, stream=True))


def by_the_asynchronous_adapter(url, run, guard):
    async def main():
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client, run:
            made = guarded(client, guard).chat.completions
            stream = await made.create(model="large", max_tokens=10, messages=SAID, stream=True)
            return [chunk async for chunk in stream]

    return asyncio.run(main())


def by_anthropic(url, run, guard):
    with anthropic.Anthropic(base_url=url, api_key="none", max_retries=0) as client:
        return list(
            run.model(client.messages.create, model="large", max_tokens=10, messages=SAID, stream=True)
        )


def by_anthropic_async(url, run, guard):
    async def main():
        async with anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0) as client:

            async def create(model, max_tokens):
                return await client.messages.create(
                    model=model, max_tokens=max_tokens, messages=SAID, stream=True
                )

            return [chunk async for chunk in await run.model(create, model="large", max_tokens=10)]

    return asyncio.run(main())


OPENAI = [by_openai, by_openai_async, by_the_adapter, by_the_asynchronous_adapter]
CASES = [(call, BUSY, CHUNK, DONE) for call in OPENAI] + [
    (call, OVERLOADED, START, DELTA) for call in (by_anthropic, by_anthropic_async)
]


@pytest.mark.parametrize(("call", "error", "first", "last"), CASES)
def test_an_error_in_place_of_the_first_event_is_tried_again(server, make_guard, call, error, first, last):
    server.says_in_turn(error, error, first + last)
    guard = make_guard(RETRY)
    run = guard.run()
    chunks = call(server.url, run, guard)
    assert (len(chunks), server.asked) == (1 if last == DONE else 2, 3)
    tokens = next(row for row in run.limits() if row["dimension"] == "tokens")
    assert tokens["held"] == 0


@pytest.mark.parametrize(("call", "error", "first", "last"), CASES)
def test_who_fails_every_time_is_asked_as_often_as_the_policy_says(
    server, make_guard, call, error, first, last
):
    server.says_in_turn(error)
    guard = make_guard(RETRY)
    with pytest.raises(checkrein.Failed):
        call(server.url, guard.run(), guard)
    assert server.asked == 3


@pytest.mark.parametrize(("call", "error", "first", "last"), CASES)
def test_a_later_error_is_passed_on_since_chunks_are_out(server, make_guard, call, error, first, last):
    server.says_in_turn(first + error, first + last)
    guard = make_guard(RETRY)
    with pytest.raises((openai.APIError, anthropic.APIError)):
        call(server.url, guard.run(), guard)
    assert server.asked == 1


class Lost:
    """A stream, for both kinds of callers, that fails before its first chunk."""

    def __init__(self, closed):
        self.closed = closed

    def __iter__(self):
        return self

    def __next__(self):
        raise ConnectionError("away")

    async def __anext__(self):
        raise ConnectionError("away")

    def close(self):
        self.closed.append("close")
        raise RuntimeError("and again")

    async def aclose(self):
        self.closed.append("aclose")


@pytest.mark.parametrize("how", ["close", "aclose"])
def test_a_stream_that_fails_before_it_is_handed_on_is_closed(make_guard, how):
    closed = []
    run = make_guard(RETRY).run()

    async def call(model, max_tokens):
        return Lost(closed)

    def make():
        if how == "close":
            return run.model(lambda model, max_tokens: Lost(closed), model="large")
        return asyncio.run(run.model(call, model="large"))

    with pytest.raises(checkrein.Failed):
        make()
    assert closed == [how] * 3
