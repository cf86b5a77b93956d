"""A LangChain agent under a policy: what reaches the server, what is booked, what the agent is told."""

import openai
import pytest
from langchain.agents.middleware import ModelRetryMiddleware, ToolRetryMiddleware, after_model
from langchain.agents.structured_output import ToolStrategy
from langchain_core.tools import tool
from pydantic import BaseModel

import checkrein
from checkrein.demo.server import call_tool, call_tools, refuse, say

from .agents import Shop, agent_of, chat, question, tool_messages
from .conftest import RETRIES, used

CALLS_3 = 'limit "calls" on run { model_calls <= 3 } else stop "over_limit"'


@pytest.fixture
def shop():
    return Shop()


# -- stopping ----------------------------------------------------------------------------------------


def test_a_runaway_agent_is_stopped_after_exactly_n_calls(serve, make_guard, shop):
    server = serve({"large-1": call_tool("search", query="again")})
    result = agent_of(make_guard(CALLS_3), server, shop.tools).invoke(question())
    assert len(server.requests) == len(shop.ran) == 3
    last = result["messages"][-1]
    assert last.content == "The limit of this task is reached."
    assert last.response_metadata["checkrein"]["state"] == result["checkrein_outcome"] == "over_limit"


def test_a_stop_that_a_tool_swallows_is_met_again(serve, make_guard):
    guard = make_guard('rule "no" on tool "search" then stop "stuck" because "no"')
    inner = guard.tool(lambda query: query, name="search")

    @tool
    def agent(query: str) -> str:
        """Swallow whatever happens."""
        try:
            return inner(query=query)
        except Exception:  # noqa: BLE001 - what it swallows is the point
            return "all is well"

    server = serve({"large-1": call_tool("agent", query="x")})
    result = agent_of(guard, server, [agent]).invoke(question())
    assert len(server.requests) == 1
    assert [m.content for m in tool_messages(result)] == ["all is well"]
    assert result["messages"][-1].content == "I could not make progress."
    assert result["checkrein_outcome"] == "stuck"


def test_a_stop_at_a_tool_ends_the_agent_without_another_model_call(serve, make_guard, shop):
    loop = 'loop "stuck" on run { same call >= 3 within 10 steps } else stop "stuck"'
    server = serve({"large-1": call_tool("search", query="again")})
    result = agent_of(make_guard(loop), server, shop.tools).invoke(question())
    assert (len(server.requests), len(shop.ran)) == (3, 2)
    assert tool_messages(result)[-1].status == "error"
    assert result["messages"][-1].content == "I could not make progress."


def test_a_stop_ends_an_agent_that_owes_structured_output(serve, make_guard):
    class Answer(BaseModel):
        text: str

    server = serve({"large-1": call_tool("Answer", nonsense=1)})
    agent = agent_of(make_guard(CALLS_3), server, agent={"response_format": ToolStrategy(Answer)})
    result = agent.invoke(question())
    assert len(server.requests) == 3
    assert result["checkrein_outcome"] == "over_limit"
    assert result.get("structured_response") is None


def test_a_hook_that_ignores_the_end_meets_the_stop_itself(serve, make_guard):
    @after_model(can_jump_to=["model"])
    def again(state, runtime):
        return {"jump_to": "model"}

    server = serve({"large-1": say("a")})
    guard = make_guard(CALLS_3)
    with pytest.raises(checkrein.Stopped):
        agent_of(guard, server, inner=[again]).invoke(question())
    with guard.run() as run:
        agent_of(guard, server, inner=[again]).invoke(question())
    assert (str(run.outcome), len(server.requests)) == ("over_limit", 6)


# -- model calls -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("statements", "requests"), [((), 1), ((RETRIES,), 3)])
def test_only_the_policy_retries(serve, make_guard, clock, statements, requests):
    server = serve({"large-1": refuse(429, retry_after=2)})
    agent = agent_of(make_guard(*statements), server)
    if statements:
        result = agent.invoke(question())
        assert result["messages"][-1].content == "That does not work now. Do not make its result up."
        assert result["checkrein_outcome"] == "given_up"
    else:
        with pytest.raises(openai.RateLimitError):
            agent.invoke(question())
    assert len(server.requests) == requests
    assert clock.now() >= (requests - 1) * 2_000_000_000


def test_a_call_that_is_given_up_is_nothing_for_a_framework_to_retry(serve, make_guard):
    server = serve({"large-1": refuse(500)})
    retrying = ModelRetryMiddleware(max_retries=2, initial_delay=0, jitter=False)
    result = agent_of(make_guard(RETRIES), server, inner=[retrying]).invoke(question())
    assert len(server.requests) == 3
    assert result["checkrein_outcome"] == "given_up"


def test_what_a_framework_retries_is_a_call_of_its_own(serve, make_guard):
    server = serve({"large-1": [refuse(500), refuse(500), say("a")]})
    guard = make_guard()
    retrying = ModelRetryMiddleware(max_retries=2, initial_delay=0, jitter=False)
    with guard.run() as run:
        result = agent_of(guard, server, inner=[retrying]).invoke(question())
        assert (used(run, "model_calls"), used(run)[1]) == ((3, 0), 0)
    assert (len(server.requests), result["messages"][-1].content) == (3, "a")


@pytest.mark.parametrize(
    ("model", "call", "sent"),
    [({}, {}, 1000), ({"max_tokens": 5000}, {}, 1000), ({"max_tokens": 77}, {}, 77)],
)
def test_the_output_is_really_capped(serve, make_guard, model, call, sent):
    server = serve({"large-1": say("a")})
    agent_of(make_guard(), server, model=chat(server, **model)).invoke(question(), **call)
    body = server.requests[0].body
    assert {key: body[key] for key in body if "max" in key} == {"max_completion_tokens": sent}


def test_calls_are_exactly_booked(serve, make_guard, shop):
    server = serve({"large-1": [call_tool("search", query="x"), say("a b c d")]})
    guard = make_guard()
    with guard.run() as run:
        agent_of(guard, server, shop.tools).invoke(question())
        served = sum(request.input_tokens for request in server.requests)
        assert used(run) == (served + 2 + 4, 0)
        assert used(run, "model_calls") == (2, 0)
        assert used(run, "tool_calls") == (1, 0)


def test_a_streamed_agent_is_exactly_booked(serve, make_guard):
    server = serve({"large-1": say("a b c d")})
    guard = make_guard()
    with guard.run() as run:
        chunks = list(agent_of(guard, server).stream(question(), stream_mode="messages"))
        assert "".join(chunk.text for chunk, _ in chunks if chunk.type == "AIMessageChunk") == "a b c d"
        assert used(run) == (3 + 4, 0)
    assert server.requests[0].body["stream"] is True


def test_a_route_chooses_the_model_object(serve, make_guard):
    cloud, edge = serve({"large-1": say("cloud")}), serve({"qwen": say("edge")})
    route = 'route "r" { to "small" when has step.kind and step.kind == "classify" }'
    agent = agent_of(
        make_guard(route), cloud, models={"small": chat(edge, "qwen", max_tokens=50)},
        describe=lambda request: {"step": request.state["messages"][0].content},
    )  # fmt: skip
    assert agent.invoke(question("classify"))["messages"][-1].content == "edge"
    assert agent.invoke(question("answer"))["messages"][-1].content == "cloud"
    assert (len(edge.requests), len(cloud.requests)) == (1, 1)
    assert edge.requests[0].max_tokens == 50


def test_what_must_stay_at_the_edge_does(serve, make_guard):
    cloud = serve({"large-1": say("cloud")})
    guard = make_guard('require "private" place edge when data.class == "pii"')
    agent = agent_of(guard, cloud, describe=lambda _request: {"facts": {"data.class": "pii"}})
    result = agent.invoke(question())
    assert cloud.requests == []
    assert result["messages"][-1].response_metadata["checkrein"]["by"] == "private"


def test_a_model_that_is_not_declared_is_denied(serve, make_guard):
    server = serve({"gpt-99": say("a")})
    result = agent_of(make_guard(), server, model=chat(server, "gpt-99")).invoke(question())
    assert server.requests == []
    assert result["messages"][-1].response_metadata["checkrein"]["by"] == "undeclared model"
    assert result["checkrein_outcome"] == "denied"


def test_a_route_without_its_object_sends_nothing(serve, make_guard):
    server = serve({"large-1": say("a")})
    with pytest.raises(checkrein.EngineError, match="models="):
        agent_of(make_guard('route "r" { to "small" }'), server).invoke(question())
    assert server.requests == []


def test_advice_reaches_the_agent_and_stays(serve, make_guard, shop):
    limit = """limit "calls" on run { model_calls <= 4
      at 25% tell agent "Wrap up now." } else stop "over_limit" """
    server = serve({"large-1": [*[call_tool("search", query=str(n)) for n in range(2)], say("done")]})
    agent_of(make_guard(limit), server, shop.tools, agent={"system_prompt": "Be kind."}).invoke(question())
    systems = [request.body["messages"][0]["content"] for request in server.requests]
    assert systems == ["Be kind.", "Be kind.\n\nWrap up now.", "Be kind.\n\nWrap up now."]


def test_a_models_own_error_passes_unchanged(serve, make_guard):
    server = serve({"large-1": refuse(401)})
    with pytest.raises(openai.AuthenticationError):
        agent_of(make_guard(RETRIES), server).invoke(question())
    assert len(server.requests) == 1


def test_a_model_that_retries_on_its_own_is_refused(serve, make_guard):
    from langchain_core.language_models import FakeListChatModel

    class Retrying(FakeListChatModel):
        model_name: str = "large-1"
        max_tokens: int | None = None
        max_retries: int = 2

    with pytest.raises(checkrein.EngineError, match="max_retries=0"):
        agent_of(make_guard(), serve({}), model=Retrying(responses=["a"])).invoke(question())
    with pytest.raises(checkrein.EngineError, match="cannot be capped"):
        agent_of(make_guard(), serve({}), model=FakeListChatModel(responses=["a"], name="x")).invoke(
            question()
        )


# -- tool calls --------------------------------------------------------------------------------------


def test_a_denied_tool_tells_the_truth_and_the_agent_goes_on(serve, make_guard, shop):
    order = 'order "look first" { "search" before "refund" within run } else deny because "Look it up first."'
    replies = [
        call_tool("refund", amount=5),
        call_tool("search", query="x"),
        call_tool("refund", amount=5),
        say("ok"),
    ]
    server = serve({"large-1": replies})
    result = agent_of(make_guard(order), server, shop.tools).invoke(question())
    assert shop.ran == [("search", "x"), ("refund", 5)]
    first = tool_messages(result)[0]
    assert (first.status, first.content) == ("error", "This call was not run. Look it up first.")
    assert (result["messages"][-1].content, result["checkrein_outcome"]) == ("ok", "completed")


def test_parallel_tool_calls_are_decided_one_by_one(serve, make_guard, shop):
    limit = 'limit "tools" on run { tool_calls <= 2 } else deny because "Two are enough."'
    calls = [("search", {"query": str(n)}) for n in range(5)]
    server = serve({"large-1": [call_tools(*calls), say("ok")]})
    result = agent_of(make_guard(limit), server, shop.tools).invoke(question())
    assert len(shop.ran) == 2
    assert sorted(m.status for m in tool_messages(result)) == ["error"] * 3 + ["success"] * 2
    assert len({m.tool_call_id for m in tool_messages(result)}) == 5


def test_siblings_of_one_turn_do_not_count_for_each_other(serve, make_guard, shop):
    order = 'order "look first" { "search" before "refund" within run } else deny because "Look it up first."'
    both = call_tools(("search", {"query": "x"}), ("refund", {"amount": 5}))
    server = serve({"large-1": [both, say("ok")]})
    agent_of(make_guard(order), server, shop.tools).invoke(question())
    assert shop.ran == [("search", "x")]


def test_ids_that_a_server_gives_again_are_calls_of_their_own(serve, make_guard, shop):
    def same_id(received):
        return call_tool("search", query=str(received.index)) if received.index < 3 else say("ok")

    server = serve({"large-1": same_id})
    server.take = _with_index_0(server.take)
    result = agent_of(make_guard(), server, shop.tools).invoke(question())
    assert len({m.tool_call_id for m in tool_messages(result)}) == 1
    assert len(shop.ran) == 3


def _with_index_0(take):
    def same(*arguments):
        import dataclasses

        received, reply = take(*arguments)
        return dataclasses.replace(received, index=0), reply

    return same


def test_a_host_exception_in_a_tool_passes_unchanged(serve, make_guard):
    error = LookupError("the host's own")

    @tool
    def search(query: str) -> str:
        """Fail."""
        raise error

    server = serve({"large-1": call_tool("search", query="x")})
    with pytest.raises(LookupError) as caught:
        agent_of(make_guard(), server, [search]).invoke(question())
    assert caught.value is error


def test_a_failing_tool_is_retried_as_the_policy_says(serve, make_guard):
    tries = []

    @tool
    def search(query: str) -> str:
        """Fail."""
        tries.append(query)
        raise ConnectionRefusedError

    retry = 'retry "tools" on tool any { attempts <= 4 backoff 1 s .. 2 s } else fail "given_up"'
    server = serve({"large-1": [call_tool("search", query="x"), say("ok")]})
    framework = ToolRetryMiddleware(max_retries=2, initial_delay=0, jitter=False)
    result = agent_of(make_guard(retry), server, [search], inner=[framework]).invoke(question())
    assert len(tries) == 4
    assert tool_messages(result)[0].content == "That does not work now. Do not make its result up."


def test_a_frameworks_retry_of_a_tool_does_not_run_it_again(serve, make_guard):
    tries = []

    @tool
    def search(query: str) -> str:
        """Fail."""
        tries.append(query)
        raise LookupError

    server = serve({"large-1": [call_tool("search", query="x"), say("ok")]})
    framework = ToolRetryMiddleware(max_retries=2, initial_delay=0, jitter=False)
    agent_of(make_guard(), server, [search], inner=[framework]).invoke(question())
    assert len(tries) == 1


def test_an_error_result_is_no_success_for_an_order(serve, make_guard, shop):
    order = 'order "look first" { "search" before "refund" within run } else deny because "Look it up first."'
    wrong = call_tool("search", query=["not", "a", "text"])
    server = serve({"large-1": [wrong, call_tool("refund", amount=5), say("ok")]})
    result = agent_of(make_guard(order), server, shop.tools).invoke(question())
    assert shop.ran == []
    assert "string" in tool_messages(result)[0].content
    assert tool_messages(result)[1].content.endswith("Look it up first.")


def test_a_tool_that_is_not_declared_is_denied(serve, make_guard):
    @tool
    def launch() -> str:
        """Do something nobody has declared."""
        raise AssertionError

    server = serve({"large-1": [call_tool("launch"), say("ok")]})
    result = agent_of(make_guard(), server, [launch]).invoke(question())
    assert "No tool of this name may be called." in tool_messages(result)[0].content
