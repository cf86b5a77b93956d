"""Whatever ends a call, its hold ends too: in spent, never in nothing, and never for ever."""

import asyncio
import gc
import threading

import pytest

import checkrein

WIDE = """
limit "per user" on user { cost <= $5 tokens <= 50k tokens tool_calls <= 100 } else stop "over_limit"
"""


def held(guard):
    """What is held under the user's limit, by whatever run."""
    rows = guard.run(user="u1").limits()
    return {row["dimension"]: row["held"] for row in rows if row["name"] == "per user"}


def spent(guard, dimension="tokens"):
    rows = guard.run(user="u1").limits()
    return next(r["spent"] for r in rows if (r["name"], r["dimension"]) == ("per user", dimension))


NOTHING = {"cost": 0, "tokens": 0, "tool_calls": 0}


@pytest.fixture
def wide(make_guard):
    return make_guard(WIDE)


class Steps:
    """Awaits that are counted; at the one that is chosen the task is cancelled."""

    def __init__(self, chosen):
        self.chosen = chosen
        self.made = 0
        self.task = None

    async def step(self):
        self.made += 1
        if self.made == self.chosen:
            self.task.cancel()
        await asyncio.sleep(0)


async def work(guard, steps):
    """An agent with one of everything that awaits: a model, a stream, tools, a retry, a child, a person."""

    async def model(*, model, max_tokens):
        await steps.step()
        return {"usage": {"prompt_tokens": 10, "completion_tokens": 5}}

    async def stream(*, model, max_tokens):
        async def chunks():
            for number in range(3):
                await steps.step()
                yield {"usage": {"prompt_tokens": 10, "completion_tokens": number}}

        return chunks()

    failures = iter([ConnectionError("gone"), None])

    async def search(query):
        await steps.step()
        error = next(failures, None)
        if error:
            raise error
        return query

    async def refund(amount):
        await steps.step()
        return amount

    async def approve(_approval):
        await steps.step()
        return True

    async with guard.run(user="u1", approver=approve) as run:
        await run.model(model, model="large", input_tokens=100, max_tokens=100)
        await run.tool("search", search, query="x")
        async for _ in await run.model(stream, model="large", input_tokens=100, max_tokens=100):
            await steps.step()
        await run.tool("refund", refund, amount=20_000)
        async with run.child() as child:
            calls = [child.model(model, model="large", input_tokens=50, max_tokens=50) for _ in range(3)]
            await asyncio.gather(*calls)
    return run


def last_step(make_guard):
    async def all_of_it():
        steps = Steps(chosen=0)
        await work(make_guard(WIDE), steps)
        return steps.made

    return asyncio.run(all_of_it())


def test_a_task_may_be_cancelled_at_every_await(make_guard):
    steps_in_all = last_step(make_guard)
    assert steps_in_all >= 12
    for chosen in range(1, steps_in_all + 1):
        guard = make_guard(WIDE)

        async def main(guard=guard, chosen=chosen):
            steps = Steps(chosen)
            steps.task = asyncio.create_task(work(guard, steps))
            with pytest.raises(asyncio.CancelledError):
                await steps.task

        asyncio.run(main())
        gc.collect()
        assert held(guard) == NOTHING, f"cancelled at await {chosen} of {steps_in_all}"


def test_a_task_may_be_forgotten_at_every_await(make_guard):
    """Its loop is closed and the task collected: no `finally` runs in time, only what the collector does."""
    for chosen in range(1, last_step(make_guard) + 1):
        guard = make_guard(WIDE)
        begun = 0

        async def stuck(guard=guard, chosen=chosen):
            class Forever(Steps):
                async def step(self):
                    nonlocal begun
                    self.made += 1
                    begun = self.made
                    if self.made == chosen:
                        await asyncio.Event().wait()
                    await asyncio.sleep(0)

            await work(guard, Forever(chosen))

        loop = asyncio.new_event_loop()
        task = loop.create_task(stuck())
        while begun < chosen:
            loop.run_until_complete(asyncio.sleep(0))
        task._log_destroy_pending = False
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        del task, loop
        gc.collect()
        guard.close()
        assert held_after_close(guard) == NOTHING, f"forgotten at await {chosen}"


def held_after_close(guard):
    """As `held`, of a guard that begins no more runs."""
    ledger = guard.ledger
    other = checkrein.Guard(guard.program, clock=guard.clock, ledger=ledger)
    return held(other)


def test_a_cancelled_call_is_spent_in_full(wide):
    async def main():
        begun = asyncio.Event()

        async def slow(*, model, max_tokens):
            begun.set()
            await asyncio.Event().wait()

        async with wide.run(user="u1") as run:
            task = asyncio.create_task(run.model(slow, model="large", input_tokens=10, max_tokens=100))
            await begun.wait()
            assert held(wide)["tokens"] == 110
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (held(wide)["tokens"], spent(wide)) == (0, 110)

    asyncio.run(main())


def test_a_generator_that_is_closed_around_a_call_spends_it(wide):
    """As a server does to a response that nobody reads on."""

    def stream(*, model, max_tokens):
        for number in range(9):
            yield {"usage": {"prompt_tokens": 10, "completion_tokens": number}}

    def response():
        with wide.run(user="u1") as run:
            yield from run.model(stream, model="large", input_tokens=10, max_tokens=100)

    reading = response()
    next(reading)
    assert held(wide)["tokens"] == 110
    reading.close()
    assert (held(wide)["tokens"], spent(wide)) == (0, 110)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError, RecursionError])
def test_an_exception_of_any_kind_spends_the_call(wide, error):
    def interrupted(*, model, max_tokens):
        raise error

    with pytest.raises(error), wide.run(user="u1") as run:
        run.model(interrupted, model="large", input_tokens=10, max_tokens=100)
    assert (held(wide)["tokens"], spent(wide)) == (0, 110)


def test_a_run_that_is_dropped_spends_its_calls(wide):
    run = wide.run(user="u1")
    run.decide(model="large", input_tokens=10, max_tokens=100)
    assert held(wide)["tokens"] == 110
    del run
    gc.collect()
    assert (held(wide)["tokens"], spent(wide)) == (0, 110)


def test_a_dropped_stream_of_a_dropped_run_spends_its_call(wide):
    def stream(*, model, max_tokens):
        yield {"usage": {"prompt_tokens": 10, "completion_tokens": 1}}
        yield {}

    chunks = wide.run(user="u1").model(stream, model="large", input_tokens=10, max_tokens=100)
    next(chunks)
    del chunks
    gc.collect()
    assert (held(wide)["tokens"], spent(wide)) == (0, 110)


def test_a_dropped_stream_that_had_reported_more_than_its_hold_is_charged_that(wide):
    def stream(*, model, max_tokens):
        yield {"usage": {"prompt_tokens": 900, "completion_tokens": 1}}
        yield {}

    chunks = wide.run(user="u1").model(stream, model="large", input_tokens=10, max_tokens=100)
    next(chunks)
    del chunks
    gc.collect()
    assert (held(wide)["tokens"], spent(wide)) == (0, 901)


def test_a_tool_that_is_given_up_at_its_timeout_is_spent(wide):
    release = threading.Event()
    with wide.run(user="u1") as run, pytest.raises(checkrein.Failed):
        run.tool("quick", lambda: release.wait(60))
    release.set()
    assert (held(wide), spent(wide, "tool_calls")) == (NOTHING, 3)


def test_threads_that_fail_leave_nothing_held(wide):
    def broken(*, model, max_tokens):
        raise ValueError("no")

    def agent():
        for _ in range(5):
            with pytest.raises(ValueError), wide.run(user="u1") as run:
                run.model(broken, model="large", input_tokens=10, max_tokens=100)

    threads = [threading.Thread(target=agent) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (held(wide)["tokens"], spent(wide)) == (0, 8 * 5 * 110)
