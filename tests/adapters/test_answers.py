"""Answers of the policy and known results through real clients: no request reaches the server."""

import asyncio

import openai
import pytest
from pydantic import BaseModel

import checkrein
from checkrein.adapters.openai import guarded
from checkrein.demo.server import call_tool, refuse, say

from .agents import Shop, agent_of, question, tool_messages
from .conftest import asked, used

HOURS = """rule "hours" on model any when step.kind == "hours"
  then answer "We are open from 9 to 18, {data.class}." because "A fixed answer needs no model." """
TEXT = "We are open from 9 to 18, public."
DESCRIBED = {"describe": {"step": "hours"}}


class Reply(BaseModel):
    text: str


@pytest.fixture
def setup(serve, client_of, make_guard):
    server, guard = serve({"large-1": say("a b c")}), make_guard(HOURS)
    return server, guard, guarded(client_of(server), guard)


def test_a_chat_completion_is_made_of_an_answer(setup):
    server, guard, client = setup
    ask = {"model": "large-1", "messages": asked(), **DESCRIBED}
    with guard.run() as run:
        reply = client.chat.completions.create(**ask)
        assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == (TEXT, "stop")
        assert (reply.model, reply.usage.total_tokens) == ("large-1", 0)
        parsed = client.chat.completions.parse(**ask, response_format=Reply)
        assert (parsed.choices[0].message.content, parsed.choices[0].message.parsed) == (TEXT, None)
        assert client.responses.create(model="large-1", input="x", **DESCRIBED).output_text == TEXT
        assert client.responses.parse(model="large-1", input="x", **DESCRIBED).output_parsed is None
        assert used(run, "model_calls") == (0, 0)
    assert (server.requests, str(run.outcome)) == ([], "completed")


def test_a_stream_is_made_of_an_answer(setup):
    server, guard, client = setup
    ask = {"model": "large-1", "messages": asked(), "stream": True, **DESCRIBED}
    with guard.run():
        chunks = list(client.chat.completions.create(**ask))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
        assert chunks[-1].choices[0].finish_reason == "stop"
        with client.chat.completions.create(**ask, stream_options={"include_usage": True}) as stream:
            assert list(stream)[-1].usage.total_tokens == 0
        events = list(client.responses.create(model="large-1", input="x", stream=True, **DESCRIBED))
        assert events[-1].response.output_text == TEXT
        assert [e.delta for e in events if e.type == "response.output_text.delta"] == [TEXT]
    assert server.requests == []


def test_an_asynchronous_client_is_answered_alike(serve, make_guard):
    server, guard = serve({"large-1": say("a b c")}), make_guard(HOURS)

    async def scenario():
        async with openai.AsyncOpenAI(base_url=server.url, api_key="none") as plain:
            client = guarded(plain, guard)
            ask = {"model": "large-1", "messages": asked(), **DESCRIBED}
            async with guard.run():
                whole = await client.chat.completions.create(**ask)
                stream = await client.chat.completions.create(**ask, stream=True)
                parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
                return whole.choices[0].message.content, "".join(parts)

    assert asyncio.run(scenario()) == (TEXT, TEXT)
    assert server.requests == []


def test_an_agent_ends_with_the_answer(serve, make_guard):
    server = serve({"large-1": say("a b c")})
    agent = agent_of(make_guard(HOURS), server, describe=lambda request: {"step": "hours"})
    result = agent.invoke(question())
    last = result["messages"][-1]
    assert (last.type, last.content, server.requests) == ("ai", TEXT, [])
    assert last.response_metadata["checkrein"]["outcome"] == "answer"
    assert result["checkrein_outcome"] == "answered"


def test_an_agent_is_given_the_known_result_under_the_new_call_s_id(serve, make_guard):
    reuse = 'rule "same" on tool "search" then reuse because "Known."'
    script = [call_tool("search", query="x"), call_tool("search", query="x"), say("done")]
    shop, server = Shop(), serve({"large-1": script})
    result = agent_of(make_guard(reuse), server, shop.tools).invoke(question())
    first, second = tool_messages(result)
    assert shop.ran == [("search", "x")]
    assert first.content == second.content == "found x"
    calls = [call["id"] for message in result["messages"] for call in getattr(message, "tool_calls", [])]
    assert [first.tool_call_id, second.tool_call_id] == calls
    assert first.id != second.id


# -- by hand --------------------------------------------------------------------------------------------


def never(*_args, **_kwargs):
    raise AssertionError("nothing is called")


def test_a_host_is_told_by_type_or_makes_its_own_reply(make_guard, records):
    guard = make_guard(HOURS)
    facts = {"data.class": "pii"}
    ask = {"model": "large", "input_tokens": 10, "step": "hours", "facts": facts}
    with guard.run() as run:
        reply = run.model(never, answered=lambda text: {"reply": text}, **ask)
        assert reply == {"reply": "We are open from 9 to 18, pii."}
    with pytest.raises(checkrein.Answered) as caught, guard.run() as run:
        run.model(never, **ask)
    assert caught.value.text == "We are open from 9 to 18, pii."
    assert (str(run.outcome), run.outcome.decision) == ("answered", caught.value.id)
    logged = records.decisions()[-1]
    assert (logged["outcome"], logged["answer"]) == ("answer", "We are open from 9 to 18, {data.class}.")
    assert "9 to 18, pii" not in str(records), "the log keeps the text as the policy has it"


def test_a_denial_that_gives_an_answer_is_logged_as_the_policy_has_it(make_guard, records):
    limit = 'limit "tools" on run { tool_calls <= 0 } else answer "Not for {order.name}."'
    guard = make_guard("fact order.name text", limit)
    with guard.run() as run, pytest.raises(checkrein.Denied, match="Not for Ann"):
        run.call_tool("search", never, {"query": "x"}, facts={"order.name": "Ann"})
    logged = records.decisions()[-1]
    assert logged["reason"] == "Not for {order.name}."
    assert logged["told"] == "This call was not run. Not for {order.name}."
    assert "Ann" not in str(records)


def test_a_known_result_is_given_while_it_is_there(tmp_path):
    policy = tmp_path / "known.rein"
    policy.write_text("""language 1 policy "known"
        tool "search" { class retrieve args { "query" text } }
        rule "same" on tool "search" then reuse because "Known." """)
    guard = checkrein.load(policy, log=None)
    with guard.run() as run:
        first = run.tool("search", lambda query: [query], query="a")
        assert run.tool("search", search, query="a") is first
        assert run.tool("search", lambda query: [query, 2], query="b") == ["b", 2]
        for number in range(600):
            run.tool("search", lambda query: query, query=f"n{number}")
        assert len(run.results) <= 512
        assert run.tool("search", lambda query: "anew", query="a") == "anew", "the oldest call is forgotten"
        assert run.tool("search", search, query="n599") == "n599"
        run.results.clear()
        with pytest.raises(checkrein.Denied, match="which this process does not have"):
            run.tool("search", search, query="n599")
    assert str(run.outcome) == "completed"


def search(query):
    raise AssertionError("the result is known")


GONE = """retry "models" on model any { when error.kind == "unavailable" attempts <= 2 }
  else answer "Later ({error.kind})." """


def test_an_answer_after_the_last_attempt_is_given_in_the_same_shape(serve, client_of, make_guard):
    server, guard = serve({"large-1": refuse(503)}), make_guard(GONE)
    client = guarded(client_of(server), guard)
    with guard.run() as run:
        reply = client.chat.completions.create(model="large-1", messages=asked())
        assert reply.choices[0].message.content == "Later (unavailable)."
        stream = client.chat.completions.create(model="large-1", messages=asked(), stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "Later (unavailable)."
    assert (len(server.requests), str(run.outcome)) == (4, "completed")
    result = agent_of(make_guard(GONE), server).invoke(question())
    assert result["messages"][-1].content == "Later (unavailable)."


def test_half_a_result_is_not_known(tmp_path):
    policy = tmp_path / "half.rein"
    policy.write_text("""language 1 policy "half"
        tool "search" { class retrieve args { "query" text } result { "rows" count }
          succeeds when result.rows >= 1 }
        retry "again" on tool any { when error.kind == "tool_failure" attempts <= 2 }
          else deny because "No rows."
        rule "same" on tool "search" then reuse because "Known." """)
    guard, rows = checkrein.load(policy, log=None), iter([0, 0, 0, 1])
    with guard.run() as run:
        with pytest.raises(checkrein.Denied, match="No rows"):
            run.tool("search", lambda query: {"rows": next(rows)}, query="a")
        assert run.results == {}
        first = run.tool("search", lambda query: {"rows": next(rows)}, query="a")
        assert first == {"rows": 1}
        assert run.tool("search", search, query="a") is first
    assert str(run.outcome) == "completed"
