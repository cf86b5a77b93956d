"""Failures 32 to 41 and 52 of docs/failures.md: retries, from real clients and a server on loopback."""

import re
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

import openai
import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy

import checkrein
from checkrein.adapters import langchain
from checkrein.adapters.openai import guarded
from checkrein.demo.server import Reply, refuse, say

from .conftest import SECOND, figures

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 'limit "run" on run { tokens <= 1M tokens model_calls <= 1k tool_calls <= 1k } else stop "over"'
THRICE = 'retry "models" on model any { attempts <= 3 within 60 s backoff 1 s .. 4 s } else fail "over"'
FALLBACK = 'route "r" { to "large" fallback "large" -> "small" }'
HOLD = 4096


def ask(client, **settings):
    """One chat completion that holds 4,096 tokens."""
    settings = {"messages": [{"role": "user", "content": "a b c"}], "max_tokens": 96, **settings}
    return client.chat.completions.create(model="large", describe={"input_tokens": 4000}, **settings)


def models(server):
    return [request.model for request in server.requests]


@pytest.fixture
def plain():
    """Clients as their users make them: with retries of their own."""
    made = []

    def make(server):
        made.append(openai.OpenAI(base_url=server.url, api_key="none", max_retries=2))
        return made[-1]

    yield make
    for client in made:
        client.close()


def by_client(guard, client, _server):
    with guard.run(), pytest.raises(checkrein.Failed):
        ask(guarded(client, guard, targets={"small": (client, "small")}))


def by_agent(guard, _client, server):
    large, small = (
        ChatOpenAI(model=name, base_url=server.url, api_key="none", use_responses_api=False, max_tokens=96)
        for name in ("large", "small")
    )
    framework = ModelRetryMiddleware(max_retries=2, initial_delay=0, jitter=False)
    governed = langchain.middleware(guard, models={"small": small})
    agent = create_agent(large, [], middleware=[framework, governed])
    state = agent.invoke({"messages": [("user", "a b c")]})
    assert state["checkrein_outcome"] == "over"


def by_graph(guard, client, _server):
    class State(TypedDict):
        text: str

    def node(_state):
        with guard.run():
            ask(guarded(client, guard, targets={"small": (client, "small")}))

    graph = StateGraph(State)
    graph.add_node("ask", node, retry_policy=RetryPolicy(max_attempts=3, initial_interval=0.0))
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    with pytest.raises(checkrein.Failed):
        graph.compile().invoke({"text": ""})


@pytest.mark.parametrize("path", [by_client, by_agent, by_graph])
def test_failure_32_as_many_requests_as_the_policy_says(load, serve, plain, path):
    server = serve(large=refuse(500), small=refuse(500))
    path(load(LIMIT, THRICE), plain(server), server)
    assert models(server) == ["large"] * 3, "the client and the framework would have made 27 of them"
    path(load(LIMIT, THRICE, FALLBACK), plain(server), server)
    assert models(server)[3:] == ["large"] * 3 + ["small"] * 3, "fallbacks add up and do not multiply"


def test_failure_33_no_model_is_asked_before_the_time_it_gave(load, serve, plain, clock):
    asked = {"large": [], "small": []}

    def busy(received):
        asked[received.model].append(clock.now())
        return refuse(429, retry_after=30)

    client = plain(serve(large=busy, small=busy))
    patient = 'retry "models" on model any { attempts <= 3 within 5 min backoff 1 s .. 4 s } else fail "over"'
    guard = load(LIMIT, patient, FALLBACK)
    with guard.run(), pytest.raises(checkrein.Failed):
        ask(guarded(client, guard, targets={"small": (client, "small")}))
    assert {name: len(times) for name, times in asked.items()} == {"large": 3, "small": 3}
    for times in asked.values():
        assert all(later - earlier >= 30 * SECOND for earlier, later in pairwise(times))


@pytest.mark.parametrize("wait", ["61", "276480", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT"])
@pytest.mark.parametrize("within", ["within 60 s", ""])
def test_failure_34_a_wait_that_does_not_fit_is_not_begun(load, serve, plain, clock, wait, within):
    server = serve(large=Reply(status=429, headers={"retry-after": wait}), small=say("here"))
    client = plain(server)
    retry = f'retry "models" on model any {{ attempts <= 3 {within} }} else fail "over"'
    guard = load(LIMIT, retry)
    with guard.run(), pytest.raises(checkrein.Failed):
        ask(guarded(client, guard))
    guard = load(LIMIT, retry, FALLBACK)
    with guard.run():
        answer = ask(guarded(client, guard, targets={"small": (client, "small")}))
    assert answer.choices[0].message.content == "here"
    assert (models(server), clock.now()) == (["large", "large", "small"], 0)


def test_failure_36_attempts_and_delays_end_by_their_deadline(load, clock):
    deadline = 'limit "time" on run { active_time <= 20 s } else stop "over"'
    retry = 'retry "t" on tool any { attempts <= 1k within 10 s backoff 200 ms .. 5 s } else fail "over"'
    for guard, longest in (
        (load(LIMIT, retry), 10),
        (load(LIMIT, deadline, retry.replace("10 s", "1 h")), 20),
    ):
        tried = [_times_of_attempts(guard, clock, seed) for seed in range(100)]
        assert all(len(times) >= 4 for times in tried)
        assert max(max(times) for times in tried) <= longest * SECOND, (
            "the last delay is in the deadline, too"
        )
        assert len({tuple(times) for times in tried}) == 100, "by chance, not all at once"


def _times_of_attempts(guard, clock, seed):
    """When a search was tried that fails at once, since its first time, until it was given up."""
    begun, times = clock.now(), []

    def search(query):
        times.append(clock.now() - begun)
        raise ConnectionResetError("lost")

    with guard.run(seed=seed) as run, pytest.raises(checkrein.Refusal):
        run.tool("search", search, query="x")
    return [*times, clock.now() - begun]


def test_failure_37_what_may_be_billed_stays_held(load, serve, plain):
    server = serve(large=say("a"))
    guard = load(LIMIT)
    with guard.run() as run:
        client, charged = guarded(plain(server), guard), []
        for status in (429, 503, 529, 500, 502, 504):
            server.script["large"] = refuse(status)
            before = figures(run, "run", "tokens")[0]
            with pytest.raises(openai.APIStatusError):
                ask(client)
            charged.append(figures(run, "run", "tokens")[0] - before)

        def hangs(model, max_tokens):
            raise TimeoutError("the client gave up, the provider did not")

        with pytest.raises(TimeoutError):
            run.model(hangs, model="large", input_tokens=4000, max_tokens=96)
        assert figures(run, "run", "tokens") == (4 * HOLD, 0)
    assert charged == [0, 0, 0, HOLD, HOLD, HOLD]


def test_failure_38_a_used_up_account_is_left_at_once(load, serve, plain, clock):
    spent = refuse(429, retry_after=1, code="insufficient_quota")
    server = serve(large=spent, small=say("here"))
    client = plain(server)
    alone = load(LIMIT, THRICE)
    with alone.run(), pytest.raises(openai.RateLimitError):
        ask(guarded(client, alone))
    guard = load(LIMIT, THRICE, FALLBACK)
    with guard.run():
        ask(guarded(client, guard, targets={"small": (client, "small")}))
    assert (models(server), clock.now()) == (["large", "large", "small"], 0)
    for status in (400, 401, 402, 403, 422):
        server.script["large"] = refuse(status)
        with alone.run(), pytest.raises(openai.APIStatusError):
            ask(guarded(client, alone))
    assert len(server.requests) == 3 + 5


def test_failure_40_a_malformed_request_is_sent_once(load, serve, plain, records):
    circle = 'route "r" { fallback "large" -> "small" fallback "small" -> "large" }'
    with pytest.raises(checkrein.PolicyError, match="R0405"):
        load(LIMIT, THRICE, circle)
    server = serve(large=refuse(400), small=refuse(400))
    client = plain(server)
    guard = load(LIMIT, THRICE, FALLBACK)
    with guard.run(), pytest.raises(openai.BadRequestError):
        ask(guarded(client, guard, targets={"small": (client, "small")}))
    assert models(server) == ["large"]
    # Even if all that can be said is that it went wrong, every model is tried so often and no more.
    server.script.update(large=refuse(599), small=refuse(599))
    del records[:]
    with guard.run(), pytest.raises(checkrein.Failed):
        ask(guarded(client, guard, targets={"small": (client, "small")}))
    assert (len(models(server)), len(records.of("decision"))) == (1 + 6, 12)


def test_failure_41_no_fallback_to_a_window_that_is_too_small(load, serve, plain):
    words = """
    language 1 policy "windows"
    model "large" is "test/large" { place cloud window 8k tokens output 100 tokens price free }
    model "small" is "test/small" { place edge window 2k tokens output 100 tokens price free }
    model "other" is "test/other" { place cloud window 16k tokens output 100 tokens price free }
    state "over" tell user "over"
    """
    route = 'route "r" { to "large" fallback "large" -> "small" fallback "small" -> "other" }'
    chunk = '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}'
    error = '{"error":{"message":"The server is overloaded","type":"server_error","code":null}}'
    server = serve(large=refuse(500), small=say("cut off"), other=say("whole"))
    client = plain(server)
    guard = load(LIMIT, route, words=words)
    with guard.run():
        targets = {name: (client, name) for name in ("small", "other")}
        answer = ask(guarded(client, guard, targets=targets))
    assert (answer.choices[0].message.content, models(server)) == ("whole", ["large", "other"])
    # An error inside a stream that began with 200 is an error, and no end of a good answer.
    from tests.guard.answering import Answering

    broken = Answering()
    try:
        broken.says(200, f"data: {chunk}\n\ndata: {error}\n\n")
        client = openai.OpenAI(base_url=f"{broken.url}/v1", api_key="none")
        with client, guard.run() as run:
            with pytest.raises(openai.APIError, match="overloaded"):
                list(ask(guarded(client, guard), stream=True))
            assert figures(run, "run", "tokens") == (4096, 0)
    finally:
        broken.close()


def test_failure_52_what_runs_in_production_depends_on_next_to_nothing():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=!]", each)[0] for each in project["dependencies"]}
    assert needed == {"click", "lark"}, (
        "the command and the compiler, and nothing that an agent's host imports"
    )
    locks = [path.read_text() for path in (ROOT / "requirements").glob("*.txt")]
    for lines in locks:
        pinned = [line for line in lines.splitlines() if line and not line.lstrip().startswith("#")]
        assert all("==" in line for line in pinned)
    assert not any(re.search(r"^litellm\b", lock, re.MULTILINE) for lock in locks)
    loaded = "{m.partition('.')[0] for m in sys.modules}"
    code = f"import sys; before = {loaded}; import checkrein.guard.guard; print(*{loaded} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - set(sys.stdlib_module_names) == {"checkrein"}
