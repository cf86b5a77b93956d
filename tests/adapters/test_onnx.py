"""A model in this process: stopped at the exact token that is paid for, and exactly booked."""

from importlib.resources import as_file, files
from threading import Thread

import pytest

import checkrein
from checkrein.adapters.onnx import EdgeModel

from .conftest import used

PROMPT = [2, 10, 11, 12]


@pytest.fixture(scope="module")
def edge():
    with as_file(files("checkrein") / "demo" / "tiny_onnx") as folder:
        yield EdgeModel(folder)


@pytest.mark.parametrize("cap", [0, 1, 7, 64])
def test_a_model_that_never_ends_stops_at_exactly_the_capped_token(edge, make_guard, cap):
    with make_guard().run() as run:
        written = run.model(edge.generate, model="small", prompt_ids=PROMPT, max_tokens=cap)
        assert (len(written.tokens), written.finish) == (cap, "length")
        assert used(run) == (len(PROMPT) + cap, 0)


def test_the_models_own_output_limit_holds(edge, make_guard):
    with make_guard().run() as run:
        assert len(run.model(edge.generate, model="small", prompt_ids=PROMPT).tokens) == 200


def test_what_is_left_of_a_limit_is_the_cap(edge, make_guard):
    limit = 'limit "tight" on run { tokens <= 50 tokens } else stop "over_limit"'
    with make_guard(limit).run() as run:
        call = {"model": "small", "prompt_ids": PROMPT, "input_tokens": len(PROMPT)}
        assert len(run.model(edge.generate, **call).tokens) == 50 - len(PROMPT)
        run.model(edge.generate, **call)
    assert str(run.outcome) == "over_limit"
    assert used(run, limit="tight") == (50, 0)


@pytest.mark.parametrize("cap", [0, 13])
def test_a_host_that_asks_for_more_gets_no_token_more(edge, make_guard, cap):
    def greedy(model, max_tokens):
        return edge.generate(PROMPT, max_tokens=1000, model=model)

    with make_guard().run() as run:
        written = run.model(greedy, model="small", max_tokens=cap, input_tokens=4)
        assert len(written.tokens) == cap
        assert used(run) == (4 + cap, 0)


def test_nothing_runs_without_a_reservation(edge, make_guard):
    with pytest.raises(checkrein.EngineError, match="nothing is reserved"):
        edge.generate(PROMPT, 5)

    def twice(model, max_tokens):
        edge.generate(PROMPT, max_tokens, model)
        return edge.generate(PROMPT, max_tokens, model)

    with make_guard().run() as run, pytest.raises(checkrein.EngineError, match="nothing is reserved"):
        run.model(twice, model="small", max_tokens=5)


def test_another_model_than_the_reserved_one_does_not_run(edge, make_guard):
    def other(model, max_tokens):
        return edge.generate(PROMPT, max_tokens, "large")

    with make_guard().run() as run, pytest.raises(checkrein.EngineError):
        run.model(other, model="small", max_tokens=5)


def test_a_choice_reads_and_writes_nothing(edge, make_guard):
    with make_guard().run() as run:
        chosen = run.model(edge.choose, model="small", prompt_ids=PROMPT, labels={"a": 20, "b": 21, "c": 22})
        assert chosen.label in {"a", "b", "c"}
        assert 1 / 3 <= chosen.confidence <= 1
        assert used(run) == (len(PROMPT), 0)
        assert used(run, "model_calls") == (1, 0)


def test_the_same_prompt_gives_the_same_choice(edge, make_guard):
    with make_guard().run() as run:
        labels = {str(id): id for id in range(3, 64)}
        choices = [run.model(edge.choose, model="small", prompt_ids=PROMPT, labels=labels) for _ in range(3)]
    assert len({(c.label, c.confidence) for c in choices}) == 1


@pytest.mark.parametrize("ids", [[], [64], [-1], [2] * 2048, [2] * 3000])
def test_ids_that_the_library_would_take_wrongly_are_refused(edge, make_guard, ids):
    with make_guard().run() as run:
        for call, more in ((edge.generate, {}), (edge.choose, {"labels": {"a": 20}})):
            with pytest.raises(ValueError, match="prompt"):
                run.model(call, model="small", prompt_ids=ids, max_tokens=5, **more)
        # The model is as good as before.
        assert len(run.model(edge.generate, model="small", prompt_ids=PROMPT, max_tokens=5).tokens) == 5


def test_a_prompt_that_nearly_fills_the_context_writes_what_is_left(edge, make_guard):
    with make_guard().run() as run:
        written = run.model(edge.generate, model="small", prompt_ids=[2] * 2040, max_tokens=100)
        assert len(written.tokens) == 8
        run.model(edge.choose, model="small", prompt_ids=[2] * 2047, labels={"a": 20})


def test_a_deadline_ends_the_writing(edge, make_guard):
    class Ticking(checkrein.VirtualClock):
        """Ten milliseconds pass whenever it is read."""

        def now(self):
            self.advance(10_000_000)
            return super().now()

    limit = 'limit "time" on run { active_time <= 1 s } else stop "over_limit"'
    with make_guard(limit, clock=Ticking()).run() as run:
        written = run.model(edge.generate, model="small", prompt_ids=PROMPT, max_tokens=200)
        assert written.finish == "deadline"
        assert 1 < len(written.tokens) < 100
        assert used(run) == (len(PROMPT) + len(written.tokens), 0)


def test_threads_do_not_disturb_each_other(edge, make_guard):
    written = []

    with make_guard().run() as run:

        def call():
            written.append(run.model(edge.generate, model="small", prompt_ids=PROMPT, max_tokens=40).tokens)

        threads = [Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert used(run) == (4 * (len(PROMPT) + 40), 0)
    assert all(tokens == written[0] for tokens in written)
    assert len(written) == 4
