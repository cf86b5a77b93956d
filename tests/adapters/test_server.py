"""The loopback server answers as providers do, and forgets nothing that reached it."""

import threading

import openai
import pytest

from checkrein.demo.server import LoopbackServer, call_tool, call_tools, cut, refuse, say

from .conftest import asked


@pytest.fixture
def plain(client_of):
    return lambda server: client_of(server, max_retries=0)


def test_a_script_is_played_in_order_and_its_last_reply_for_ever(serve, plain):
    server = serve({"m": [call_tool("search", query="x"), say("found it")]})
    replies = [
        plain(server).chat.completions.create(model="m", messages=asked()).choices[0] for _ in range(3)
    ]
    assert [r.finish_reason for r in replies] == ["tool_calls", "stop", "stop"]
    assert replies[0].message.tool_calls[0].function.arguments == '{"query": "x"}'
    assert replies[2].message.content == "found it"
    assert [r.index for r in server.requests] == [0, 1, 2]


def test_tokens_are_words_and_the_cap_is_obeyed(serve, plain):
    server = serve({"m": say("a b c d")})
    reply = plain(server).chat.completions.create(model="m", messages=asked(), max_tokens=2)
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == ("a b", "length")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (3, 2)


@pytest.mark.parametrize("asks", [True, False])
def test_a_stream_has_usage_only_if_it_is_asked_for(serve, plain, asks):
    server = serve({"m": say("a b")})
    options = {"stream_options": {"include_usage": True}} if asks else {}
    chunks = list(plain(server).chat.completions.create(model="m", messages=asked(), stream=True, **options))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "a b"
    assert [c.usage.completion_tokens for c in chunks if c.usage] == ([2] if asks else [])


def test_several_tool_calls_have_ids_of_their_own(serve, plain):
    server = serve({"m": call_tools(("search", {}), ("search", {}))})
    calls = plain(server).chat.completions.create(model="m", messages=asked()).choices[0].message.tool_calls
    assert len({call.id for call in calls}) == 2


def test_refusals_carry_their_headers(serve, plain):
    server = serve({"m": refuse(429, retry_after=2, code="insufficient_quota")})
    with pytest.raises(openai.RateLimitError) as caught:
        plain(server).chat.completions.create(model="m", messages=asked())
    assert caught.value.response.headers["retry-after"] == "2"
    assert caught.value.code == "insufficient_quota"


def test_an_unknown_model_is_not_found(serve, plain):
    with pytest.raises(openai.NotFoundError):
        plain(serve({})).chat.completions.create(model="m", messages=asked())


@pytest.mark.parametrize(("stream", "after"), [(True, 2), (True, 0), (False, 1), (False, 0)])
def test_a_cut_connection_is_an_error_and_no_end(serve, plain, stream, after):
    server = serve({"m": cut("a b c d", after=after)})
    got = []

    def read():
        for chunk in plain(server).chat.completions.create(model="m", messages=asked(), stream=stream):
            got.append(chunk.choices[0].delta.content)  # noqa: PERF401 -- what came before the cut is kept

    with pytest.raises(openai.APIConnectionError):
        read()
    assert got == (["", "a", " b"] if stream and after else [])


def test_responses_are_answered_in_both_ways(serve, plain):
    server = serve({"m": say("a b c")})
    whole = plain(server).responses.create(model="m", input="one two", max_output_tokens=2)
    assert (whole.output_text, whole.status, whole.usage.output_tokens) == ("a b", "incomplete", 2)
    events = list(plain(server).responses.create(model="m", input="one two", stream=True))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == "a b c"
    assert events[-1].response.usage.total_tokens == 5


@pytest.mark.parametrize("is_late", [False, True])
def test_closing_the_server_frees_a_client_that_waits(client_of, monkeypatch, is_late):
    server = LoopbackServer({"m": say("late", after=threading.Event())})
    failed, drop = [], server._http.drop_connections

    def call():
        try:
            client_of(server, max_retries=0).chat.completions.create(model="m", messages=asked())
        except openai.APIError as error:
            failed.append(error)

    def drop_late():
        # What is held back is not said either where the server closes and no connection is cut so far.
        server._http.closing.set()
        thread.join(60)
        drop()

    if is_late:
        monkeypatch.setattr(server._http, "drop_connections", drop_late)
    with server:
        thread = threading.Thread(target=call)
        thread.start()
        server.wait(requests=1)
    thread.join()
    assert len(failed) == 1


def test_a_client_that_goes_away_is_counted(serve, client_of):
    server = serve({"m": say("word " * 200_000)})
    with client_of(server).chat.completions.create(model="m", messages=asked(), stream=True) as stream:
        next(stream)
    server.wait(disconnects=1)
