"""Failures 1 to 20 of docs/failures.md: budgets that were overspent, or refused what they had room for.

Those that need a store are in test_stores.py.
"""

import asyncio
import threading

import pytest

import checkrein
from checkrein.errors import Denied, PolicyError
from checkrein.guard.usage import Usage

from .conftest import (
    CENT,
    DOLLAR,
    HOUR,
    ImpatientClock,
    figures,
    reply,
    row,
    together,
    use,
    use_up,
)


def test_failure_01_calls_at_once_get_what_there_is_room_for(load):
    limit = 'limit "session" on session { cost <= $0.50 } else deny'
    guard = load(limit, clock=ImpatientClock())
    sent, refused, everybody = [], [], threading.Event()

    def call(model, max_tokens):
        sent.append(model)
        assert everybody.wait(60), "some were neither sent nor refused"
        return reply(4500)(model, max_tokens)

    def agent():
        with guard.run(session="s") as run:
            try:
                use(run, 4500, call=call)
            except Denied:
                refused.append(run)
                if len(refused) == 200 - 11:
                    everybody.set()
                raise

    results = together(*[agent] * 200)
    assert sum(result is None for result in results) == len(sent) == 11
    assert sum(isinstance(result, Denied) for result in results) == 189
    with guard.run(session="s") as run:
        assert figures(run, "session") == (11 * 4.5 * CENT, 0)
        assert use_up(run, 500)[0] == 1, "what is left is half a cent, and not lost"


def test_failure_10_a_cancelled_call_leaves_no_hold(load, clock):
    rule = 'rule "ask" on tool "refund" when call.args.amount > $1 then escalate to "leads" because "ask"'
    retry = 'retry "again" on model any { attempts <= 3 backoff 1 s .. 2 s } else fail "over"'
    queue = 'queue "leads" { expires 1 h default deny }'
    guard = load('limit "per user" on user { cost <= $10 } else deny', rule, retry, queue)
    billed = []

    class Busy(Exception):
        status_code = 429

    async def agent(run):
        failures = [Busy()]

        async def call(model, max_tokens):
            billed.append(5 * CENT)
            await asyncio.sleep(0)
            if failures:
                billed[-1] = 0
                raise failures.pop()
            await asyncio.sleep(0)
            billed[-1] = CENT
            return reply(1000)(model, max_tokens)

        async def stream(model, max_tokens):
            billed.append(5 * CENT)
            for _ in range(2):
                await asyncio.sleep(0)
                yield {"text": "word"}
            billed[-1] = 2 * CENT
            yield reply(2000)(model, max_tokens)

        async def ask(_approval):
            await asyncio.sleep(0)
            return True

        async def refund(amount):
            await asyncio.sleep(0)

        room = {"model": "large", "input_tokens": 4000, "max_tokens": 1000}
        await run.model(call, **room)
        async with run.model(lambda **kwargs: stream(**kwargs), **room) as chunks:
            async for _ in chunks:
                pass
        await run.call_tool("refund", refund, {"amount": 500}, approver=ask)

    async def cancelled_after(turns):
        async with guard.run(user="ann") as run:
            task = asyncio.ensure_future(agent(run))
            for _ in range(turns):
                await asyncio.sleep(0)
            is_done = task.done()
            task.cancel()
            await asyncio.wait([task])
            assert figures(run, "per user") == (sum(billed), 0), f"after {turns} turns"
            return is_done

    turns = 0
    while not asyncio.run(cancelled_after(turns)):
        turns += 1
    assert turns > 8
    assert CENT in billed
    assert 5 * CENT in billed
    with guard.run(user="ann") as run:
        assert use_up(run)[0] == 1_000 - sum(billed) // CENT, "what nobody used is there to use"


def test_failure_11_what_is_spent_held_and_free_adds_up(load):
    guard = load('limit "per user" on user { cost <= $1 tokens <= 1M tokens } else deny')

    def agent(number):
        def call(model, max_tokens):
            rows = run.limits()
            assert all(r["spent"] + r["held"] + r["free"] + r["leased"] == r["limit"] for r in rows)
            assert all(r["held"] > 0 for r in rows)
            return reply(100 + number)(model, max_tokens)

        with guard.run(user="ann") as run:
            for _ in range(50):
                run.model(call, model="large", input_tokens=900, max_tokens=100)

    assert together(*[lambda n=n: agent(n) for n in range(8)]) == [None] * 8
    spent = 50 * sum(100 + n for n in range(8))
    with guard.run(user="ann") as run:
        assert figures(run, "per user") == (spent * 10_000, 0)
        assert figures(run, "per user", "tokens") == (spent, 0)
        free = row(run, "per user")["free"] // 10_000
        with pytest.raises(Denied) as denied:
            use(run, free + 1)
        assert "cost: $0.414 of $1.00 is spent" in str(denied.value)
        held = run.decide(model="large", input_tokens=free - 1, max_tokens=1)
        assert held.outcome == "allow", "all that is free can be used"
        assert (row(run, "per user")["held"], row(run, "per user")["free"]) == (free * 10_000, 0)


def test_failure_13_a_fallback_is_priced_as_what_it_is(load):
    route = 'route "r" { to "small" fallback "small" -> "large" }'
    guard = load('limit "per user" on user { cost <= $0.05 } else deny', route)
    asked = []

    def call(model, max_tokens):
        asked.append(model)
        if model == "small":
            raise ConnectionRefusedError
        return reply(2000)(model, max_tokens)

    with guard.run(user="ann") as run:
        for _ in range(2):
            use(run, 2000, call=call)
        assert asked == ["small", "large", "large"]  # after a fallback the run stays
        assert figures(run, "per user") == (4 * CENT, 0)
        with pytest.raises((Denied, ConnectionRefusedError)):
            use(run, 2000, call=call)
        assert asked == ["small", "large", "large", "small"]
        assert figures(run, "per user") == (4 * CENT, 0)


def test_failure_14_unknown_words_are_errors_and_percentages_are_of_their_window(load, clock):
    for wrong in ("budget <= $15", "cost <= $15 every day", "cost <= $15 at 99 warn"):
        with pytest.raises(PolicyError):
            load(f'limit "day" on user {{ {wrong} }} else deny')
    guard = load(
        'limit "day" on user each day { cost <= $15 at 95% warn "day" } else deny',
        'limit "hour" on user each hour { cost <= $2 at 50% warn "hour" } else deny',
    )
    warnings = []
    with guard.run(user="ann") as run:
        for call in range(30):
            if call % 4 == 0:
                clock.advance(HOUR)
            decision = run.decide(model="large", input_tokens=49_999, max_tokens=1)
            warnings += [(call, text) for _kind, text, _by in decision.advice]
            run.settle(decision, Usage("exact", 49_999, 1))
        # Half of an hour's $2 is spent before its third call, 95% of the day's $15 before its thirtieth.
        assert warnings == [(2, "hour"), (29, "day")]


def test_failure_15_tokens_are_held_before_they_are_used(load):
    guard = load('limit "tokens" on user { tokens <= 1000 tokens } else deny')
    with guard.run(user="ann") as run:
        open_calls = [run.decide(model="large", input_tokens=100, max_tokens=150) for _ in range(5)]
        assert [d.outcome for d in open_calls] == ["allow"] * 4 + ["wait"]
        assert figures(run, "tokens", "tokens") == (0, 1000)
        for decision in open_calls[:4]:
            run.settle(decision, Usage("exact", 100, 50))
        again = run.decide(model="large", input_tokens=100, max_tokens=150, call=open_calls[4].call)
        assert again.outcome == "allow"
        assert figures(run, "tokens", "tokens") == (600, 250)


def test_failure_16_a_debt_is_paid_in_the_next_window(load, clock):
    guard = load('limit "day" on user each day { cost <= $1 } else deny')
    with guard.run(user="ann") as run:
        # The provider bills $2.50 for a call that could cost a cent.
        use(run, 1000, call=reply(250_000))
        assert row(run, "day")["free"] == -1.5 * DOLLAR
        made = []
        for _day in range(4):
            made.append(use_up(run, 10_000)[0])
            clock.advance(24 * HOUR)
        assert made == [0, 0, 5, 10], "$1 a day: the first is over, the second is owed, and half of the third"


SCOPES = {"session": "s", "user": "u", "team": "t", "org": "o"}


def test_failure_17_every_level_must_have_room(load):
    limits = [f'limit "{scope}" on {scope} {{ cost <= $0.10 }} else deny' for scope in SCOPES]
    guard = load(*limits)
    for full in SCOPES:
        ids = {scope: f"{full} {id}" for scope, id in SCOPES.items()}
        others = {scope: f"other {full} {id}" for scope, id in SCOPES.items()} | {full: ids[full]}
        with guard.run(**others) as run:
            use(run, 9_000)
        with guard.run(**ids) as run:
            use(run, 1_000)
            before = {scope: figures(run, scope) for scope in SCOPES}
            assert before == {scope: ((10 if scope == full else 1) * CENT, 0) for scope in SCOPES}
            made, refused = use_up(run, 1_000)
            assert (made, refused.decision.by) == (0, full)
            assert {scope: figures(run, scope) for scope in SCOPES} == before, "all or nothing"


def test_failure_18_windows_follow_the_clock_of_their_zone(load):
    # In Rome the clock goes forward on 2026-03-29 and back on 2026-10-25: days of 23 and of 25 hours.
    for noon_before, midnight, hours in (
        (1774695600, 1774738800, 23),
        (1792836000, 1792879200, 25),
    ):
        clock = checkrein.VirtualClock(wall=noon_before * 10**9)
        guard = load('limit "day" on user each day in "Europe/Rome" { cost <= $0.02 } else deny', clock=clock)
        with guard.run(user="ann") as run:
            assert use_up(run)[0] == 2
            for length in (midnight - noon_before, hours * 3600, 24 * 3600):
                clock.advance(length * 10**9 - 1)
                assert use_up(run)[0] == 0, "the last nanosecond of the day"
                clock.advance(1)
                assert use_up(run)[0] == 2, "the first one of the next"
                _id, start, end = row(run, "day")["window"]
                assert start == clock.wall() < end
                assert figures(run, "day") == (2 * CENT, 0), "what was spent meanwhile is not wiped"


def test_failure_20_fractions_of_a_cent_add_up(load):
    price = "price input $0.0001 output $0.0003 per 1M tokens"
    model = f'model "tiny" is "test/tiny" {{ place cloud window 1k tokens output 10 tokens {price} }}'
    guard = load(model, 'limit "per user" on user { cost <= $0.000002 } else deny')
    usages = [(1, 0, 1), (3, 4, 2), (7, 9, 4), (10, 0, 1), (10, 10, 4), (20, 10, 5)]
    with guard.run(user="ann") as run:
        total = 0
        for _ in range(150):
            for tokens_in, tokens_out, nanos in usages:
                if total + 5 <= 2000:
                    used = {"usage": {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}}
                    run.model(lambda used=used, **_: used, model="tiny", input_tokens=20, max_tokens=10)
                    total += nanos
                    assert figures(run, "per user") == (total, 0)
        assert 1995 < total <= 2000
