"""Breakers from the host's side: who shares what, what a timeout is blamed on, and what is written down."""

import asyncio
import gc
import os
import re

import pytest

import checkrein
from checkrein import explain, sentences
from checkrein.record import read_log

TERMS = "{ opens when failures >= 100% of 2 in 60 s probes 1 after 10 s }"
TOOLS = f'breaker "down" on tool any {TERMS}'
MODELS = f'breaker "dear" on model "large" {TERMS} route "r" {{ to "large" fallback "large" -> "small" }}'


def down(query):
    raise ConnectionError("the search is down")


def found(query):
    return [query]


def fall(run, call=down):
    """One call of a tool that fails as long as it is made at all."""
    with pytest.raises((ConnectionError, TimeoutError, checkrein.Failed, checkrein.Denied)) as raised:
        run.tool("search", call, query="a")
    return raised.value


def test_the_runs_of_a_guard_share_what_they_know_and_other_guards_do_not(make_guard, clock, tmp_path):
    guard, other = make_guard(TOOLS), make_guard(TOOLS)
    fall(guard.run())
    with guard.run() as parent:
        denied = fall(parent.child())
        assert denied.decision.by == "down"
        assert 9 * 10**9 < denied.decision.wait_ns <= 10 * 10**9  # two attempts were waited for
    assert other.run().tool("search", found, query="a") == ["a"]
    clock.advance(12 * 10**9)
    assert guard.run().tool("search", found, query="a") == ["a"]


def test_what_is_shared_in_memory_is_no_store(make_guard, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    guard = make_guard(TOOLS, clock=None)
    with guard.run(id="r1") as run, pytest.raises(checkrein.EngineError) as refused:
        run.suspend()
    assert refused.value.kind == "no_store"
    assert [path.name for path in tmp_path.iterdir()] == ["policy.rein"]
    guard.close()


def test_a_run_that_nobody_has_any_more_leaves_its_probe(make_guard, clock):
    guard = make_guard(TOOLS)
    fall(guard.run())
    clock.advance(20 * 10**9)
    run = guard.run()
    probe = run.decide(tool="search", args={"query": "a"})
    assert probe.outcome == "allow"
    assert guard.run().decide(tool="search", args={"query": "a"}).outcome == "deny"
    del run, probe
    gc.collect()
    assert guard.run().decide(tool="search", args={"query": "a"}).outcome == "allow"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_does_not_wait_for_the_probe_of_its_parent(make_guard, clock):
    guard = make_guard(TOOLS)
    fall(guard.run())
    clock.advance(20 * 10**9)
    run = guard.run()
    assert run.decide(tool="search", args={"query": "a"}).outcome == "allow"
    child = os.fork()
    if child == 0:
        outcomes = [guard.run().decide(tool="search", args={"query": "a"}).outcome for _ in range(2)]
        os._exit(0 if outcomes == ["allow", "allow"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert guard.run().decide(tool="search", args={"query": "a"}).outcome == "deny"


def test_a_probe_that_hangs_gives_way_in_the_end(make_guard, clock):
    guard = make_guard(TOOLS)
    fall(guard.run())
    clock.advance(20 * 10**9)
    hung = guard.run()
    assert hung.decide(tool="search", args={"query": "a"}).outcome == "allow"
    denied = guard.run().decide(tool="search", args={"query": "a"})
    assert (denied.outcome, denied.wait_ns, denied.may_be_sooner) == ("deny", 10 * 10**9, True)
    assert sentences.reason_of(denied).endswith("others are trying it; ask again in 10 s, or sooner")
    clock.advance(10 * 10**9)
    assert guard.run().tool("search", found, query="a") == ["a"]


@pytest.mark.parametrize("leave", ["cancel", "close", "drop"])
def test_a_stream_that_is_given_up_before_it_gave_anything_closes_no_circuit(make_guard, clock, leave):
    guard = make_guard(TOOLS)
    fall(guard.run())
    clock.advance(20 * 10**9)
    run = guard.run()
    asyncio.run(_give_up(run, leave))
    gc.collect()
    run.limits()  # what was dropped is settled with the next look
    first, second = (guard.run(), guard.run())
    assert first.decide(tool="search", args={"query": "a"}).outcome == "allow"
    assert second.decide(tool="search", args={"query": "a"}).outcome == "deny"


async def _give_up(run, leave):
    async def hangs(query):
        await asyncio.Event().wait()
        yield query

    async def opened(query):
        return hangs(query)

    if leave == "cancel":
        task = asyncio.create_task(run.tool("search", opened, query="a"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return
    stream = run.tool("search", hangs, query="a")
    if leave == "close":
        await stream.aclose()


def test_a_stream_that_gave_something_closes_a_circuit(make_guard, clock):
    guard = make_guard(TOOLS)
    fall(guard.run())
    clock.advance(20 * 10**9)
    guard.run().tool("search", lambda query: iter_of(query), query="a").close()
    outcomes = [guard.run().decide(tool="search", args={"query": "a"}).outcome for _ in range(2)]
    assert outcomes == ["allow", "allow"]


def iter_of(query):
    yield query


def test_a_tools_own_timeout_speaks_against_it_and_the_runs_time_does_not(make_guard):
    async def sleeps():
        await asyncio.Event().wait()

    def outcomes(*statements):
        guard = make_guard(f'breaker "quick" on tool "quick" {TERMS}', *statements, clock=None)
        found = []
        for _ in range(3):
            run = guard.run()
            decision = run.decide(tool="quick", args={})
            found.append(decision.by)
            if decision.attempt:
                run.settle(decision, checkrein.guard.usage.Usage("unsent"))
                with pytest.raises((TimeoutError, checkrein.Refusal)):
                    asyncio.run(run.tool("quick", sleeps))
        guard.close()
        return found

    assert outcomes()[-1] == "quick"
    # Cut by the 20 ms that the run has, not by the 50 ms that the tool has.
    assert "quick" not in outcomes('limit "soon" on run { wall_time <= 20 ms } else deny')


def test_the_log_says_who_was_passed_over_and_until_when(make_guard, tmp_path):
    path = tmp_path / "log.jsonl"
    guard = make_guard(MODELS, TOOLS, log=path)

    def breaks(model, max_tokens):
        if model == "large":
            raise ConnectionError("away")
        return "fine"

    for _ in range(2):
        assert guard.run().model(breaks, input_tokens=10) == "fine"
    run = guard.run()
    assert run.model(breaks, input_tokens=10) == "fine"
    fall(run)
    fall(run)
    allowed, *_, denied = [record for record in read_log(path) if record.get("run") == run.id]
    assert allowed["passed"] == [["large", "breaker", "dear"]]
    page = str(explain.find(read_log(path), allowed["id"]))
    assert "models passed over" in page
    assert "breaker `dear`" in page
    assert (denied["by"], denied["by_kind"]) == ("down", "breaker")
    assert 9 * 10**9 < denied["wait"] < 10 * 10**9
    page = str(explain.find(read_log(path), "last"))
    assert re.search(r"because: too many calls have failed; ask again in 9\.\d s, not sooner$", page, re.M)
