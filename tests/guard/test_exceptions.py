"""What exceptions do to a guarded call: they pass unchanged, are settled once, and refusals are final."""

import asyncio
import contextlib
import copy
import gc
import pickle
import threading

import pytest

import checkrein
from checkrein.guard.usage import Usage

from .test_run import held, spent

RETRIED = """
tool "agent" { class reason }
retry "agents" on tool "agent" { when error.kind == "tool_failure" attempts <= 3 }
  else fail "tool_unavailable"
"""


def raising(error):
    """A function that raises `error`, whatever it is called with."""

    def call(**_arguments):
        raise error

    return call


@pytest.mark.parametrize(
    "error", [StopIteration("mine"), StopAsyncIteration(), GeneratorExit(), SystemExit(3)]
)
def test_an_exception_with_a_meaning_to_python_passes_unchanged(guard, error):
    run = guard.run()
    with pytest.raises(type(error)) as caught:
        run.model(raising(error), model="large", input_tokens=10, max_tokens=100)
    assert caught.value is error
    assert (held(run, "tokens"), spent(run, "tokens")) == (0, 110)


def test_an_exception_whose_attributes_cannot_be_read_passes_unchanged(guard):
    class Odd(Exception):
        @property
        def response(self):
            raise RuntimeError("not there")

    run = guard.run()
    with pytest.raises(Odd):
        run.model(raising(Odd()), model="large", input_tokens=10, max_tokens=100)
    assert held(run, "tokens") == 0


def test_a_call_that_outlives_its_run_gives_its_result(guard):
    go, begun, results = threading.Event(), threading.Event(), []

    def slow(*, model, max_tokens):
        begun.set()
        go.wait(60)
        return {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}

    run = guard.run()
    worker = threading.Thread(
        target=lambda: results.append(run.model(slow, model="large", input_tokens=10, max_tokens=100))
    )
    with run:
        worker.start()
        begun.wait(60)
    go.set()
    worker.join()
    assert len(results) == 1
    assert (held(run, "tokens"), spent(run, "tokens")) == (0, 110)


def test_a_task_that_outlives_its_run_is_cancelled_as_ever(guard):
    begun = asyncio.Event()

    async def slow(*, model, max_tokens):
        begun.set()
        await asyncio.Event().wait()

    async def main():
        async with asyncio.TaskGroup() as tasks, guard.run() as run:
            tasks.create_task(run.model(slow, model="large", input_tokens=10, max_tokens=100))
            await begun.wait()
            raise ValueError("of the host")

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(main())
    assert [repr(error) for error in caught.value.exceptions] == ["ValueError('of the host')"]


def test_stops_in_a_group_of_tasks_end_the_block_quietly(guard):
    async def search(query):
        return query

    async def main(wrong=None):
        async with guard.run() as run, asyncio.TaskGroup() as tasks:
            for _ in range(5):
                tasks.create_task(run.tool("search", search, query="same"))
            if wrong:
                raise wrong
        return run

    assert str(asyncio.run(main()).outcome) == "stuck"
    with pytest.raises(ExceptionGroup):
        asyncio.run(main(ValueError("of the host")))


def test_a_denial_is_not_retried_for_being_in_a_group(make_guard):
    tries = []

    async def agent():
        tries.append(1)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(checkrein.current_run().tool("rm", agent))

    async def main():
        async with make_guard(RETRIED).run() as run:
            await run.tool("agent", agent)

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(main())
    assert isinstance(caught.value.exceptions[0], checkrein.Denied)
    assert len(tries) == 1


def test_a_denial_is_not_retried_for_being_a_cause(make_guard):
    tries = []

    def agent():
        tries.append(1)
        try:
            checkrein.current_run().tool("rm", agent)
        except checkrein.Denied as denied:
            raise OSError("of the host") from denied

    with make_guard(RETRIED).run() as run, pytest.raises(OSError, match="of the host"):
        run.tool("agent", agent)
    assert len(tries) == 1


def test_a_usage_that_cannot_be_read_is_no_failure_of_the_call(make_guard):
    tries = []

    def model(*, model, max_tokens):
        tries.append(1)

    def usage(_result):
        raise TimeoutError("of the reader")

    guard = make_guard('retry "models" on model any { attempts <= 3 } else fail "tool_unavailable"')
    run = guard.run()
    with pytest.raises(TimeoutError, match="of the reader"):
        run.model(model, model="large", input_tokens=10, max_tokens=100, usage=usage)
    assert len(tries) == 1
    assert (held(run, "tokens"), spent(run, "tokens")) == (0, 110)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("used", [5, Usage("exact", -5, 3), Usage("exact", 5, 1, cache_read_tokens=9)])
def test_a_usage_that_is_none_or_impossible_leaves_nothing_held(guard, used, streams):
    def chunks():
        yield "a"

    run = guard.run()

    def ask():
        return run.model(
            lambda model, max_tokens: chunks() if streams else "a",
            model="large", input_tokens=10, max_tokens=100, usage=lambda _part: used,
        )  # fmt: skip

    with pytest.raises(checkrein.EngineError) as caught:
        list(ask())
    assert caught.value.kind == "bad_value"
    assert (held(run, "tokens"), spent(run, "tokens")) == (0, 110)


def test_a_result_whose_attributes_cannot_be_read_is_a_result(guard):
    class Odd:
        def __getattr__(self, name):
            raise RuntimeError(name)

    run, odd = guard.run(), Odd()
    assert run.tool("quick", lambda: odd) is odd
    with pytest.raises(RuntimeError):
        run.model(lambda model, max_tokens: odd, model="large", input_tokens=10, max_tokens=100)
    assert (held(run, "tokens"), spent(run, "tokens")) == (0, 110)


@pytest.mark.parametrize("error", [StopIteration("empty"), ConnectionError("gone")])
def test_what_the_policy_gives_up_is_given_up_whatever_was_raised(make_guard, error):
    guard = make_guard(
        'tool "next" { class reason }',
        'retry "next" on tool "next" { attempts <= 2 } else fail "tool_unavailable"',
    )
    with guard.run() as run, pytest.raises(checkrein.Failed) as caught:
        run.tool("next", raising(error))
    assert caught.value.__cause__ is error


def test_an_error_that_cannot_say_what_it_is_passes_unchanged(make_guard):
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    mute = Mute()
    with make_guard('tool "mute" { }').run() as run, pytest.raises(Mute) as caught:
        run.tool("mute", raising(mute))
    assert caught.value is mute


def test_a_usage_that_cannot_be_right_is_unknown(guard):
    reply = {"usage": {"prompt_tokens": 10**30, "completion_tokens": 5}}
    with guard.run() as run:
        assert (
            run.model(lambda model, max_tokens: reply, model="large", input_tokens=10, max_tokens=100)
            is reply
        )
        assert (held(run, "tokens"), spent(run, "tokens")) == (0, 110)


def test_what_came_after_a_refused_connection_may_have_been_billed(guard):
    def first_here_then_there(*, model, max_tokens):
        try:
            refused(model=model, max_tokens=max_tokens)
        except OSError:
            raise OSError("lost in the middle of a billed answer")  # noqa: B904

    def refused(*, model, max_tokens):
        raise OSError("all attempts failed") from ConnectionRefusedError()

    with guard.run() as run:
        for call in (first_here_then_there, refused):
            with contextlib.suppress(OSError):
                run.model(call, model="large", input_tokens=10, max_tokens=100)
        assert spent(run, "tokens") == 110


@pytest.mark.parametrize("wait", ["99999999", "1e300", "inf", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_server_that_asks_for_a_very_long_wait_is_not_asked_again_soon(guard, wait):
    class Busy(Exception):
        status_code = 503

    Busy.response = type("Response", (), {"headers": {"retry-after": wait}})()
    tries = []

    def search(query):
        tries.append(query)
        raise Busy

    with guard.run() as run, pytest.raises(checkrein.Failed):
        run.tool("search", search, query="x")
    assert len(tries) == 1


def test_a_coroutine_that_nobody_awaits_any_more_is_settled(guard):
    async def slow(query):
        await asyncio.Event().wait()

    async def main():
        task = asyncio.ensure_future(run.tool("search", slow, query="x"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return task

    run = guard.run()
    loop = asyncio.new_event_loop()
    task = loop.run_until_complete(main())
    loop.close()
    task._log_destroy_pending = False
    del task
    gc.collect()  # an exception here would be an unraisable one, and fail this test
    assert run._core.in_flight == 0


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))]
)
def test_exceptions_reach_another_process_whole(guard, tmp_path, copied):
    with guard.run() as run, pytest.raises(checkrein.Denied) as denied:
        run.tool("rm", print)
    same = copied(denied.value)
    assert (type(same), str(same), same.id) == (checkrein.Denied, str(denied.value), denied.value.id)
    assert (same.decision.by, same.decision.outcome) == ("undeclared tool", "deny")
    (tmp_path / "wrong.rein").write_text("wrong")
    with pytest.raises(checkrein.PolicyError) as wrong:
        checkrein.load(tmp_path / "wrong.rein")
    assert str(copied(wrong.value)) == str(wrong.value)


def fails_over_the_answer():
    raise KeyError("status")


def wraps_a_timeout():
    raise ValueError("payment") from TimeoutError()


def is_refused_at_last():
    raise ConnectionRefusedError


@pytest.mark.parametrize("work", [fails_over_the_answer, wraps_a_timeout, is_refused_at_last])
@pytest.mark.parametrize(
    ("says", "times"), [("class act", 1), ("", 1), ("class act may repeat", 3), ("class retrieve", 3)]
)
def test_a_tool_that_may_have_paid_is_not_run_again(tmp_path, work, says, times):
    path = tmp_path / "pays.rein"
    path.write_text(f"""language 1
policy "pays"
tool "pay" {{ {says} }}
retry "tools" on tool any {{ attempts <= 3 }} else fail "gone"
state "gone" tell agent "Nobody knows."
""")
    paid = []
    guard = checkrein.load(path, log=None, clock=checkrein.VirtualClock())
    with guard.run() as run, pytest.raises(checkrein.Failed):
        run.tool("pay", lambda: (paid.append(1), work()))
    assert len(paid) == times
