"""Failures 35, 42 to 48, 50 and 51 of docs/failures.md: what is called, or not, when something is down."""

import random
import subprocess
import sys
import threading
import time

import openai
import pytest

import checkrein
from checkrein.adapters.openai import guarded
from checkrein.demo.server import LoopbackServer, say
from checkrein.errors import Denied
from checkrein.guard.classify import Failure
from checkrein.guard.usage import UNKNOWN, Usage

from .conftest import SECOND, figures, reply, together, use

BREAKER = 'breaker "b" on model any { opens when failures >= 100% of 2 in 60 s probes 2 after 10 s }'
OPENS_AT_ONCE = "opens when failures >= 1% of 1 in 1 d probes 1 after 1 d"
DOWN = Failure("unavailable", UNKNOWN)


def fail(run, failure=DOWN, **asked):
    """One call that fails like this, if it may be made: its decision."""
    decision = run.decide(**{"model": "large", "input_tokens": 10, **asked})
    if decision.outcome == "allow":
        run.fail(decision, failure)
    return decision


def outcome(run):
    """What a call comes to that is left unfinished."""
    return run.decide(model="large", input_tokens=10).outcome


def opened(guard):
    """A run of a guard whose breaker has just opened."""
    run = guard.run()
    assert [fail(run).outcome for _ in range(3)] == ["allow", "allow", "deny"]
    return run


def test_failure_35_those_who_failed_together_do_not_come_back_together(load):
    guard = load(
        'retry "r" on model any { attempts <= 5 backoff 1 s .. 8 s'
        ' share 10% of calls in 1 min, at least 400 } else fail "over"'
    )
    waits = []
    for seed in range(400):
        run = guard.run(seed=seed)
        decision = run.decide(model="large", input_tokens=10)
        waits.append(run.fail(decision, DOWN).wait_ns)
    # The first back-off is drawn from 1 s to 2 s: every tenth of it has its share, and no instant two.
    tenths = [
        sum(SECOND + t * SECOND // 10 <= w < SECOND + (t + 1) * SECOND // 10 for w in waits)
        for t in range(10)
    ]
    assert 20 <= min(tenths) <= max(tenths) <= 65
    assert len(set(waits)) == 400
    # And the load that retries add is bounded: a tenth, or the least that was granted.
    run = guard.run(seed=1)
    assert run.fail(run.decide(model="large", input_tokens=10), DOWN).outcome == "fail"


def test_failure_42_a_callers_own_timeout_shuts_nobody_out(load):
    guard = load('breaker "b" on model any { opens when failures >= 50% of 2 in 60 s probes 1 after 10 s }')
    answers = threading.Event()
    with LoopbackServer({"large": say("late", after=answers)}) as server:
        plain = openai.OpenAI(base_url=server.url, api_key="none", timeout=30)
        client = guarded(plain, guard)
        for _ in range(3):
            with guard.run(), pytest.raises(openai.APITimeoutError):
                client.chat.completions.create(
                    model="large", messages=[{"role": "user", "content": "a"}], max_tokens=5, timeout=0.05
                )
        answers.set()
        with guard.run():
            given = client.chat.completions.create(
                model="large", messages=[{"role": "user", "content": "a"}], max_tokens=5
            )
        assert given.choices[0].message.content == "late"
        answers.clear()
        # The same timeouts of a client that always has so little patience are the server's fault.
        hasty = guarded(plain.with_options(timeout=0.05), guard)
        for _ in range(4):
            with guard.run(), pytest.raises((openai.APITimeoutError, Denied)) as raised:
                hasty.chat.completions.create(
                    model="large", messages=[{"role": "user", "content": "a"}], max_tokens=5
                )
        assert raised.type is Denied
        assert raised.value.decision.kind == "breaker"


def test_failure_43_what_is_shut_out_again_is_shut_out_for_longer(load, clock):
    guard = load(BREAKER)
    run = opened(guard)
    clock.advance(10 * SECOND)
    first, second = (run.decide(model="large", input_tokens=10) for _ in range(2))
    clock.advance(3 * SECOND)
    run.fail(first, DOWN)
    clock.advance(2 * SECOND)
    run.fail(second, DOWN)
    # Ten seconds from the first failed probe; the second one, of a time that is over, changes nothing.
    assert fail(run).wait_ns == 8 * SECOND
    clock.advance(8 * SECOND - 1)
    assert outcome(run) == "deny"
    clock.advance(1)
    assert outcome(run) == "allow"


def test_failure_44_who_is_turned_away_is_told_until_when(load, clock, records):
    guard = load(BREAKER)
    opened(guard)
    clock.advance(4 * SECOND)
    with pytest.raises(Denied, match="ask again in 6 s, not sooner") as raised:
        use(guard.run())
    assert raised.value.decision.wait_ns == 6 * SECOND
    assert records.of("decision")[-1]["wait"] == 6 * SECOND
    clock.advance(6 * SECOND)
    run = guard.run()
    assert [outcome(run) for _ in range(2)] == ["allow", "allow"]
    assert fail(run).wait_ns == 10 * SECOND, "while it is tried, too"


def test_failure_45_what_is_in_flight_is_neither_lost_nor_counted_below_nothing(load, clock):
    guard = load(BREAKER)
    run = opened(guard)
    clock.advance(10 * SECOND)
    chance = random.Random(45)

    def leave(run, decision):
        """Any of the ways in which nobody learns how an attempt ended."""
        way = chance.randrange(4)
        if way == 0:
            run.fail(decision, Failure("cancelled", UNKNOWN))
        elif way == 1:
            run.settle(decision, Usage("unsent"))
        elif way == 2:
            with run:
                pass

    for _ in range(60):
        runs = [guard.run() for _ in range(3)]
        decisions = [each.decide(model="large", input_tokens=10) for each in runs]
        assert [each.outcome for each in decisions] == ["allow", "allow", "deny"]
        for each, decision in list(zip(runs, decisions, strict=True))[:2]:
            leave(each, decision)
        # One that is simply forgotten gives its place back as well.
        del each, decision, decisions, runs
    run = guard.run()
    for decision in [run.decide(model="large", input_tokens=10) for _ in range(2)]:
        run.settle(decision, Usage("exact", 10, 1))
    assert [outcome(run) for _ in range(5)] == ["allow"] * 5


def test_failure_46_exactly_so_many_probes_pass_of_a_herd(load, clock):
    guard = load(BREAKER)
    opened(guard)
    for _ in range(20):
        clock.advance(10 * SECOND)
        runs = [guard.run() for _ in range(12)]
        decisions = together(*[lambda run=run: run.decide(model="large", input_tokens=10) for run in runs])
        assert sorted(each.outcome for each in decisions) == ["allow"] * 2 + ["deny"] * 10
        probes = [pair for pair in zip(runs, decisions, strict=True) if pair[1].outcome == "allow"]
        together(*[lambda run=run, each=each: run.fail(each, DOWN) for run, each in probes])
    # A success of before it opened closes nothing.
    fresh = load(BREAKER, path=None)
    run = fresh.run()
    stale = run.decide(model="large", input_tokens=10)
    opened(fresh)
    clock.advance(10 * SECOND)
    probe = run.decide(model="large", input_tokens=10)
    run.settle(stale, Usage("exact", 10, 1))
    assert [outcome(run), outcome(run)] == ["allow", "deny"]
    run.fail(probe, DOWN)
    assert outcome(run) == "deny"


def test_failure_47_no_lock_is_held_while_a_call_runs(load):
    guard = load(
        BREAKER, 'breaker "t" on tool any { opens when failures >= 50% of 3 in 1 s probes 1 after 1 s }'
    )
    inside = threading.Barrier(8, timeout=60)

    def call(model, max_tokens):
        inside.wait()  # Passed only when all eight are in it at once.
        return reply(10)(model, max_tokens)

    def search(query):
        inside.wait()
        return query

    models = [lambda: guard.run().model(call, model="large", input_tokens=9, max_tokens=1)] * 4
    tools = [lambda: guard.run().tool("search", search, query="a")] * 4
    results = together(*models, *tools)
    assert not [each for each in results if isinstance(each, BaseException)]


def test_failure_48_many_candidates_and_statements_cost_what_they_are_many():
    def seconds(number):
        """The median of a decision over so many candidates, all of them behind an open breaker."""
        models = [
            f'model "m{each}" is "p{each}/m" {{ place edge window 9k tokens output 1k tokens price free }}'
            f'\nbreaker "b{each}" on model "m{each}" {{ {OPENS_AT_ONCE} }}'
            for each in range(number)
        ]
        route = "".join(f'fallback "m{each}" -> "m{each + 1}" ' for each in range(number - 1))
        source = "\n".join(['language 1 policy "many"', *models, f'route "r" {{ to "m0" {route} }}'])
        from checkrein import _core
        from checkrein.language import compile_source

        program = _core.Program.load(compile_source(source, "many.rein"))
        guard = checkrein.Guard(program, clock=checkrein.VirtualClock())
        run = guard.run()
        for _ in range(number):
            fail(run, model=None)
        assert fail(run, model=None).outcome == "deny"
        taken = []
        for _ in range(15):
            begun = time.perf_counter()
            fail(run, model=None)
            taken.append(time.perf_counter() - begun)
        return sorted(taken)[7]

    # Eight times as many take eight times as long and some more, not sixty-four times.
    assert seconds(160) < 32 * seconds(20)


def test_failure_50_both_legs_of_a_hedge_hold_what_they_may_cost(load):
    guard = load('limit "run" on run { cost <= $0.03 } else deny', BREAKER)
    run = guard.run()
    legs = [run.decide(model="large", input_tokens=999, max_tokens=1) for _ in range(3)]
    assert [leg.outcome for leg in legs] == ["allow"] * 3
    assert figures(run, "run") == (0, 30_000_000)
    assert fail(run, input_tokens=999, max_tokens=1).outcome != "allow", "no fourth leg: there is no room"
    # The loser is billed all the same; what nobody says of it, it keeps.
    run.settle(legs[0], Usage("exact", 999, 1))
    run.fail(legs[1], Failure("cancelled", UNKNOWN))
    run.settle(legs[2], Usage("unsent"))
    assert figures(run, "run") == (20_000_000, 0)
    assert fail(run).outcome == "allow", "a cancelled loser speaks against nobody"


SESSIONS = """
import resource, sys
import checkrein
guard = checkrein.load(sys.argv[1], log=None, clock=checkrein.VirtualClock(), store="memory:")
size = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sizes = []
for number in range(12_000):
    run = guard.run(session=f"session {number}", id=f"run {number}")
    decision = run.decide(tool="search", args={"query": "a"})
    run.settle(decision)
    decision = run.decide(model="small", input_tokens=10)
    if number % 2:
        run.settle(decision)
    guard.clock.advance(10**9)
    if number % 6_000 == 5_999:
        sizes.append(size())
print(sizes[1] - sizes[0])
"""


def test_failure_51_many_sessions_need_no_more_memory_than_few(compiled):
    policy = compiled(
        'limit "s" on session rolling 1 min { tool_calls <= 9 } else deny',
        'breaker "t" on tool any { opens when failures >= 50% of 9 in 1 min probes 1 after 9 s }',
        BREAKER,
        'retry "r" on tool any { attempts <= 2 share 10% of calls in 1 min, at least 1 } else deny',
        'loop "l" on run { same call >= 3 within 10 steps } else stop "over"',
    )
    ran = subprocess.run(
        [sys.executable, "-c", SESSIONS, str(policy)], capture_output=True, text=True, check=True, timeout=120
    )
    assert int(ran.stdout) < 1_500, "six thousand sessions more took so many KiB"
