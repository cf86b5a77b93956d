"""What a tool yields is a part of its call: its first chunk, its time, its thread, and what is a success."""

import asyncio
import contextvars
import gc
import io
import sqlite3
import threading

import pytest

import checkrein


def test_a_tool_that_fails_before_it_yields_is_tried_again(make_guard):
    failures = iter([ConnectionError("away"), None])

    def search(query):
        if (error := next(failures)) is not None:
            raise error
        yield query
        yield query * 2

    run = make_guard().run()
    assert list(run.tool("search", search, query="a")) == ["a", "aa"]
    assert charged(run, "tool_calls") == (2, 0)


def test_a_tool_that_fails_later_is_not(make_guard):
    def search(query):
        yield query
        raise ConnectionError("away")

    run = make_guard().run()
    stream, seen = run.tool("search", search, query="a"), []
    with pytest.raises(ConnectionError):
        seen.extend(stream)
    assert charged(run, "tool_calls") == (1, 0)


def test_a_call_inside_a_tool_that_yields_belongs_to_it(make_guard):
    def search(query):
        yield checkrein.current_run().id

    run = make_guard().run()
    assert list(run.tool("search", search, query="a")) == [run.id]


def test_a_stream_that_yields_nothing_has_ended(make_guard):
    run = make_guard().run()
    assert list(run.tool("search", lambda query: iter_of(), query="a")) == []
    assert charged(run, "tool_calls") == (1, 0)


def iter_of(*items):
    yield from items


def stuck(release, at):
    """Yields two numbers, and waits before one of them."""
    for number in range(2):
        if number == at:
            release.wait(60)
        yield number


def test_the_timeout_of_a_tool_holds_for_its_first_chunk(make_guard):
    release = threading.Event()
    run = make_guard(clock=None).run()
    with pytest.raises(checkrein.Failed):
        run.tool("quick", lambda: stuck(release, at=0))
    assert charged(run, "tool_calls") == (3, 0)
    release.set()


def test_the_timeout_of_a_tool_holds_for_all_that_it_yields(make_guard):
    release = threading.Event()
    run = make_guard(clock=None).run()
    stream = run.tool("quick", lambda: stuck(release, at=1))
    assert next(stream) == 0
    with pytest.raises(TimeoutError):
        next(stream)
    assert charged(run, "tool_calls") == (1, 0), "once its chunks are out it is not made again"
    with pytest.raises(TimeoutError):
        next(stream)
    stream.close()  # the thread is still in it, and it is left to that
    release.set()


@pytest.mark.parametrize("late", [0, 1])
def test_an_asynchronous_one_is_cancelled(make_guard, late):
    cancelled = []

    async def quick():
        async def items():
            for number in range(2):
                if number == late:
                    try:
                        await asyncio.Event().wait()
                    except asyncio.CancelledError:
                        cancelled.append(number)
                        raise
                yield number

        return items()

    async def main(run):
        with pytest.raises(TimeoutError if late else checkrein.Failed):
            async for _ in await run.tool("quick", quick):
                pass

    run = make_guard(clock=None).run()
    asyncio.run(main(run))
    assert cancelled == [late] * (1 if late else 3)
    assert charged(run, "tool_calls") == (1 if late else 3, 0)


def test_whoever_reads_a_stream_slowly_takes_nothing_from_it(make_guard):
    """The first chunk is read long after the 50 ms that the tool has; only waiting for it counts."""
    run = make_guard(clock=None).run()
    stream = run.tool("quick", lambda: iter_of(1, 2))
    before = stream._patience.left
    assert 0 < before <= 0.05
    assert next(stream) == 1
    assert stream._patience.left == before, "it was there already"
    assert list(stream) == [2]
    assert 0 < stream._patience.left < before


BODY = """tool "rows" { class retrieve timeout 60 s } tool "plain" { class retrieve }
tool "pay" { class reason }
rule "asked" on tool "pay" then escalate to "leads" because "x" """


def rows(threads, notes):
    """Yields what a context variable of its own has, and notes where each part of its body runs."""
    notes.set("begun")
    for _ in range(3):
        threads.append(threading.current_thread())
        yield notes.get(None)
    threads.append(threading.current_thread())


@pytest.mark.parametrize("end", [list, lambda stream: (next(stream), stream.close()), next])
def test_the_body_of_a_tools_stream_stays_in_one_thread_and_context(make_guard, end):
    threads, notes = [], contextvars.ContextVar("notes")
    run = make_guard(BODY).run()
    stream = run.tool("rows", lambda: rows(threads, notes))
    assert next(stream) == next(stream) == "begun"
    end(stream)
    assert len({id(thread) for thread in threads}) == 1
    assert threads[0] is not threading.current_thread()
    del stream
    threads[0].join(60)
    assert not threads[0].is_alive(), "it ends with the stream"


@pytest.mark.parametrize("tool", ["rows", "plain"])
def test_the_body_of_a_stream_answers_for_no_person(make_guard, tool):
    def body():
        yield 1
        run.answer(1, approve=True)

    def body_async():
        async def items():
            yield 1
            run.answer(1, approve=True)

        return items()

    async def read():
        async for _ in body_stream():
            pass

    def body_stream():
        return run.tool("search", lambda query: body_async(), query="a")

    run = make_guard(BODY).run()
    with pytest.raises(checkrein.Escalated):
        run.tool("pay", lambda: 1)
    for reads in (lambda: list(run.tool(tool, body)), lambda: asyncio.run(read())):
        with pytest.raises(checkrein.EngineError) as refused:
            reads()
        assert refused.value.kind == "self_answer"


def charged(run, dimension):
    return next((row["spent"], row["held"]) for row in run.limits() if row["dimension"] == dimension)


ORDERED = """tool "glance" { class retrieve } tool "buy" { class reason }
order "glance first" { "glance" before "buy" within run } else deny because "Glance first." """


def read_one(stream):
    next(stream)
    stream.close()


def leave(stream):
    del stream


@pytest.mark.parametrize(
    ("end", "may"), [(list, True), (read_one, False), (lambda stream: stream.close(), False), (leave, False)]
)
def test_what_a_tool_gives_is_a_success_once_it_is_read_to_its_end(make_guard, end, may):
    run = make_guard(ORDERED).run()
    end(run.tool("glance", lambda: iter_of(1, 2)))
    gc.collect()
    if may:
        assert run.tool("buy", lambda: "bought") == "bought"
    else:
        with pytest.raises(checkrein.Denied, match="Glance first"):
            run.tool("buy", lambda: "bought")


def test_a_stream_that_comes_too_late_is_closed(make_guard):
    release, closed = threading.Event(), threading.Event()

    def late():
        release.wait(60)
        try:
            yield 1
        finally:
            closed.set()

    kept = []

    def quick():
        kept.append(late())
        return kept[-1]

    run = make_guard(clock=None).run()
    with pytest.raises(checkrein.Failed):
        run.tool("quick", quick)
    release.set()
    assert closed.wait(60)


def test_what_is_no_mere_stream_is_read_by_the_host_from_its_beginning(make_guard, tmp_path):
    path = tmp_path / "rows.txt"
    path.write_text("one\ntwo\n")
    run = make_guard().run()
    with run.tool("search", lambda query: path.open(), query="a") as file:
        assert file.read() == "one\ntwo\n"
    with run.tool("search", lambda query: path.open("a"), query="b") as file:
        file.write("three\n")
    assert path.read_text() == "one\ntwo\nthree\n"
    with sqlite3.connect(":memory:") as db:
        rows = run.tool("search", lambda query: db.execute("values (1), (2)"), query="c")
        assert rows.fetchall() == [(1,), (2,)]
    spoken = run.model(lambda model, max_tokens: io.BytesIO(b"RIFF"), model="large", input_tokens=1)
    assert spoken.read() == b"RIFF"


def test_a_slow_reader_takes_no_time_from_the_body(make_guard, clock):
    run = make_guard(BODY).run()

    def body():
        for _ in range(2):
            yield run.time_left

    stream = run.tool("rows", body)
    next(stream)
    clock.advance(1000)
    assert 0 < next(stream) <= 60


HALF = """fact index.fresh flag
tool "glance" { class retrieve succeeds when index.fresh == true } tool "buy" { class reason }
order "glance first" { "glance" before "buy" within run } else deny because "Glance first." """


@pytest.mark.parametrize("fresh", [True, False])
def test_a_stream_succeeds_as_the_tool_says(make_guard, fresh):
    run = make_guard(HALF).run(facts={"index.fresh": fresh})
    stream, seen = run.tool("glance", lambda: iter_of(1, 2)), []
    if fresh:
        assert list(stream) == [1, 2]
        assert run.tool("buy", lambda: "bought") == "bought"
        return
    with pytest.raises(checkrein.Denied, match="incomplete result"):
        seen.extend(stream)
    assert charged(run, "tool_calls") == (1, 0)
    with pytest.raises(checkrein.Denied, match="Glance first"):
        run.tool("buy", lambda: "bought")


AGAIN = """retry "glances" on tool "glance" { attempts <= 3 } else fail "dim"
state "dim" tell agent "Nothing was seen." """


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_stream_that_falls_short_at_its_end_is_not_made_again(make_guard, way):
    run, made = make_guard(HALF, AGAIN).run(facts={"index.fresh": False}), []

    def glance():
        made.append(way)
        return iter_of(1, 2)

    async def read():
        async def items():
            for item in glance():
                yield item

        async def begin():
            return items()

        return [item async for item in await run.tool("glance", begin)]

    with pytest.raises(checkrein.Failed, match="dim"):
        asyncio.run(read()) if way == "async" else list(run.tool("glance", glance))
    assert made == [way]
