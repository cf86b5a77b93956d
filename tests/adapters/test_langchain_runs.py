"""Which run an agent's calls belong to, over invocations, threads, tools and layers."""

import threading

import openai
import pytest
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver

import checkrein
from checkrein.adapters import langchain
from checkrein.demo.server import call_tool, refuse, say

from .agents import Shop, agent_of, chat, question, thread
from .conftest import RETRIES, used

CALLS_3 = 'limit "calls" on run { model_calls <= 3 } else stop "over_limit"'


@pytest.fixture
def shop():
    return Shop()


def test_each_invocation_is_a_run_unless_the_host_has_one(serve, make_guard, shop, records):
    server = serve({"large-1": say("a")})
    guard = make_guard()
    agent = agent_of(guard, server, shop.tools)
    agent.invoke(question())
    agent.invoke(question())
    with guard.run(id="mine") as run:
        agent.invoke(question())
        agent.invoke(question())
        assert used(run, "model_calls") == (2, 0)
    runs = [record["run"] for record in records.decisions()]
    assert (len(set(runs)), runs.count("mine")) == (3, 2)
    assert str(run.outcome) == "completed"


def test_runs_of_invocations_are_not_kept(serve, make_guard):
    server = serve({"large-1": [refuse(401), say("a"), refuse(401), refuse(401), say("a")]})
    governed = langchain.middleware(make_guard())
    from langchain.agents import create_agent

    for checkpointer in (None, InMemorySaver()):
        agent = create_agent(chat(server), [], middleware=[governed], checkpointer=checkpointer)
        with pytest.raises(openai.AuthenticationError):
            agent.invoke(question(), thread())
        assert len(governed._runs) == (0 if checkpointer is None else 1)
        if checkpointer:
            (abandoned,) = governed._runs.values()
            with pytest.raises(openai.AuthenticationError):
                agent.invoke(question(), thread())
            assert abandoned.outcome.kind == "error"
            assert abandoned not in governed._runs.values()
            assert len(governed._runs) == 1
        agent.invoke(question(), thread())
        assert (len(governed._runs), len(governed._threads)) == (0, 0)


def test_paused_runs_are_kept_up_to_a_number(serve, make_guard, monkeypatch):
    from langchain.agents import create_agent

    from checkrein.adapters.langchain import hooks

    monkeypatch.setattr(hooks, "MOST_PAUSED", 2)
    governed = langchain.middleware(make_guard())
    server = serve({"large-1": [refuse(401)] * 5})
    agent = create_agent(chat(server), [], middleware=[governed], checkpointer=InMemorySaver())
    for number in range(5):
        with pytest.raises(openai.AuthenticationError):
            agent.invoke(question(), thread(str(number)))
    assert (len(governed._runs), len(governed._threads)) == (2, 2)


def test_an_agent_in_a_tool_shares_the_run(serve, make_guard, shop):
    server = serve({"large-1": [call_tool("agent", task="x"), say("done")], "small-1": say("sub")})
    guard = make_guard()
    governed = langchain.middleware(guard)
    from langchain.agents import create_agent

    inner = create_agent(chat(server, "small-1"), [], middleware=[governed])

    @tool
    def agent(task: str) -> str:
        """Ask another agent."""
        return inner.invoke(question(task))["messages"][-1].text

    with guard.run() as run:
        create_agent(chat(server), [agent], middleware=[governed]).invoke(question())
        assert used(run, "model_calls") == (3, 0)
    assert len(server.requests) == 3


def test_a_chat_model_over_a_guarded_client_is_booked_once(serve, make_guard, client_of):
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, ChatResult

    from checkrein.adapters.openai import guarded

    server = serve({"large-1": say("a b c d")})
    guard = make_guard()
    client = guarded(client_of(server), guard)

    class Own(BaseChatModel):
        model_name: str = "large-1"
        max_tokens: int | None = None

        @property
        def _llm_type(self):
            return "own"

        def _generate(self, messages, stop=None, run_manager=None, **kwargs):
            sent = [{"role": "user", "content": m.text} for m in messages]
            reply = client.chat.completions.create(
                model=self.model_name, messages=sent, max_tokens=self.max_tokens
            )
            usage = {
                "input_tokens": reply.usage.prompt_tokens,
                "output_tokens": reply.usage.completion_tokens,
            }
            usage["total_tokens"] = reply.usage.total_tokens
            message = AIMessage(reply.choices[0].message.content, usage_metadata=usage)
            return ChatResult(generations=[ChatGeneration(message=message)])

    with guard.run() as run:
        agent_of(guard, server, model=Own()).invoke(question())
        assert used(run) == (3 + 4, 0)
        assert used(run, "model_calls") == (1, 0)
    assert server.requests[0].max_tokens == 1000


def test_many_threads_share_one_middleware_but_no_run(serve, make_guard, shop, records):
    server = serve({"large-1": call_tool("search", query="again")})
    results = agent_of(make_guard(CALLS_3), server, shop.tools).batch([question()] * 8)
    assert [r["checkrein_outcome"] for r in results] == ["over_limit"] * 8
    assert len(server.requests) == 8 * 3
    assert len({record["run"] for record in records.decisions()}) == 8


def test_the_responses_interface_is_governed_alike(serve, make_guard):
    server = serve({"large-1": [refuse(503), say("a b c d")]})
    model = ChatOpenAI(model="large-1", base_url=server.url, api_key="none", use_responses_api=True)
    guard = make_guard(RETRIES)
    with guard.run() as run:
        agent_of(guard, server, model=model).invoke(question())
        assert used(run) == (3 + 4, 0)
    assert [(r.path, r.max_tokens) for r in server.requests] == [("/responses", 1000)] * 2


def test_the_deadline_is_the_clients_timeout(serve, make_guard):
    server = serve({"large-1": say("late", after=threading.Event())})
    guard = make_guard('limit "time" on run { active_time <= 100 ms } else stop "over_limit"')
    with guard.run() as run:
        with pytest.raises(openai.APITimeoutError):
            agent_of(guard, server).invoke(question())
        assert used(run)[0] > 1000
    assert len(server.requests) == 1


def test_names_that_the_policy_does_not_declare_are_refused_at_once(make_guard):
    with pytest.raises(checkrein.EngineError, match="lrage"):
        langchain.middleware(make_guard(), models={"lrage": None})


def test_the_thread_is_the_session_and_the_config_may_name_the_user(serve, make_guard, shop, records):
    limit = 'limit "talk" on session { model_calls <= 2 } else stop "over_limit"'
    server = serve({"large-1": say("a")})
    guard = make_guard(limit, 'limit "each" on user { model_calls <= 3 } else stop "over_limit"')
    agent = agent_of(guard, server, shop.tools)

    def outcome(thread, user):
        config = {"configurable": {"thread_id": thread, "user_id": user}}
        return agent.invoke(question(), config)["checkrein_outcome"]

    assert [outcome("t1", "u1") for _ in range(3)] == ["completed", "completed", "over_limit"]
    assert [outcome("t2", "u1") for _ in range(2)] == ["completed", "over_limit"]
    assert outcome("t3", "u2") == "completed"
    assert {(r["session"], r["user"]) for r in records.decisions()} == {
        ("t1", "u1"), ("t2", "u1"), ("t3", "u2"),
    }  # fmt: skip
    with pytest.raises(checkrein.EngineError) as caught:
        agent.invoke(question())
    assert caught.value.kind == "missing_scope"


def test_the_last_call_is_told_that_it_is_the_last(serve, make_guard, shop):
    wrapping = 'limit "words" on run { tokens <= 4k tokens wrap up 1 call 2k tokens } else stop "over_limit"'
    server = serve({"large-1": call_tool("search", query="more")})
    result = agent_of(make_guard(wrapping, "loop off"), server, shop.tools).invoke(question())
    assert result["checkrein_outcome"] == "over_limit"
    told = ["This is the last call that the limit leaves: close now." in str(r.body) for r in server.requests]
    assert told[-1]
    assert told.count(True) == 1


AGAIN = 'loop "again" on run { repeated_context >= 50% } else deny because "Told before."'


def test_an_ordinary_agent_of_ten_turns_repeats_nothing(serve, make_guard, shop, records):
    turns = [call_tool("search", query=f"parcel {number}") for number in range(9)]
    server = serve({"large-1": [*turns, say("done")]})
    agent = agent_of(make_guard(AGAIN), server, shop.tools, agent={"system_prompt": "Trace parcels."})
    assert agent.invoke(question("where is it? " * 20))["messages"][-1].text == "done"
    assert len(server.requests) == 10
    assert {record["outcome"] for record in records.decisions()} == {"allow"}


def test_a_sub_agent_that_is_told_everything_again_is_found(serve, make_guard):
    server = serve(
        {
            "large-1": [call_tool("write", task="x"), call_tool("note", task="in Bologna"), say("done")],
            "small-1": say("written"),
        }
    )
    governed = langchain.middleware(make_guard(AGAIN, 'tool "write" { }', 'tool "note" { }'))
    from langchain.agents import create_agent

    story = "the parcel left on Monday " * 20
    inner = create_agent(chat(server, "small-1"), [], middleware=[governed], system_prompt="Write letters.")

    @tool
    def write(task: str) -> str:
        """Ask another agent, which is told all."""
        return inner.invoke(question(story))["messages"][-1].text

    @tool
    def note(task: str) -> str:
        """Ask another agent, which is told what it needs."""
        return inner.invoke(question(task))["messages"][-1].text

    agent = create_agent(chat(server), [write, note], middleware=[governed], system_prompt="Trace parcels.")
    with governed.guard.run():
        said = agent.invoke(question(story))["messages"]
    results = [message.text for message in said if message.type == "tool"]
    assert results == ["This call was not run. Told before.", "written"]
    assert len(server.requests) == 4
