"""Failures 39 and 53 of docs/failures.md: agents that meet a denial, and what they do about it."""

import openai
import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware, ToolRetryMiddleware
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

import checkrein
from checkrein.adapters import langchain
from checkrein.adapters.openai import guarded
from checkrein.demo.server import call_tool, refuse
from checkrein.errors import Refusal

RETRIES = """
retry "models" on model any { attempts <= 5 backoff 1 s .. 2 s } else fail "over"
retry "tools" on tool any { attempts <= 5 backoff 1 s .. 2 s } else fail "over"
"""
NO_REFUNDS = 'rule "no refunds" on tool "refund" then deny because "Refunds are closed."'
LIMIT = 'limit "run" on run { tokens <= 100k tokens model_calls <= 20 } else stop "over"'
PLEASE = {"messages": [{"role": "user", "content": "my money back"}]}
STREAK = 'loop "stuck" on run { same call >= 3 within 9 steps } else stop "stuck"'


@tool
def refund(amount: int) -> str:
    """Pay money back."""
    raise AssertionError("it is denied, and never runs")


def agent_of(guard, server, *between):
    """An agent whose framework retries what fails, as its users often have it."""
    model = ChatOpenAI(model="large", base_url=server.url, api_key="none", use_responses_api=False)
    return create_agent(model, [refund], middleware=[*between, langchain.middleware(guard)])


def test_failure_39_our_own_denial_is_never_retried(load, serve, clock):
    server = serve(large=refuse(400))
    guard = load(RETRIES, NO_REFUNDS)
    tried = []

    def shop(query):
        tried.append(query)
        return run.tool("refund", lambda amount: amount, amount=1)

    with guard.run() as run:
        with pytest.raises(checkrein.Denied, match="Refunds are closed"):
            run.tool("search", shop, query="a tool inside which another one is denied")
        assert len(tried) == 1
        # Nor is what the server will never take, which `retry` without `when` is not about.
        ask = {"model": "large", "messages": [{"role": "user", "content": "a"}], "max_tokens": 9}
        with openai.OpenAI(base_url=server.url, api_key="none") as plain:
            client = guarded(plain, guard)
            with pytest.raises(openai.BadRequestError):
                client.chat.completions.create(**ask)
    assert len(server.requests) == 1
    assert clock.now() == 0, "and nobody waited for it"

    # A framework that retries tools and models around the policy meets no exception that it would take again.
    server.script["large"] = call_tool("refund", amount=1)
    between = [ToolRetryMiddleware(max_retries=4), ModelRetryMiddleware(max_retries=4)]
    sent = len(server.requests)
    guard = load(LIMIT, STREAK, NO_REFUNDS, 'state "stuck" tell user "stuck"')
    result = agent_of(guard, server, *between).invoke(PLEASE)
    assert (len(server.requests) - sent, result["checkrein_outcome"]) == (3, "stuck")


def test_varied_arguments_do_not_hide_a_denied_call(load, serve):
    server = serve(large=[call_tool("refund", amount=number) for number in range(1, 99)])
    idle = 'loop "idle" on run { no progress >= 4 steps } else stop "stuck"'
    guard = load(LIMIT, idle, NO_REFUNDS, 'state "stuck" tell user "I could not make progress."')
    result = agent_of(guard, server).invoke(PLEASE)
    assert result["messages"][-1].content == "I could not make progress."
    assert len(server.requests) == 4


def test_failure_53_a_denied_call_is_not_asked_for_again_and_again(load, serve, records):
    server = serve(large=call_tool("refund", amount=1))
    guard = load(LIMIT, STREAK, NO_REFUNDS, 'state "stuck" tell user "I could not make progress."')
    result = agent_of(guard, server).invoke(PLEASE)
    told = [message.content for message in result["messages"] if message.type == "tool"]
    assert told[:2] == ["This call was not run. Refunds are closed."] * 2
    assert result["messages"][-1].content == "I could not make progress."
    assert len(server.requests) == 3, "the third time is the last that is paid for"
    # The stop is latched: what meets it again costs nothing.
    with guard.run() as run:
        for _ in range(2):
            with pytest.raises(checkrein.Denied):
                run.tool("refund", refund.func, amount=1)
        for _ in range(3):
            with pytest.raises(Refusal) as met:
                run.tool("refund", refund.func, amount=1)
            assert isinstance(met.value, checkrein.Stopped)
        assert met.value.decision.latched
    stops = [record for record in records.of("decision") if record["outcome"] == "stop"]
    assert {record["by"] for record in stops} == {"stuck"}
