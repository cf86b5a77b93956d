"""The guard around plain functions: what is run, what is refused, what is charged."""

import asyncio
import contextlib
import functools
import gc
import threading
from decimal import Decimal

import pytest

import checkrein
from checkrein.guard.usage import Usage

SECOND = 1_000_000_000


def answer(*, model, max_tokens, prompt="hi"):
    """A model function whose usage is what it says."""
    return {"text": f"{model}:{prompt}", "usage": {"prompt_tokens": 10, "completion_tokens": 5}}


def spent(run, dimension):
    """The nano-units, tokens or calls settled so far."""
    return next(c["spent"] for c in run.limits() if c["dimension"] == dimension)


def held(run, dimension):
    """What open attempts hold."""
    return next(c["held"] for c in run.limits() if c["dimension"] == dimension)


def test_a_model_call_is_capped_and_settled_with_its_real_usage(guard):
    with guard.run() as run:
        reply = run.model(answer, model="large", prompt="hello", max_tokens=100)
    assert reply["text"] == "large:hello"
    # $1 and $4 per million tokens: 10 in and 5 out are 10,000 + 20,000 nano-dollars.
    assert spent(run, "cost") == 30_000
    assert spent(run, "tokens") == 15
    assert held(run, "cost") == 0
    assert str(run.outcome) == "completed"


def test_an_unknown_usage_keeps_the_whole_hold(guard):
    with guard.run() as run:
        run.model(
            lambda *, model, max_tokens: "no usage here", model="large", input_tokens=10, max_tokens=100
        )
    assert spent(run, "tokens") == 110


def test_an_explicit_zero_usage_is_a_usage(guard):
    def free(*, model, max_tokens):
        return {"usage": {"prompt_tokens": 0, "completion_tokens": 0}}

    with guard.run() as run:
        run.model(free, model="large", input_tokens=10, max_tokens=100)
    assert spent(run, "tokens") == 0


def test_a_host_exception_passes_unchanged_and_its_hold_is_settled(guard):
    class Odd(Exception):
        pass

    odd = Odd("mine")

    def broken(*, model, max_tokens):
        raise odd

    run = guard.run()
    with pytest.raises(Odd) as caught, run:
        run.model(broken, model="large", input_tokens=10, max_tokens=100)
    assert caught.value is odd
    assert held(run, "tokens") == 0
    assert spent(run, "tokens") == 110
    assert run.outcome.kind == "error"


def test_a_stop_ends_the_block_quietly_and_is_latched(guard):
    calls = []
    with guard.run() as run:
        for _ in range(100):
            run.tool("search", lambda query: calls.append(query), query="same")
    assert len(calls) == 2
    assert str(run.outcome) == "stuck"
    assert run.outcome.kind == "stopped"


def test_a_swallowed_stop_is_met_again(guard):
    met = 0
    with guard.run() as run:
        for number in range(6):
            try:
                run.tool("search", lambda query: query, query="same")
            except checkrein.Stopped:
                met += 1
                with pytest.raises(checkrein.Stopped, match="stuck"):
                    run.model(answer, model="large")
            assert number < 10
    assert met == 4
    assert str(run.outcome) == "stuck"


def test_the_stop_of_an_outer_run_is_not_swallowed_by_an_inner_one(guard):
    with guard.run() as outer:
        with guard.run() as inner:
            for _ in range(3):
                outer.tool("search", lambda query: query, query="same")
        pytest.fail("the outer stop must leave the inner block")
    assert str(outer.outcome) == "stuck"
    assert inner.outcome.kind == "error"


def test_a_denial_is_an_exception_that_says_why_and_where(guard):
    with guard.run() as run:
        with pytest.raises(
            checkrein.Denied, match=r"order `look first` at .*policy\.rein:\d+: look it up first"
        ):
            run.tool("refund", lambda amount: amount, amount=500)
        run.tool("search", lambda query: query, query="x")
        assert run.tool("refund", lambda amount: amount, amount=500) == 500


def test_an_undeclared_tool_is_denied_and_not_run(guard):
    ran = []
    with guard.run() as run, pytest.raises(checkrein.Denied, match="undeclared tool"):
        run.tool("rm", lambda: ran.append(1))
    assert not ran


def test_an_undeclared_name_that_is_like_a_declared_one_says_so(guard):
    with guard.run() as run:
        with pytest.raises(checkrein.Denied, match=r"`undeclared tool`; did you mean `search`\? \["):
            run.tool("serch", lambda: None)
        with pytest.raises(checkrein.Denied, match=r"`undeclared tool` \["):
            run.tool("rm", lambda: None)
        with pytest.raises(checkrein.Denied, match=r"`undeclared model`; did you mean `large`\? \["):
            run.model(lambda model, max_tokens: None, model="larg", input_tokens=1)
        with pytest.raises(checkrein.Denied, match=r"`undeclared model`; did you mean `small`\? \["):
            run.model(lambda model, max_tokens: None, model="test/small", input_tokens=1)


def test_a_rule_that_is_called_like_a_built_in_decision_means_no_other_name(make_guard):
    guard = make_guard('rule "undeclared tool" on tool "search" then deny because "no"')
    with guard.run() as run, pytest.raises(checkrein.Denied, match=r"at .*: no \["):
        run.tool("search", lambda query: query, query="x")


def test_a_failing_tool_is_retried_within_the_policy_and_then_given_up(guard, clock):
    tries = []

    def flaky(query):
        tries.append(clock.now())
        raise TimeoutError("slow")

    with guard.run() as run, pytest.raises(checkrein.Failed) as caught:
        run.tool("search", flaky, query="x")
    assert len(tries) == 3
    assert caught.value.state == "tool_unavailable"
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert tries[-1] - tries[0] <= 20 * SECOND


def test_a_tool_marked_once_is_never_run_twice(guard):
    tries = []

    def flaky(amount):
        tries.append(amount)
        raise TimeoutError("slow")

    with guard.run() as run:
        run.tool("search", lambda query: query, query="x")
        with pytest.raises(checkrein.Failed):
            run.tool("refund", flaky, amount=500)
    assert tries == [500]


def test_an_escalation_asks_the_approver_with_the_exact_arguments(make_guard):
    asked = []

    def approver(approval):
        asked.append(approval)
        return approval.arguments["amount"] < 30_000

    guard = make_guard(approver=approver)
    with guard.run() as run:
        run.tool("search", lambda query: query, query="x")
        assert run.tool("refund", lambda amount: amount, amount=20_000) == 20_000
        with pytest.raises(checkrein.Denied, match="a person said no"):
            run.tool("refund", lambda amount: amount, amount=40_000)
    assert [a.arguments["amount"] for a in asked] == [20_000, 40_000]
    assert asked[0].queue == "leads"
    assert asked[0].reason == "big refunds need a person"


def test_without_an_approver_the_call_is_suspended_and_can_be_answered(guard):
    with guard.run() as run:
        run.tool("search", lambda query: query, query="x")
        with pytest.raises(checkrein.Escalated) as caught:
            run.call_tool("refund", lambda amount: amount, {"amount": 20_000}, key="call-1")
        run.answer(caught.value.request, True)
        assert run.call_tool("refund", lambda amount: amount, {"amount": 20_000}, key="call-1") == 20_000


def test_an_approval_holds_for_the_approved_arguments_only(guard):
    with guard.run() as run:
        run.tool("search", lambda query: query, query="x")
        with pytest.raises(checkrein.Escalated) as caught:
            run.tool("refund", lambda amount: amount, amount=20_000)
        run.answer(caught.value.request, True)
        with pytest.raises(checkrein.Escalated):
            run.tool("refund", lambda amount: amount, amount=20_001)


def test_money_may_be_given_as_a_decimal_or_text(guard):
    with guard.run() as run:
        run.tool("search", lambda query: query, query="x")
        for amount in (Decimal("10000.5"), "10000.5", 10000.5):
            with pytest.raises(checkrein.Escalated):
                run.tool("refund", lambda amount: amount, amount=amount)


def test_a_value_that_cannot_be_judged_tightens(guard):
    with guard.run() as run:
        run.tool("search", lambda query: query, query="x")
        with pytest.raises(checkrein.Escalated, match="could not be decided"):
            run.tool("refund", lambda amount: amount, amount="a lot")


def test_coroutines_are_governed_in_the_same_words(guard, clock):
    tries = []

    async def flaky(query):
        tries.append(query)
        raise ConnectionError("gone")

    async def main():
        async with guard.run() as run:
            with pytest.raises(checkrein.Failed):
                await run.tool("search", flaky, query="x")
        return run

    asyncio.run(main())
    assert tries == ["x", "x", "x"]


def test_a_cancelled_call_keeps_its_hold_as_spent(guard):
    begun = asyncio.Event()

    async def slow(*, model, max_tokens):
        begun.set()
        await asyncio.Event().wait()

    async def main():
        run = guard.run()
        async with run:
            task = asyncio.create_task(run.model(slow, model="large", input_tokens=10, max_tokens=100))
            await begun.wait()
            assert held(run, "tokens") == 110
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (held(run, "tokens"), spent(run, "tokens")) == (0, 110)

    asyncio.run(main())


def test_a_hanging_synchronous_tool_is_abandoned_at_its_timeout(guard):
    release = threading.Event()
    with guard.run() as run, pytest.raises(checkrein.Failed) as caught:
        run.tool("quick", lambda: release.wait(60))
    release.set()
    assert "late result is refused" in str(caught.value.__cause__)
    assert spent(run, "tool_calls") == 3


def test_a_coroutine_that_does_not_heed_its_cancellation_is_too_late(guard):
    async def deaf():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "late"

    async def main():
        async with guard.run() as run:
            with pytest.raises(checkrein.Failed) as caught:
                await run.tool("quick", deaf)
            assert "late result is refused" in str(caught.value.__cause__)
            assert spent(run, "tool_calls") == 3

    asyncio.run(main())


def test_a_stream_is_settled_at_its_end_and_kept_when_dropped(guard):
    def stream(*, model, max_tokens):
        yield {"delta": "a"}
        yield {"delta": "b", "usage": {"prompt_tokens": 10, "completion_tokens": 2}}

    with guard.run() as run:
        chunks = run.model(stream, model="large", input_tokens=10, max_tokens=100)
        assert held(run, "tokens") == 110
        assert len(list(chunks)) == 2
        assert (held(run, "tokens"), spent(run, "tokens")) == (0, 12)
        dropped = run.model(stream, model="large", input_tokens=10, max_tokens=100)
        next(dropped)
        del dropped
        gc.collect()
        assert (held(run, "tokens"), spent(run, "tokens")) == (0, 122)


def test_a_model_called_inside_a_tool_is_admitted_anew(guard):
    def search(query):
        return checkrein.current_run().model(answer, model="large", prompt=query)["text"]

    with guard.run() as run:
        assert run.tool("search", search, query="deep") == "large:deep"
    assert spent(run, "model_calls") == 1


def test_the_decorators_use_the_current_run(guard):
    @guard.tool
    def search(query, limit=3):
        return (query, limit)

    @guard.model(name="large")
    def ask(*, model, max_tokens, prompt):
        return answer(model=model, max_tokens=max_tokens, prompt=prompt)

    with guard.run():
        assert search("x") == ("x", 3)
        assert ask(prompt="p")["text"] == "large:p"
    with pytest.raises(checkrein.EngineError, match="outside a run"):
        search("x")


def test_the_low_level_door_leaves_the_call_to_the_host(guard):
    with guard.run() as run:
        decision = run.decide(model="large", input_tokens=100, max_tokens=50)
        assert (decision.outcome, decision.output_cap) == ("allow", 50)
        run.settle(decision, Usage("exact", 100, 20))
        assert spent(run, "tokens") == 120
        assert run.decide(tool="search", args={"query": "x"}).outcome == "allow"


def through(call):
    """`call` behind a decorator that gives it an argument of its own."""

    @functools.wraps(call)
    def outer(**given):
        return call("mine", **given)

    return outer


def test_a_function_that_cannot_be_called_is_not_asked_about(guard):
    with guard.run() as run:
        with pytest.raises(checkrein.EngineError, match="takes no `max_tokens`"):
            run.model(lambda model: model, model="large")
        with pytest.raises(TypeError, match="temop"):
            run.model(lambda model, max_tokens, tempo=1: model, model="large", temop=2)
        assert (held(run, "tokens"), spent(run, "tokens"), spent(run, "model_calls")) == (0, 0, 0)
        assert run.model(through(lambda own, model, max_tokens: own), model="large") == "mine"


def test_many_threads_never_pass_a_limit(make_guard):
    guard = make_guard()
    admitted = []

    def work(run, name):
        for number in range(40):
            try:
                run.tool("search", lambda query: admitted.append(query), query=f"{name}-{number}")
            except checkrein.Refusal:
                return

    with guard.run() as run:
        threads = [threading.Thread(target=work, args=(run, name)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(admitted) == 30


def test_soft_thresholds_reach_the_agent_once(guard):
    with guard.run() as run:
        for number in range(26):
            run.tool("search", lambda query: query, query=str(number))
        assert run.take_advice() == ["wrap up"]
        assert run.take_advice() == []


def test_an_unknown_fact_is_an_error_with_a_suggestion(guard):
    with guard.run() as run, pytest.raises(checkrein.UnknownFact, match=r"data\.class"):
        run.decide(tool="search", args={"query": "x"}, facts={"data.clas": "pii"})
