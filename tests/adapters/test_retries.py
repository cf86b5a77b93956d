"""Whoever retries besides the policy is switched off or refused: real clients, and a server that counts."""

import anthropic
import openai
import pytest

import checkrein
from checkrein.demo.server import refuse, say

from .agents import agent_of, chat, question
from .conftest import RETRIES

ASKED = {"messages": [{"role": "user", "content": "a"}], "input_tokens": 100, "max_tokens": 10}


@pytest.mark.parametrize(
    "method",
    [
        lambda url, **options: openai.OpenAI(base_url=url, api_key="none", **options).chat.completions.create,
        lambda url, **options: anthropic.Anthropic(base_url=url, api_key="none", **options).messages.create,
    ],
)
def test_a_clients_method_that_retries_on_its_own_is_refused(serve, make_guard, method):
    server = serve({"large": say("a")})
    with make_guard(RETRIES).run() as run:
        with pytest.raises(checkrein.EngineError, match="max_retries=0") as caught:
            run.model(method(server.url), model="large", **ASKED)
        assert (caught.value.kind, len(server.requests)) == ("retries", 0)


def test_without_its_own_retries_it_is_asked_as_often_as_the_policy_says(serve, make_guard):
    server = serve({"large": refuse(500)})
    client = openai.OpenAI(base_url=server.url, api_key="none", max_retries=0)
    with client, make_guard(RETRIES).run() as run, pytest.raises(checkrein.Failed):
        run.model(client.chat.completions.create, model="large", **ASKED)
    assert len(server.requests) == 3


def test_a_model_made_with_retry_is_refused(serve, make_guard):
    server = serve({"large-1": say("a")})
    retrying = chat(server).with_retry(stop_after_attempt=3)
    with pytest.raises(checkrein.EngineError, match="with_retry"):
        agent_of(make_guard(), server, model=retrying).invoke(question())
    assert len(server.requests) == 0
