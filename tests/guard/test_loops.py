"""Loops through the guard: which errors are the same mistake, and who makes it."""

import asyncio
import contextlib

import pytest

import checkrein

POLICY = """
language 1
policy "loops"
state "stuck" tell user "It does not get on." tell agent "Stop and say so."
tool "look" { class retrieve args { "order" text "request_id" text } }
tool "poll" { may repeat }
loop "failing" on run { same error >= 3 within 20 steps } else stop "stuck"
loop "again" on run { same call >= 3 within 20 steps ignoring call.args.request_id } else stop "stuck"
"""


@pytest.fixture
def guard(tmp_path):
    path = tmp_path / "loops.rein"
    path.write_text(POLICY)
    return checkrein.load(path, log=None)


def failing(message):
    """A tool that always fails with what it says about its argument."""

    def look(order):
        raise LookupError(message.format(order=order))

    return look


@pytest.mark.parametrize(
    "message", ["no order {order} is known", "no order '{order}' of 2026-01-02", 'no "{order}"']
)
def test_a_mistake_with_one_order_after_the_other_is_one_mistake(guard, message):
    with guard.run() as run:
        for order in ("A1", "B22"):
            with pytest.raises(LookupError):
                run.tool("look", failing(message), order=order)
        run.tool("look", failing(message), order="C3")
    assert str(run.outcome) == "stuck"


def test_what_says_something_else_is_another_mistake(guard):
    says = ["no order {order}", "the service is down", "no customer {order}", "no order {order} here"]
    with guard.run() as run:
        for number, message in enumerate(says * 2):
            with pytest.raises(LookupError):
                run.tool("look", failing(message), order=f"A{number}")
    assert str(run.outcome) == "completed"


def test_another_kind_of_exception_is_another_mistake(guard):
    class Odd(LookupError):
        pass

    def odd(order):
        raise Odd("no order")

    with guard.run() as run:
        for number, tool in enumerate((odd, failing("no order"), odd, failing("no order"))):
            with pytest.raises(LookupError):
                run.tool("look", tool, order=f"A{number}")
            run.tool("poll", lambda: None)
    assert str(run.outcome) == "completed"


def test_a_request_id_does_not_hide_a_repetition(guard):
    with guard.run() as run:
        for number in range(2):
            run.tool("look", lambda order, request_id: order, order="A1", request_id=str(number))
        with pytest.raises(checkrein.Stopped) as stopped:
            run.tool("look", lambda order, request_id: order, order="A1", request_id="last")
    assert stopped.value.decision.by == "again"


def test_agents_that_ask_each_other_go_round_together(guard):
    with guard.run() as run:
        for _ in range(2):
            with run.child() as child:
                child.tool("look", lambda order: order, order="A1")
        with run.child() as child:
            child.tool("look", lambda order: order, order="A1")
        assert str(child.outcome) == "stuck"
        with run.child() as child:
            for _ in range(9):
                child.tool("poll", lambda: None)
        assert str(child.outcome) == "completed"


IDLE = """
language 1
policy "idle"
state "stuck" tell user "It does not get on."
model "m" is "x/m" { place edge window 8k tokens output 1k tokens price free }
tool "look" { class retrieve args { "page" count } }
loop "idle" on run { no progress >= 2 steps } else stop "stuck"
"""


@pytest.fixture
def idle(tmp_path):
    path = tmp_path / "idle.rein"
    path.write_text(IDLE)
    return checkrein.load(path, log=None)


def looking(result):
    """A tool that gives this, whatever it is asked."""
    return lambda page: result


def steps(run, *results):
    """One step for each: a model call, and a look that gives this."""
    for page, result in results:
        run.model(lambda model, max_tokens: {}, model="m", input_tokens=1)
        run.tool("look", looking(result), page=page)


def test_the_same_results_are_no_progress(idle):
    with idle.run() as run:
        steps(run, (1, {"b": 1, "a": [2]}), (1, '{"a": [2], "b": 1}'), (1, {"a": [2], "b": 1}))
        with pytest.raises(checkrein.Stopped) as stopped:
            run.model(lambda model, max_tokens: {}, model="m", input_tokens=1)
    assert (stopped.value.decision.by, stopped.value.decision.event) == ("idle", "model call")


def test_other_results_and_other_calls_are(idle):
    with idle.run() as run:
        steps(run, (1, "a"), (1, "b"), (2, "b"), (1, "b"), (1, "c"), (1, "c"), (3, None))
    assert str(run.outcome) == "completed"


def test_what_cannot_be_compared_is_told_apart_by_its_call(idle):
    with idle.run() as run:
        steps(run, *((page, object()) for page in range(5)), *((page, iter("abc")) for page in range(5, 9)))
        steps(run, (1, object()), (2, object()))
        with pytest.raises(checkrein.Stopped):
            steps(run, (9, "never"))
    assert str(run.outcome) == "stuck"


@pytest.mark.parametrize(("new", "outcome"), [(True, "completed"), (False, "stuck")])
def test_branches_side_by_side_are_told_when_they_are_over(idle, new, outcome):
    async def model(model, max_tokens):
        return {}

    async def branch(run, page, is_asked, all_are_asked):
        async def look(page):
            is_asked.set()
            await all_are_asked.wait()
            if not new:
                raise LookupError(str(page))
            return page

        await run.model(model, model="m", input_tokens=1)
        return await run.tool("look", look, page=page)

    async def task():
        with idle.run() as run:
            all_are_asked, branches = asyncio.Event(), []
            for page in range(5):
                is_asked = asyncio.Event()
                branches.append(asyncio.create_task(branch(run, page, is_asked, all_are_asked)))
                await asyncio.wait_for(is_asked.wait(), 60)
            all_are_asked.set()
            await asyncio.gather(*branches, return_exceptions=True)
            with contextlib.suppress(checkrein.Stopped):
                await run.model(model, model="m", input_tokens=1)
        return str(run.outcome)

    assert asyncio.run(task()) == outcome


def test_a_childs_step_is_idle_if_its_parent_knows_that(idle):
    with idle.run() as run:
        steps(run, (1, "a"))
        with run.child() as child:
            steps(child, (1, "a"), (1, "a"))
            with pytest.raises(checkrein.Stopped):
                steps(child, (2, "b"))
        steps(run, (2, "b"), (3, "c"))
    assert (str(child.outcome), str(run.outcome)) == ("stuck", "completed")


AGAIN = """
language 1
policy "again"
model "m" is "x/m" { place edge window 8k tokens output 1k tokens price free }
loop "again" on run { repeated_context >= 50% } else deny because "Told before."
"""


@pytest.fixture
def again(tmp_path):
    path = tmp_path / "again.rein"
    path.write_text(AGAIN)
    return checkrein.load(path, log=None)


def told(text, role="user", **more):
    return {"role": role, "content": text, **more}


def asks(run, *messages, **more):
    """A model call with these messages; whether it was made."""
    made = []
    try:
        run.model(lambda messages, **_: made.append(messages), model="m", messages=list(messages), **more)
    except checkrein.Denied as denied:
        return denied.decision.by != "again"
    return bool(made)


LONG = told("the parcel left on Monday " * 20)


def test_ten_turns_of_an_ordinary_agent_repeat_nothing(again):
    with again.run() as run:
        said = [told("be kind", "system"), LONG]
        for turn in range(10):
            assert asks(run, *said)
            call = {
                "id": f"c{turn}",
                "type": "function",
                "function": {"name": "look", "arguments": f"[{turn}]"},
            }
            said.append(told(None, "assistant", tool_calls=[call]))
            said.append(told(f"row {turn}", "tool", tool_call_id=f"c{turn}"))


@pytest.mark.parametrize(
    "say", [told, lambda text, _role="user": text, lambda text, role="user": (role, text)]
)
def test_the_same_explanation_after_another_beginning_is_found(again, say):
    with again.run() as run:
        assert asks(run, say("trace parcels", "system"), say("a long story " * 9))
        with run.child() as child:
            assert not asks(child, say("write letters", "system"), say("a long story " * 9))
            assert asks(child, say("write letters", "system"), say("a short story"))


def test_ids_of_calls_make_no_difference_and_images_do(again):
    def row(id):
        return told("the same long row " * 9, "tool", tool_call_id=id, id=f"m{id}")

    def shown(url):
        return told([{"type": "image_url", "image_url": {"url": url * 500}}, {"type": "text", "text": "see"}])

    with again.run() as run:
        assert asks(run, told("one"), row("a"), input_tokens=100)
        assert not asks(run, told("two"), row("b"), input_tokens=100)
        assert asks(run, shown("x"), input_tokens=100)
        assert asks(run, told("look at this, please"), shown("y"), input_tokens=100)
        # An image weighs nothing, so this says little again.
        assert asks(run, told("look at this once more, please. " * 9), shown("y"), input_tokens=100)


def test_a_prompt_by_another_name_is_passed_as_context(again):
    def model(model, max_tokens, prompt):
        return prompt

    with again.run() as run:
        with pytest.raises(checkrein.Denied) as denied:
            run.model(model, model="m", prompt="x")
        assert denied.value.decision.undecided
        assert run.model(model, model="m", prompt="x", context=["x"]) == "x"
        assert run.decide(model="m", context=["y", "x"]).outcome == "deny"
        assert run.decide(model="m", context=[]).outcome == "allow"


def test_what_can_be_read_once_is_not_read(again):
    with again.run() as run:
        messages = iter([told("x")])
        with pytest.raises(checkrein.Denied) as denied:
            run.model(lambda messages, **_: None, model="m", messages=messages, input_tokens=1)
        assert denied.value.decision.undecided
        assert next(messages) == told("x")


def test_a_context_that_can_be_read_once_is_compared_at_every_ask(tmp_path):
    path = tmp_path / "asked.rein"
    path.write_text(
        f"{AGAIN}"
        'rule "ask" on model any then escalate to "leads" because "First."\n'
        'queue "leads" { expires 5 min default deny }\n'
    )

    def model(model, max_tokens):
        return "said"

    with checkrein.load(path, log=None, approver=lambda _: True).run() as run:
        for beginning, is_new in (("one", True), ("two", False)):
            given = iter([told(beginning, "system"), LONG])
            if is_new:
                assert run.model(model, model="m", input_tokens=900, context=given) == "said"
            else:
                with pytest.raises(checkrein.Denied, match=r"Told before\."):
                    run.model(model, model="m", input_tokens=900, context=given)


@pytest.mark.parametrize("odd", [object(), told(b"x")])
def test_a_message_that_cannot_be_compared_is_said_to_be_one(again, odd):
    with again.run() as run, pytest.raises(checkrein.EngineError, match="context=") as error:
        run.model(lambda **_: None, model="m", messages=[odd], input_tokens=9)
    assert error.value.kind == "uncounted"
