"""The OpenAI client under a policy, synchronous: what reaches the server, and what is booked."""

import threading

import openai
import pytest

import checkrein
from checkrein.adapters.openai import guarded
from checkrein.demo.server import cut, refuse, say

from .conftest import RETRIES, asked, used


@pytest.fixture
def setup(serve, client_of, make_guard):
    """A server, a guard, and a guarded client between them."""

    def make(script, *statements, targets=None):
        server, guard = serve(script), make_guard(*statements)
        return server, guard, guarded(client_of(server), guard, targets=targets)

    return make


def create(client, model="large-1", **settings):
    return client.chat.completions.create(model=model, messages=asked(), **settings)


# -- what is sent and what is booked -----------------------------------------------------------------


def test_the_reply_is_the_plain_clients_and_exactly_booked(setup):
    server, guard, client = setup({"large-1": say("a b c d")})
    with guard.run() as run:
        reply = create(client)
        assert reply.choices[0].message.content == "a b c d"
        assert used(run) == (3 + 4, 0)
        assert used(run, "model_calls") == (1, 0)
    assert len(server.requests) == 1
    assert str(run.outcome) == "completed"


@pytest.mark.parametrize(
    ("settings", "name", "sent"),
    [
        ({}, "max_tokens", 1000),
        ({"max_tokens": 5000}, "max_tokens", 1000),
        ({"max_tokens": 7}, "max_tokens", 7),
        ({"max_completion_tokens": 5000}, "max_completion_tokens", 1000),
        ({"max_completion_tokens": 9, "max_tokens": 5000}, "max_completion_tokens", 9),
    ],
)
def test_the_output_is_really_capped(setup, settings, name, sent):
    server, guard, client = setup({"large-1": say("a")})
    with guard.run():
        create(client, **settings)
    body = server.requests[0].body
    assert {key: body[key] for key in body if "max" in key} == {name: sent}


def test_the_cap_is_what_the_limit_still_pays_for(setup):
    limit = 'limit "tight" on run { tokens <= 300 tokens } else stop "over_limit"'
    server, guard, client = setup({"large-1": say("word " * 900)}, limit)
    with guard.run() as run:
        reply = create(client)
        assert reply.choices[0].finish_reason == "length"
        spent, _held = used(run, limit="tight")
    assert server.requests[0].max_tokens < 300
    assert spent == 3 + server.requests[0].max_tokens <= 300


def test_several_answers_share_the_cap(setup):
    server, guard, client = setup({"large-1": say("a")})
    with guard.run():
        create(client, n=4, max_tokens=500)
    assert server.requests[0].max_tokens == 250


def test_the_prompt_is_bounded_by_its_bytes(setup, records):
    _server, guard, client = setup({"large-1": say("a")})
    tools = [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}]
    with guard.run():
        client.chat.completions.create(
            model="large-1", messages=asked("x" * 1000), tools=tools, max_tokens=10
        )
    reserved = records.decisions()[0]["reserved"]["tokens"]
    assert 1010 < reserved < 1400


def test_an_iterator_of_messages_is_counted_and_sent(setup):
    server, guard, client = setup({"large-1": say("a")})
    with guard.run():
        client.chat.completions.create(model="large-1", messages=iter(asked()))
    assert server.requests[0].input_tokens == 3


@pytest.mark.parametrize(
    "call",
    [
        lambda c, **d: c.responses.create(model="large-1", input="a", previous_response_id="r1", **d),
        lambda c, **d: c.chat.completions.create(
            model="large-1",
            messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}],
            **d,
        ),
    ],
)
def test_a_prompt_that_bytes_do_not_measure_needs_the_hosts_word(setup, records, call):
    server, guard, client = setup({"large-1": say("a")})
    with guard.run():
        with pytest.raises(checkrein.EngineError, match="input_tokens") as caught:
            call(client)
        assert (caught.value.kind, server.requests) == ("uncounted", [])
        call(client, describe={"input_tokens": 2000})
    assert records.decisions()[0]["reserved"]["tokens"] == 2000 + 1000


def test_what_the_host_knows_reaches_the_policy(setup):
    unsure = "has step.confidence and step.confidence < 40%"
    rule = f'rule "unsure" on model any when {unsure} then deny because "unsure"'
    server, guard, client = setup({"large-1": say("a")}, rule)
    with guard.run(), pytest.raises(checkrein.Denied, match="unsure"):
        create(client, describe={"confidence": 0.1, "step": "answer", "facts": {"data.class": "pii"}})
    assert server.requests == []


def test_the_deadline_is_the_clients_timeout(setup):
    limit = 'limit "time" on run { active_time <= 100 ms } else stop "over_limit"'
    server, guard, client = setup({"large-1": say("late", after=threading.Event())}, limit)
    with guard.run() as run:
        with pytest.raises(openai.APITimeoutError):
            create(client)
        spent, held = used(run)
    assert (spent > 1000, held, len(server.requests)) == (True, 0, 1)


# -- retries, fallbacks, refusals --------------------------------------------------------------------


@pytest.mark.parametrize(("statements", "requests"), [((), 1), ((RETRIES,), 3)])
def test_only_the_policy_retries(setup, clock, statements, requests):
    server, guard, client = setup({"large-1": refuse(429, retry_after=2)}, *statements)
    with guard.run() as run:
        with pytest.raises(checkrein.Failed if statements else openai.RateLimitError):
            create(client)
        assert used(run) == (0, 0)
    assert len(server.requests) == requests
    assert clock.now() >= (requests - 1) * 2_000_000_000


def test_a_retry_that_succeeds_is_one_step(setup):
    server, guard, client = setup({"large-1": [refuse(500), refuse(503), say("a")]}, RETRIES)
    with guard.run() as run:
        assert create(client).choices[0].message.content == "a"
        assert used(run, "model_calls") == (3, 0)
    assert len(server.requests) == 3


def test_a_fallback_goes_to_its_target(setup, serve, client_of):
    edge = serve({"qwen": say("from the edge")})
    route = 'route "r" { to "large" fallback "large" -> "small" }'
    server, guard, client = setup(
        {"large-1": refuse(500)}, route, targets={"small": (client_of(edge), "qwen")}
    )
    with guard.run():
        assert create(client, max_tokens=900).choices[0].message.content == "from the edge"
    assert (len(server.requests), len(edge.requests)) == (1, 1)
    assert edge.requests[0].max_tokens == 200


def test_a_route_without_a_target_sends_nothing(setup):
    server, guard, client = setup({"large-1": say("a")}, 'route "r" { to "small" }')
    with guard.run(), pytest.raises(checkrein.EngineError, match="targets"):
        create(client)
    assert server.requests == []


def test_a_model_that_is_not_declared_is_denied(setup):
    server, guard, client = setup({"gpt-99": say("a")})
    with guard.run(), pytest.raises(checkrein.Denied, match="undeclared model"):
        create(client, model="gpt-99")
    assert server.requests == []


@pytest.mark.parametrize(
    ("name", "sent"), [("large", "large-1"), ("test/large-1", "test/large-1"), ("large-1", "large-1")]
)
def test_a_model_may_be_called_by_name_target_or_last_part(setup, name, sent):
    server, guard, client = setup({sent: say("a")})
    with guard.run():
        create(client, model=name)
    assert [r.model for r in server.requests] == [sent]


def test_a_runaway_loop_is_stopped_after_exactly_n_calls(setup):
    limit = 'limit "calls" on run { model_calls <= 4 } else stop "over_limit"'
    server, guard, client = setup({"large-1": say("again")}, limit)
    with guard.run() as run:
        while True:
            create(client)
    assert len(server.requests) == 4
    assert (run.outcome.kind, str(run.outcome)) == ("stopped", "over_limit")


def test_a_swallowed_stop_is_met_again(setup):
    limit = 'limit "calls" on run { model_calls <= 1 } else stop "over_limit"'
    server, guard, client = setup({"large-1": say("a")}, limit)
    stops = 0
    with guard.run():
        create(client)
        for _ in range(5):
            try:
                create(client)
            except Exception:  # noqa: BLE001 - what it swallows is the point
                stops += 1
    assert (stops, len(server.requests)) == (5, 1)


def test_what_is_not_governed_is_refused(setup):
    _server, guard, client = setup({})
    for reach in (
        lambda: client.embeddings,
        lambda: client.chat.completions.with_raw_response,
        lambda: client.beta,
    ):
        with pytest.raises(AttributeError, match="not governed"):
            reach()
    with pytest.raises(checkrein.EngineError) as caught:
        create(client)
    assert caught.value.kind == "no_run"
    with guard.run(), pytest.raises(checkrein.EngineError, match="declares no model"):
        guarded(openai.OpenAI(api_key="none"), guard, targets={"lrage": (None, "x")})


# -- streams -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("asks", [True, False])
def test_a_stream_is_settled_with_its_exact_usage(setup, asks):
    server, guard, client = setup({"large-1": say("a b c d")})
    options = {"stream_options": {"include_usage": True}} if asks else {}
    with guard.run() as run:
        chunks = list(create(client, stream=True, **options))
        assert used(run) == (3 + 4, 0)
    assert server.requests[0].body["stream_options"] == {"include_usage": True}
    # Who did not ask for the usage does not get a chunk without choices.
    assert sum(not chunk.choices for chunk in chunks) == (1 if asks else 0)


def test_a_stream_closed_early_keeps_its_hold(setup):
    _server, guard, client = setup({"large-1": say("a b c d")})
    with guard.run() as run:
        with create(client, stream=True, max_tokens=100) as stream:
            next(stream)
            _spent, hold = used(run)
            assert hold > 100
        assert used(run) == (hold, 0)


def test_a_stream_that_is_dropped_keeps_its_hold(setup):
    _server, guard, client = setup({"large-1": say("a b c d")})
    with guard.run() as run:
        stream = create(client, stream=True, max_tokens=100)
        hold = used(run)[1]
        stream.response.close()
        del stream
        assert used(run) == (hold, 0)


def test_a_cut_stream_keeps_its_hold_and_is_not_retried(setup):
    server, guard, client = setup({"large-1": cut("a b c d", after=2)}, RETRIES)
    with guard.run() as run:
        stream = create(client, stream=True, max_tokens=100)
        hold = used(run)[1]
        with pytest.raises(openai.APIConnectionError):
            list(stream)
        assert used(run) == (hold, 0)
    assert len(server.requests) == 1


def test_a_stream_read_after_its_run_changes_nothing_more(setup):
    _server, guard, client = setup({"large-1": say("a b c d")})
    with guard.run() as run:
        stream = create(client, stream=True, max_tokens=100)
        hold = used(run)[1]
    assert len(list(stream)) > 4
    assert used(run) == (hold, 0)


def test_responses_are_governed_alike(setup):
    server, guard, client = setup({"large-1": say("a b c d")})
    with guard.run() as run:
        whole = client.responses.create(model="large-1", input="one two", max_output_tokens=5000)
        assert whole.output_text == "a b c d"
        assert used(run) == (2 + 4, 0)
        events = list(client.responses.create(model="large-1", input="one two", stream=True))
        assert events[-1].type == "response.completed"
        assert used(run) == (2 * (2 + 4), 0)
    assert [r.body["max_output_tokens"] for r in server.requests] == [1000, 1000]


# -- layers ------------------------------------------------------------------------------------------


def test_a_call_reserved_by_an_outer_layer_is_booked_once(setup):
    server, guard, client = setup({"large-1": say("a b c d")})

    def host_call(model, max_tokens):
        assert model == "large"
        return create(client, max_tokens=max_tokens)

    with guard.run() as run:
        run.model(host_call, model="large", max_tokens=50)
        assert used(run) == (3 + 4, 0)
        assert used(run, "model_calls") == (1, 0)
    assert server.requests[0].max_tokens == 50


def test_a_second_call_inside_is_admitted_on_its_own(setup):
    server, guard, client = setup({"large-1": say("a b c d"), "small-1": say("a")})

    def host_call(model, max_tokens):
        create(client)
        create(client, model="small-1")
        return create(client)

    with guard.run() as run:
        run.model(host_call, model="large")
        assert used(run, "model_calls") == (3, 0)
        assert used(run) == (2 * (3 + 4) + (3 + 1), 0)
    assert len(server.requests) == 3


def test_a_reservation_is_not_usable_once_its_call_is_over(setup):
    _server, guard, client = setup({"large-1": say("a")})
    left_behind = []

    def host_call(model, max_tokens):
        import contextvars

        left_behind.append(contextvars.copy_context())
        return checkrein.guard.usage.NOTHING

    with guard.run() as run:
        run.model(host_call, model="large")
        left_behind[0].run(create, client)
        assert used(run, "model_calls") == (2, 0)


def test_what_was_told_before_is_found(setup):
    again = 'loop "again" on run { repeated_context >= 50% } else deny because "Told before."'
    server, guard, client = setup({"large-1": say("a")}, again)
    story = {"role": "user", "content": "the parcel left on Monday " * 20}

    def ask(*messages):
        return client.chat.completions.create(model="large-1", messages=list(messages))

    with guard.run():
        ask({"role": "system", "content": "Trace parcels."}, story)
        ask({"role": "system", "content": "Trace parcels."}, story, {"role": "assistant", "content": "a"})
        with pytest.raises(checkrein.Denied, match="Told before"):
            ask({"role": "system", "content": "Write letters."}, story)
        with pytest.raises(checkrein.Denied, match="Told before"):
            client.responses.create(model="large-1", instructions="Write letters.", input=[story])
    assert len(server.requests) == 2
