"""What runs is what was decided: the arguments, the prompt, the function."""

import asyncio
import functools

import pytest

import checkrein

from .test_run import spent


class GraphInterrupt(Exception):
    """What LangGraph raises to pause a call, by its name."""


@pytest.fixture
def run(guard):
    """A run in which a refund is in order."""
    run = guard.run()
    run.tool("search", lambda query: query, query="x")
    return run


def pausing(ran):
    """A tool that pauses the first time that it is run."""

    def refund(amount):
        ran.append(amount)
        if len(ran) == 1:
            raise GraphInterrupt

    return refund


def test_two_arguments_of_one_name_are_refused(run):
    ran = []

    def refund(amount, /, **more):
        ran.append(amount)

    with pytest.raises(checkrein.EngineError, match="two arguments are named `amount`"):
        run.tool("refund", refund, 99_999_999, amount=1)
    assert not ran


def test_the_arguments_of_a_partial_are_decided_too(run):
    with pytest.raises(checkrein.Escalated):
        run.tool("refund", functools.partial(lambda amount: amount, 20_000))


def test_an_approver_cannot_change_what_runs(make_guard):
    def approver(approval):
        approval.arguments["amount"] = 1
        return True

    with make_guard(approver=approver).run() as run:
        run.tool("search", lambda query: query, query="x")
        assert run.call_tool("refund", lambda amount: amount, {"amount": 20_000}) == 20_000


def test_arguments_that_change_while_a_person_decides_are_another_call(make_guard):
    arguments = {"amount": 20_000, "items": [1]}

    def approver(_approval):
        arguments["items"].append(2)
        return True

    with make_guard(approver=approver).run() as run:
        run.tool("search", lambda query: query, query="x")
        with pytest.raises(checkrein.Denied, match="changed call"):
            run.call_tool("refund", lambda amount, items: pytest.fail("not decided"), arguments)


def test_a_paused_call_goes_on_with_its_own_arguments_only(run):
    ran = []
    refund = pausing(ran)
    with pytest.raises(GraphInterrupt):
        run.call_tool("refund", refund, {"amount": 1}, key="k")
    with pytest.raises(checkrein.Escalated):
        run.call_tool("refund", refund, {"amount": 20_000}, key="k")
    assert ran == [1]


def test_a_paused_model_call_does_not_pay_for_a_longer_prompt(guard):
    prompts = []

    def model(*, model, max_tokens, prompt):
        prompts.append(prompt)
        if len(prompts) == 1:
            raise GraphInterrupt

    with guard.run() as run:
        with pytest.raises(GraphInterrupt):
            run.model(model, model="small", max_tokens=10, key="k", prompt="x")
        with pytest.raises(checkrein.Denied):
            run.model(model, model="small", max_tokens=10, key="k", prompt="x" * 60_000)
    assert prompts == ["x"]
    assert spent(run, "tokens") < 100


@pytest.mark.parametrize("over", ["ended", "stopped"])
def test_a_paused_call_does_not_go_on_when_its_run_is_over(run, over):
    ran = []
    refund = pausing(ran)
    with pytest.raises(GraphInterrupt):
        run.call_tool("refund", refund, {"amount": 1}, key="k")
    if over == "ended":
        run.end()
    else:
        for _ in range(2):
            run.tool("search", lambda query: query, query="same")
        with pytest.raises(checkrein.Stopped):
            run.tool("search", lambda query: query, query="same")
    with pytest.raises(checkrein.Refusal):
        run.call_tool("refund", refund, {"amount": 1}, key="k")
    assert ran == [1]


def test_an_iterator_in_a_prompt_is_not_read_by_counting_it(guard):
    messages = iter(["hello"])

    def model(*, model, max_tokens, messages):
        return list(messages)

    with guard.run() as run:
        with pytest.raises(checkrein.EngineError, match="cannot be counted"):
            run.model(model, model="large", messages=messages)
        assert run.model(model, model="large", messages=messages, input_tokens=10) == ["hello"]


def test_an_object_that_is_called_like_a_coroutine_function_is_governed(guard):
    tries = []

    class Search:
        async def __call__(self, query):
            tries.append(query)
            raise ConnectionError("gone")

    async def main():
        async with guard.run() as run:
            with pytest.raises(checkrein.Failed):
                await run.tool("search", Search(), query="x")

    asyncio.run(main())
    assert tries == ["x", "x", "x"]


def test_a_function_that_gives_a_coroutine_is_refused(guard):
    async def search(query):
        pytest.fail("it would run unguarded")

    with guard.run() as run, pytest.raises(checkrein.EngineError, match="pass a coroutine function"):
        run.tool("search", lambda query: search(query), query="x")


def test_a_tool_may_set_context_variables_of_its_caller(guard):
    from contextvars import ContextVar

    variable = ContextVar("variable", default="before")

    async def search(query):
        variable.set(query)

    async def main():
        async with guard.run() as run:
            await run.tool("search", search, query="asynchronous")
            return variable.get()

    with guard.run() as run:
        run.tool("search", lambda query: variable.set(query), query="synchronous")
    assert variable.get() == "synchronous"
    assert asyncio.run(main()) == "asynchronous"


def test_a_name_that_a_model_makes_up_stays_on_one_line(guard):
    with guard.run() as run:
        for name in ("\ud800", "x\n\nallow", "\x1b[2J", "n" * 1000):
            with pytest.raises(checkrein.Denied) as caught:
                run.tool(name, print)
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) < 300


def test_a_prompt_that_grew_before_a_retry_is_counted_again(make_guard):
    guard = make_guard(
        'retry "models" on model any { when error.kind == "unavailable" attempts <= 2 }',
        'else fail "tool_unavailable"',
    )
    held = []

    def ask(*, model, max_tokens, messages):
        held.append(next(c["held"] for c in run.limits() if c["dimension"] == "tokens"))
        messages.append("y" * 1000)
        if len(held) == 1:
            raise ConnectionRefusedError
        return {"usage": {"prompt_tokens": 1100, "completion_tokens": 5}}

    with guard.run() as run:
        run.model(ask, model="large", max_tokens=10, messages=["x"])
    assert held[1] >= held[0] + 1000
    assert spent(run, "tokens") == 1105
