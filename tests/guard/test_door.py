"""The compiled part of a run: what it does itself, and what it leaves to Python."""

import gc
import sys
import weakref
from collections import ChainMap
from types import MappingProxyType

import pytest

import checkrein
from checkrein import _core
from checkrein.guard.clock import SystemClock
from checkrein.guard.usage import Usage
from checkrein.record import read_log

USED = Usage("exact", 10, 5)


def frames_of(act):
    """The Python functions that are called while something is done."""
    called = []
    sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_name) if event == "call" else None)
    try:
        act()
    finally:
        sys.setprofile(None)
    return called[1:]  # the first is `act`


@pytest.mark.parametrize("log", [None, "decisions.jsonl"])
def test_a_call_that_is_let_through_runs_no_python(make_guard, tmp_path, log):
    run = make_guard(clock=None, log=None if log is None else tmp_path / log).run()
    run.settle(run.decide(tool="search", args={"query": "before"}))  # begins the log

    def act():
        run.settle(run.decide(tool="search", args={"query": "x"}, facts={"data.class": "public"}))
        run.settle(run.decide(model="large", input_tokens=9, max_tokens=9, step="answer"), USED)

    assert frames_of(act) == []
    assert {row["dimension"]: row["spent"] for row in run.limits()}["tool_calls"] == 2


def test_what_is_due_is_done_first(guard):
    run = guard.run()
    dropped = run.decide(tool="search", args={"query": "x"})
    run.dropped(dropped, Usage("unsent"), begun=True)
    assert run._core.in_flight == 1
    run.decide(tool="search", args={"query": "y"})
    assert run._core.in_flight == 1, "the one that was dropped is settled"
    assert frames_of(lambda: run.decide(tool="search", args={"query": "z"})).count("_begin") == 0


@pytest.mark.parametrize("of_run", [{}, {"data.class": "public"}])
@pytest.mark.parametrize("kind", [dict, MappingProxyType, ChainMap])
def test_facts_and_arguments_are_any_mappings(guard, kind, of_run):
    run = guard.run(facts=of_run)
    decision = run.decide(model="large", input_tokens=9, max_tokens=9, facts=kind({"data.class": "pii"}))
    assert (decision.outcome, decision.by) == ("deny", "private")
    run.settle(run.decide(tool="search", args=kind({"query": "x"})))
    run.settle(run.decide(model="small", input_tokens=9, max_tokens=9), USED)
    refund = run.decide(tool="refund", args=kind({"amount": 20_000}), facts=kind({}))
    assert (refund.outcome, refund.by) == ("escalate", "big refunds")


def test_a_number_that_is_none_is_named(guard):
    for wrong, what in (({"call": -1}, "the id of a call"), ({"input_tokens": True}, "the number of tokens")):
        with pytest.raises(checkrein.EngineError, match=what) as raised:
            guard.run().decide(model="large", **wrong)
        assert raised.value.kind == "bad_value"


def test_a_word_that_decide_does_not_know_is_named(guard):
    with pytest.raises(TypeError, match=r"Door\.decide\(\) got an unexpected keyword argument 'tools'"):
        guard.run().decide(tools="search")


def test_a_run_that_was_not_begun_says_so():
    with pytest.raises(RuntimeError, match="not begun"):
        _core.Door().decide(tool="search")


def test_a_run_that_holds_itself_is_freed(make_guard):
    class Clock(checkrein.VirtualClock):
        pass

    clock = Clock()
    run = make_guard(clock=clock).run(facts={"data.class": "public"})
    run.facts["of"] = clock.run = run
    gone = weakref.ref(run)
    del run, clock
    gc.collect()
    assert gone() is None


def test_what_was_due_when_a_clock_failed_is_done_at_the_next_call(make_guard):
    class Failing(checkrein.VirtualClock):
        fails = False

        def now(self):
            if self.fails:
                raise OSError("no clock")
            return super().now()

    clock = Failing()
    run = make_guard(clock=clock).run()
    for dropped in [run.decide(tool="search", args={"query": query}) for query in ("x", "y")]:
        run.dropped(dropped, Usage("unsent"), begun=True)
    clock.fails = True
    with pytest.raises(OSError, match="no clock"):
        run.decide(tool="search", args={"query": "z"})
    clock.fails = False
    run.decide(tool="search", args={"query": "z"})
    assert run._core.in_flight == 2, "the one that nothing was tried for is settled"


def test_a_clock_that_a_test_put_in_the_place_of_the_machines_is_read(make_guard, monkeypatch, tmp_path):
    monkeypatch.setattr(SystemClock, "now", staticmethod(lambda: 7))
    monkeypatch.setattr(SystemClock, "wall", staticmethod(lambda: 1_700_000_000_000_000_000))
    log = tmp_path / "decisions.jsonl"
    guard = make_guard(clock=None, log=log)
    guard.run().decide(tool="search", args={"query": "x"})
    guard.close()
    assert list(read_log(log))[-1]["time"].startswith("2023-11-14T22:13:20")


def test_facts_of_a_run_that_are_replaced_hold_for_its_next_call(guard):
    run = guard.run(facts={"data.class": "public"})
    run.facts = {"data.class": "pii"}
    decision = run.decide(model="large", input_tokens=9, max_tokens=9)
    assert (decision.outcome, decision.by) == ("deny", "private")
