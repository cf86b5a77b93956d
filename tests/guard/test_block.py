"""The block of a run: entered once, left anywhere, known to its own guard and process only."""

import contextvars
import copy
import gc
import multiprocessing
import sys

import pytest

import checkrein

from .test_run import answer, held, spent


def test_a_run_is_entered_once(guard):
    run = guard.run()
    with run:
        with pytest.raises(checkrein.EngineError) as caught:
            run.__enter__()
        assert checkrein.current_run() is run
    assert caught.value.kind == "reused"
    with pytest.raises(checkrein.EngineError):
        run.__enter__()
    assert checkrein.current_run() is None


def test_a_block_may_be_left_in_another_context(guard):
    """As that of a generator which a server's other thread or task closes."""
    run = guard.run()
    contextvars.copy_context().run(run.__enter__)
    run.decide(model="large", input_tokens=10, max_tokens=100)
    contextvars.copy_context().run(run.__exit__, None, None, None)
    assert str(run.outcome) == "completed"
    assert (held(run, "tokens"), spent(run, "tokens")) == (0, 110)


def test_a_decorated_function_is_under_its_own_guard_only(make_guard):
    guard = make_guard()

    @guard.tool
    def search(query):
        return query

    with make_guard().run(), pytest.raises(checkrein.EngineError, match="outside a run of its guard"):
        search("x")


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_fork_does_not_spend_what_the_run_spends(guard):
    def child(pipe):
        try:
            run.tool("search", lambda query: query, query="x")
        except checkrein.EngineError as error:
            pipe.send(error.kind)

    processes = multiprocessing.get_context("fork")
    ours, theirs = processes.Pipe()
    with guard.run() as run:
        process = processes.Process(target=child, args=[theirs])
        process.start()
        assert ours.poll(60)
        assert ours.recv() == "forked"
        process.join()


def stream(*, model, max_tokens):
    yield {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    yield {}


def test_a_stream_that_is_dropped_after_its_run_changes_nothing_more(guard):
    with guard.run() as run:
        chunks = run.model(stream, model="large", input_tokens=10, max_tokens=100)
        next(chunks)
    del chunks
    gc.collect()
    assert (held(run, "tokens"), spent(run, "tokens")) == (0, 110)


def test_a_stream_is_not_copied(guard):
    with guard.run() as run:
        chunks = run.model(stream, model="large", input_tokens=10, max_tokens=100)
        with pytest.raises(TypeError, match="cannot be copied"):
            copy.copy(chunks)
        assert len(list(chunks)) == 2
        assert run.model(answer, model="large")
