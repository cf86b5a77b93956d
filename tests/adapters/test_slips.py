"""What would slip past a decision on its way to the provider: overrides, unseen prompts, odd streams."""

import subprocess
import sys

import pytest
from langchain.agents.middleware import wrap_model_call

import checkrein
from checkrein.adapters.openai import _WithoutUsage, guarded
from checkrein.demo.server import say

from .agents import agent_of, chat, question
from .conftest import asked, used

OVERRIDES = [
    {"max_tokens": 5000},
    {"model": "evil"},
    {"n": 9},
    {"messages": [{"role": "user", "content": "x"}]},
    {"web_search_options": {}},
]


@pytest.mark.parametrize("extra", OVERRIDES)
def test_an_extra_body_does_not_replace_what_was_decided(serve, make_guard, client_of, extra):
    server = serve({"large-1": say("a"), "evil": say("b")})
    guard = make_guard()
    client = guarded(client_of(server), guard)
    with guard.run():
        with pytest.raises(checkrein.EngineError, match="would replace"):
            client.chat.completions.create(model="large", messages=asked(), extra_body=extra)
        client.chat.completions.create(model="large-1", messages=asked(), extra_body={"top_k": 5})
    assert [(r.model, r.body["top_k"]) for r in server.requests] == [("large-1", 5)]


def test_an_extra_body_is_counted(serve, make_guard, client_of):
    server = serve({"large-1": say("a")})
    guard = make_guard('limit "small" on run { tokens <= 2k tokens } else stop "over_limit"')
    client = guarded(client_of(server), guard)
    with guard.run() as run, pytest.raises(checkrein.Stopped):
        client.chat.completions.create(
            model="large-1", messages=asked(), extra_body={"documents": ["x" * 3000]}
        )
    assert used(run) == (0, 0)
    assert not server.requests


@pytest.mark.parametrize(
    ("where", "settings"),
    [
        ("model", {"extra_body": OVERRIDES[0]}),
        ("model", {"n": 9}),
        ("request", {"extra_body": OVERRIDES[1]}),
        ("request", {"n": 9}),
        ("request", {"model": "evil"}),
    ],
)
def test_settings_of_a_chat_model_do_not_replace_what_was_decided(serve, make_guard, where, settings):
    server = serve({"large-1": say("a"), "evil": say("b")})
    inner = ()
    if where == "request":
        inner = [wrap_model_call(lambda request, handler: handler(request.override(model_settings=settings)))]
    model = chat(server, **(settings if where == "model" else {}))
    guard = make_guard()
    with guard.run(), pytest.raises(checkrein.EngineError):
        agent_of(guard, server, model=model, inner=inner).invoke(question())
    assert not server.requests


def test_what_a_provider_adds_to_the_prompt_needs_the_hosts_word(serve, make_guard, client_of):
    server = serve({"large-1": say("a")})
    guard = make_guard()
    client = guarded(client_of(server), guard)
    searching = {"model": "large-1", "input": "x", "tools": [{"type": "web_search"}]}
    with guard.run() as run:
        with pytest.raises(checkrein.EngineError, match="web_search"):
            client.responses.create(**searching)
        with pytest.raises(checkrein.EngineError, match="web_search_options"):
            client.chat.completions.create(model="large-1", messages=asked(), web_search_options={})
        client.responses.create(**searching, describe={"input_tokens": 50_000})
        assert used(run, "model_calls") == (1, 0)


def test_counts_that_cannot_be_right_are_unknown(serve, make_guard, client_of):
    server = serve({"large-1": say("a b c", input_tokens=10**25, output_tokens=-5)})
    guard = make_guard()
    client = guarded(client_of(server), guard)
    for stream in (False, True):
        with guard.run() as run:
            reply = client.chat.completions.create(
                model="large-1", messages=asked(), max_tokens=5, stream=stream,
                describe={"input_tokens": 20},
            )  # fmt: skip
            if stream:
                assert len(list(reply)) > 3
            assert used(run) == (25, 0)


def test_a_flood_of_usage_is_passed_over():
    usage = type("Chunk", (), {"choices": [], "usage": 1})()
    word = type("Chunk", (), {"choices": [1], "usage": None})()
    assert list(_WithoutUsage(iter([*[usage] * 5000, word]))) == [word]


@pytest.mark.parametrize(
    ("extra", "package", "code"),
    [
        ("langchain", "langchain", "from checkrein.adapters import langchain"),
        ("edge", "onnxruntime_genai", "from checkrein.adapters.onnx import EdgeModel; EdgeModel('.')"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(extra, package, code):
    hidden = f"import sys; sys.modules[{package!r}] = None; {code}"
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True)
    assert f"pip install 'checkrein[{extra}]'" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"mesages": []}, TypeError),
        ({"messages": [], "temprature": 1}, TypeError),
        ({}, TypeError),
        ({"messages": [], "describe": {"steps": "x"}}, checkrein.EngineError),
        ({"messages": [], "describe": {"usage": None}}, checkrein.EngineError),
        ({"messages": [], "max_tokens": 0}, checkrein.EngineError),
        ({"messages": [], "max_tokens": 5, "n": -1}, checkrein.EngineError),
    ],
)
def test_a_slip_of_the_host_is_found_before_anything_is_held(serve, make_guard, client_of, settings, error):
    server = serve({"large-1": say("a")})
    guard = make_guard('retry "models" on model any { attempts <= 3 } else fail "given_up"')
    client = guarded(client_of(server), guard)
    with guard.run() as run:
        with pytest.raises(error):
            client.chat.completions.create(model="large-1", **settings)
        assert used(run) == used(run, "model_calls") == (0, 0)
    assert not server.requests
