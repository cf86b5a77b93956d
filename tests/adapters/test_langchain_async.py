"""The asynchronous hooks do what the synchronous ones do; and what only they can: be cancelled."""

import asyncio
import threading

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from checkrein.demo.server import call_tool, call_tools, refuse, say

from .agents import Shop, agent_of, chat, question, thread, tool_messages
from .conftest import RETRIES, used

pytestmark = pytest.mark.asyncio

BIG = 'rule "big" on tool "refund" when call.args.amount > $1 then escalate to "leads" because "Above $1."'


@pytest.fixture
def shop():
    return Shop()


async def test_a_runaway_agent_is_stopped_after_exactly_n_calls(serve, make_guard, shop):
    server = serve({"large-1": call_tool("search", query="again")})
    limit = 'limit "calls" on run { model_calls <= 3 } else stop "over_limit"'
    result = await agent_of(make_guard(limit), server, shop.tools).ainvoke(question())
    assert len(server.requests) == len(shop.ran) == 3
    assert result["messages"][-1].content == "The limit of this task is reached."
    assert result["checkrein_outcome"] == "over_limit"


async def test_only_the_policy_retries(serve, make_guard):
    server = serve({"large-1": refuse(500)})
    result = await agent_of(make_guard(RETRIES), server).ainvoke(question())
    assert len(server.requests) == 3
    assert result["checkrein_outcome"] == "given_up"


async def test_a_route_caps_and_books(serve, make_guard):
    server = serve({"small-1": say("a b c d")})
    guard = make_guard('route "r" { to "small" }')
    async with guard.run() as run:
        await agent_of(guard, server, models={"small": chat(server, "small-1")}).ainvoke(question())
        assert used(run) == (3 + 4, 0)
    assert server.requests[0].max_tokens == 200


async def test_a_streamed_agent_is_exactly_booked(serve, make_guard):
    server = serve({"large-1": say("a b c d")})
    guard = make_guard()
    async with guard.run() as run:
        async for _chunk in agent_of(guard, server).astream(question(), stream_mode="messages"):
            pass
        assert used(run) == (3 + 4, 0)
    assert server.requests[0].body["stream"] is True


async def test_parallel_tool_calls_are_decided_one_by_one(serve, make_guard, shop):
    limit = 'limit "tools" on run { tool_calls <= 2 } else deny because "Two are enough."'
    calls = [("search", {"query": str(n)}) for n in range(5)]
    server = serve({"large-1": [call_tools(*calls), say("ok")]})
    result = await agent_of(make_guard(limit), server, shop.tools).ainvoke(question())
    assert len(shop.ran) == 2
    assert sorted(m.status for m in tool_messages(result)) == ["error"] * 3 + ["success"] * 2


@pytest.mark.parametrize("approve", [True, False])
async def test_an_interrupted_agent_is_resumed_by_the_answer(serve, make_guard, shop, approve):
    server = serve({"large-1": [call_tool("refund", amount=500), say("done")]})
    agent = agent_of(make_guard(BIG), server, shop.tools, agent={"checkpointer": InMemorySaver()})
    result = await agent.ainvoke(question(), thread())
    assert result["__interrupt__"][0].value["arguments"] == {"amount": 500}
    result = await agent.ainvoke(Command(resume=approve), thread())
    assert shop.ran == ([("refund", 500)] if approve else [])
    assert (len(server.requests), result["messages"][-1].content) == (2, "done")


async def test_an_asynchronous_approver_is_asked(serve, make_guard, shop):
    async def approver(approval):
        await asyncio.sleep(0)
        return approval.arguments["amount"] == 500

    server = serve(
        {"large-1": [call_tool("refund", amount=500), call_tool("refund", amount=600), say("done")]}
    )
    await agent_of(make_guard(BIG), server, shop.tools, approver=approver).ainvoke(question())
    assert shop.ran == [("refund", 500)]


async def test_an_agent_cancelled_in_the_middle_keeps_its_hold(serve, make_guard):
    server = serve({"large-1": say("late", after=threading.Event())})
    guard = make_guard(RETRIES)
    async with guard.run() as run:
        task = asyncio.create_task(agent_of(guard, server).ainvoke(question()))
        await asyncio.to_thread(server.wait, requests=1)
        hold = used(run)[1]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert used(run) == (hold, 0)
        assert hold > 1000
    assert len(server.requests) == 1


async def test_a_slow_tool_is_given_up_at_its_timeout(serve, make_guard):
    @tool
    async def quick() -> str:
        """Never come back."""
        await asyncio.Event().wait()
        return "never"

    retry = 'retry "tools" on tool any { when error.kind == "timeout" attempts <= 2 } else fail "given_up"'
    server = serve({"large-1": [call_tool("quick"), say("ok")]})
    guard = make_guard(retry)
    async with guard.run() as run:
        result = await agent_of(guard, server, [quick]).ainvoke(question())
        assert used(run, "tool_calls") == (2, 0)
    assert tool_messages(result)[0].content == "That does not work now. Do not make its result up."
