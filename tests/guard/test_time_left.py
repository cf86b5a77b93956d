"""How much time a run says that it has: in its calls and outside, below it, and while a person is asked."""

import asyncio

import pytest

import checkrein

SECOND = 10**9
TIME = 'limit "time" on run { active_time <= 10 s wall_time <= 60 s } else stop "over_limit"'


def test_without_a_limit_on_time_there_is_no_end(make_guard):
    assert make_guard().run().time_left is None


def test_it_goes_by_without_any_event(make_guard, clock):
    run = make_guard(TIME).run()
    assert run.time_left == 10
    clock.advance(4 * SECOND)
    assert run.time_left == 6
    clock.advance(9 * SECOND)
    assert run.time_left == 0


def test_a_call_has_no_more_than_its_timeout(make_guard, clock):
    run = make_guard(TIME, 'tool "slow" { timeout 3 s }').run()
    seen = []

    def slow():
        seen.append(run.time_left)
        clock.advance(SECOND)
        seen.append(run.time_left)

    run.tool("slow", slow)
    assert (seen, run.time_left) == ([3, 2], 9)
    clock.advance(8 * SECOND)
    run.tool("slow", slow)
    assert seen[2:] == [1, 0]


def test_a_child_has_what_its_parent_has_left(make_guard, clock):
    run = make_guard(TIME, 'tool "slow" { timeout 3 s }').run()
    clock.advance(2 * SECOND)
    child = run.child()
    assert (run.time_left, child.time_left) == (8, 8)

    def below():
        return child.time_left

    assert run.tool("slow", below) == 3, "whoever waits for the child has no more patience"


def test_it_stands_still_while_a_person_is_asked_and_asking_does_not_end_that(make_guard, clock):
    run = make_guard(TIME).run()
    run.tool("search", lambda query: query, query="x")
    with pytest.raises(checkrein.Escalated):
        run.tool("refund", lambda amount: amount, amount=20_000)
    for _ in range(3):
        clock.advance(10 * SECOND)
        assert run.time_left == 10
    clock.advance(25 * SECOND)
    assert run.time_left == 5, "by the wall"


def test_an_asynchronous_call_sees_it_too(make_guard, clock):
    run = make_guard(TIME, 'tool "slow" { timeout 3 s }').run()

    async def slow():
        await asyncio.sleep(0)
        return run.time_left

    assert asyncio.run(run.tool("slow", slow)) == 3
