"""A run that was claimed and not gone on with: whoever asks next gets it, and nobody else has it then."""

import asyncio
import gc
import os
import threading
import uuid

import pytest

import checkrein
from checkrein import _core


def search(query):
    return f"found {query}"


class Lossy:
    """A ledger that does what it is asked, and whose answers are lost."""

    def __init__(self, ledger, error=None):
        self.ledger = ledger
        self.error = error or checkrein.EngineError("the answer was lost", "away")

    def claim(self, *arguments):
        self.ledger.claim(*arguments)
        raise self.error

    def park(self, *arguments):
        raise self.error

    def __getattr__(self, name):
        return getattr(self.ledger, name)


def kind_of(call, *arguments, **named):
    with pytest.raises(checkrein.EngineError) as raised:
        call(*arguments, **named)
    return raised.value.kind


@pytest.fixture
def stored(make_guard, tmp_path):
    """A guard with a store that others may use, too."""
    guard = make_guard(store=tmp_path / "ledger.db", clock=None)
    yield guard
    guard.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_does_not_inherit_the_wish_to_go_on(stored):
    stored.run(id="r1").suspend()
    real = stored.ledger
    stored.ledger = Lossy(real)
    assert kind_of(stored.resume, "r1") == "away"
    stored.ledger = real
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, said_by(stored).encode())
        os._exit(0)
    os.waitpid(child, 0)
    both = [os.read(reader, 100).decode(), said_by(stored)]
    assert sorted(both) == ["already_resumed", "goes on"]


def said_by(guard):
    """What asking for the run comes to."""
    try:
        run = guard.resume("r1")
    except checkrein.EngineError as error:
        return error.kind
    run.tool("search", search, query="x")
    return "goes on"


@pytest.fixture
def waiting(stored, tmp_path):
    """Gives the runs that wait, once what was not waited for is in the store."""

    def those():
        assert kind_of(stored.resume, "nobody") == "unknown_run"
        operator = _core.Operator.open(str(tmp_path / "ledger.db"))
        return [row["run"] for row in operator.runs() if row["waits"]]

    return those


def test_an_interrupted_wish_gives_the_run_back(stored, waiting):
    stored.run(id="r1").suspend()
    real = stored.ledger
    for error in (KeyboardInterrupt(), checkrein.EngineError("the answer was lost", "away")):
        stored.ledger = Lossy(real, error)
        with pytest.raises(type(error)):
            stored.resume("r1")
        stored.ledger = real
        assert waiting() == ["r1"]
    assert stored.resume("r1").id == "r1"


def test_a_run_that_nobody_uses_waits_again(stored, waiting):
    stored.run(id="r1").suspend()
    unused = stored.resume("r1")
    unused.limits()
    assert waiting() == []
    del unused
    assert waiting() == ["r1"]


@pytest.mark.parametrize(
    "use",
    [
        lambda run: run.tool("search", search, query="x"),
        lambda run: run.__enter__().__exit__(None, None, None),
        lambda run: run.child(),
        lambda run: run.take_advice(),
        lambda run: kind_of(run.answer, 1, True),
        lambda run: run.end(),
    ],
)
def test_a_run_that_was_used_does_not(stored, waiting, use):
    stored.run(id="r1").suspend()
    used = stored.resume("r1")
    use(used)
    del used
    assert waiting() == []
    assert kind_of(stored.resume, "r1") in ("already_resumed", "ended")


def test_a_guard_that_is_closed_gives_back_what_nobody_uses(make_guard, tmp_path):
    stored = make_guard(store=tmp_path / "ledger.db", clock=None)
    stored.run(id="r1").suspend()
    unused = stored.resume("r1")
    stored.close()
    assert unused.outcome.kind == "suspended"
    assert kind_of(unused.decide, tool="search", args={"query": "x"}) == "suspended"
    with pytest.raises(checkrein.EngineError, match="not new"):
        unused.__enter__()
    again = make_guard(store=tmp_path / "ledger.db", clock=None)
    assert again.resume("r1").id == "r1"
    again.close()


def test_a_log_that_fails_loses_no_run(stored):
    class Full:
        def write(self, record):
            if record["kind"] == "resumption":
                raise OSError(28, "No space left on device")

    stored.run(id="r1").suspend()
    stored.sink = Full()
    with pytest.raises(OSError, match="No space"):
        stored.resume("r1")
    stored.sink = None
    assert stored.resume("r1").id == "r1"


def test_a_request_that_is_cancelled_gives_the_run_back(stored, waiting):
    stored.run(id="r1").suspend()
    real, is_begun, may_go = stored.ledger, threading.Event(), threading.Event()

    class Slow(Lossy):
        def claim(self, *arguments):
            is_begun.set()
            may_go.wait()
            return self.ledger.claim(*arguments)

    async def request():
        stored.ledger = Slow(real)
        task = asyncio.create_task(asyncio.to_thread(stored.resume, "r1"))
        await asyncio.to_thread(is_begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        may_go.set()

    asyncio.run(request())
    stored.ledger = real
    gc.collect()
    assert waiting() == ["r1"]


@pytest.mark.parametrize(
    ("id", "notes"), [("a" * 513, ""), ("a\nb", ""), ("r1", "x" * (13 << 20))], ids=["long", "line", "large"]
)
def test_what_no_store_takes_is_refused_before_the_run_has_ended(stored, id, notes):
    run = stored.run(id=id)
    run.notes["x"] = notes
    assert kind_of(run.suspend) == "bad_value"
    assert run.tool("search", search, query="it goes on") == "found it goes on"


def test_the_end_of_a_run_that_is_being_suspended_does_not_end_it(stored, monkeypatch):
    stored.run(id="r1").suspend()
    run = stored.resume("r1")
    settle = run._settle_dropped

    real = stored.ledger

    def meanwhile():
        monkeypatch.setattr(run, "_settle_dropped", settle)
        stored.ledger = Lossy(None)
        assert kind_of(run.suspend) == "away"
        stored.ledger = real

    monkeypatch.setattr(run, "_settle_dropped", meanwhile)
    run.end()
    run.suspend()
    assert stored.resume("r1").id == "r1"


def test_what_cannot_be_copied_is_named(make_guard):
    class User:
        def __init__(self):
            self.lock = threading.Lock()

        def __str__(self):
            return "u1"

    guard = make_guard("fact thing.of text optional", store="memory:")
    guard.run(id="r1", user=User()).suspend()
    assert guard.resume("r1").user == "u1"
    run = guard.run(id="r2", facts={"thing.of": threading.Lock()})
    with pytest.raises(checkrein.EngineError, match=r"its fact `thing\.of` is of type"):
        run.suspend()


@pytest.mark.parametrize("key", [5, uuid.UUID(int=5)])
def test_a_key_and_an_id_are_texts_from_the_start(stored, key):
    run = stored.run(id=key)
    assert run.id == str(key)
    run.call_tool("search", search, {"query": "x"}, key=key)
    call = run.known(str(key), None)
    run.suspend()
    assert stored.resume(key).known(str(key), None) == call != (None, None)


def test_a_key_without_a_text_of_its_own_is_refused(stored):
    with pytest.raises(checkrein.EngineError, match="the key of the call is a object; pass a text"):
        stored.run().call_tool("search", search, {"query": "x"}, key=object())


def test_what_is_wrong_names_the_store_and_the_command(make_guard, tmp_path):
    place = str((tmp_path / "ledger.db").resolve())
    guard = make_guard(store=place, clock=None)
    with pytest.raises(checkrein.EngineError) as none:
        guard.resume("r0")
    assert f"{place}, which was made just now" in str(none.value)
    assert f"`checkrein ledger runs --store {place}`" in str(none.value)
    first, second = guard.run(id="r1"), guard.run(id="r1")
    first.suspend()
    with pytest.raises(checkrein.EngineError, match="used once") as taken:
        second.suspend()
    assert place in str(taken.value)
    assert kind_of(guard.resume, "a" * 600) == "bad_value"
    held = guard.resume("r1")
    with pytest.raises(checkrein.EngineError, match="resumed already") as again:
        guard.resume("r1")
    assert f"--store {place}" in str(again.value)
    held.end()
    guard.close()


def test_a_store_that_takes_too_long_is_not_said_to_be_closed(stored):
    stored.run(id="r1").suspend()
    for _ in range(20):
        with pytest.raises(checkrein.EngineError) as raised:
            stored.resume("r1", timeout=0)
        assert "closed" not in str(raised.value)
