"""How sure a model was, as real clients pass it on: token probabilities that a server on loopback gives."""

import asyncio

import openai
import pytest
from langchain_openai import ChatOpenAI

from checkrein.adapters.openai import guarded
from checkrein.demo.server import call_tool, say

from .agents import Shop, agent_of, question
from .conftest import asked

CASCADE = 'route "tiers" { to "small" then "large" when result.confidence < 70% }'
SURE, UNSURE = say("it is so", sure=0.9), say("it may be", sure=0.4)
LARGE = say("it is not so", sure=0.4)
SILENT = say("it is so")


def by_client(server, guard):
    with openai.OpenAI(base_url=server.url, api_key="none") as plain, guard.run():
        client = guarded(plain, guard, targets={"small": (plain, "small-1"), "large": (plain, "large-1")})
        reply = client.chat.completions.create(model="large", messages=asked(), logprobs=True)
        return reply.choices[0].message.content


def by_asynchronous_client(server, guard):
    async def main():
        async with openai.AsyncOpenAI(base_url=server.url, api_key="none") as plain, guard.run():
            targets = {"small": (plain, "small-1"), "large": (plain, "large-1")}
            client = guarded(plain, guard, targets=targets)
            reply = await client.chat.completions.create(model="large", messages=asked(), logprobs=True)
            return reply.choices[0].message.content

    return asyncio.run(main())


def by_responses(server, guard):
    with openai.OpenAI(base_url=server.url, api_key="none") as plain, guard.run():
        client = guarded(plain, guard, targets={"small": (plain, "small-1"), "large": (plain, "large-1")})
        include = ["message.output_text.logprobs"]
        return client.responses.create(model="large", input="one two three", include=include).output_text


def models(server):
    return {
        name: ChatOpenAI(
            model=f"{name}-1", base_url=server.url, api_key="none", use_responses_api=False, logprobs=True
        )
        for name in ("small", "large")
    }


def by_agent(server, guard):
    made = models(server)
    result = agent_of(guard, server, Shop().tools, model=made["large"], models=made).invoke(question())
    return result["messages"][-1].content


def by_asynchronous_agent(server, guard):
    made = models(server)
    agent = agent_of(guard, server, Shop().tools, model=made["large"], models=made)
    return asyncio.run(agent.ainvoke(question()))["messages"][-1].content


PATHS = [by_client, by_asynchronous_client, by_responses, by_agent, by_asynchronous_agent]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("small", "text", "sent"),
    [
        (SURE, "it is so", ["small-1"]),
        (UNSURE, "it is not so", ["small-1", "large-1"]),
        (SILENT, "it is not so", ["small-1", "large-1"]),
    ],
    ids=["sure", "unsure", "silent"],
)
def test_a_larger_model_is_asked_where_the_small_one_was_unsure(serve, make_guard, path, small, text, sent):
    server = serve({"small-1": small, "large-1": LARGE})
    assert path(server, make_guard(CASCADE)) == text
    assert [request.model for request in server.requests] == sent


def test_every_step_of_an_agent_is_looked_at_by_itself(serve, make_guard):
    """A step of nothing but tool calls has no words to be sure of: the larger model takes it."""
    server = serve(
        {"small-1": [call_tool("search", query="x"), SURE], "large-1": call_tool("search", query="y")}
    )
    shop, made = Shop(), models(server)
    result = agent_of(make_guard(CASCADE), server, shop.tools, model=made["large"], models=made).invoke(
        question()
    )
    assert result["messages"][-1].content == "it is so"
    assert shop.ran == [("search", "y")]
    assert [request.model for request in server.requests] == ["small-1", "large-1", "small-1"]
