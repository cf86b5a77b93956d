"""Requests to people that wait in a store: what people see, who may answer, and what an answer does."""

import asyncio
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

import checkrein
from checkrein import _core
from checkrein.guard.approvals import Approvals
from checkrein.guard.context import Attempt

HOUR = 3600 * 10**9


@pytest.fixture
def stored(make_guard):
    """A guard with a store in this process, on virtual time."""
    return make_guard(store="memory:")


def search(query):
    return f"found {query}"


def refund(amount):
    return f"refunded {amount}"


def suspended(guard, id="r1", **parts):
    """A run that waits for a person, and the request."""
    with guard.run(id=id, user="ann", **parts) as run:
        run.tool("search", search, query="x")
        with pytest.raises(checkrein.Escalated) as asked:
            run.tool("refund", refund, amount=15000)
        run.suspend()
    return asked.value.request


def kind_of(call, *arguments, **named):
    with pytest.raises((checkrein.EngineError, checkrein.StoreError)) as raised:
        call(*arguments, **named)
    return raised.value.kind


def test_a_person_sees_what_would_run_and_why_it_is_asked(stored):
    request = suspended(stored)
    (waiting,) = stored.approvals().waiting()
    assert (waiting.id, waiting.run, waiting.request) == (f"r1/{request}", "r1", request)
    assert (waiting.state, waiting.kind, waiting.queue) == ("open", "approval", "leads")
    assert (waiting.subject, waiting.arguments) == ("tool `refund`", '{"amount":15000}')
    assert (waiting.by_kind, waiting.by, waiting.reason) == (
        "rule", "big refunds", "big refunds need a person",
    )  # fmt: skip
    assert waiting.source.startswith('rule "big refunds" on tool "refund"')
    assert waiting.place.rpartition(":")[2].isdigit()
    assert (waiting.default, waiting.policy, dict(waiting.whose)) == ("deny", "guard", {"user": "ann"})
    calls = next(row for row in waiting.limits if row["dimension"] == "tool_calls")
    assert (calls["limit"], calls["spent"]) == (30, 1)
    assert waiting.expires - waiting.asked == HOUR // 2
    assert waiting.answer is None


def test_an_approval_is_taken_along(stored):
    suspended(stored)
    given = stored.approvals().approve("r1", why="the customer is right", who="bob")
    assert (given.state, given.answer.word, given.answer.who) == ("answered", "approve", "bob")
    assert given.answer.why == "the customer is right"
    with stored.resume("r1") as run:
        assert run.tool("refund", refund, amount=15000) == "refunded 15000"
        with pytest.raises(checkrein.Escalated):  # it was for one call
            run.tool("refund", refund, amount=15000)
    assert stored.approvals().waiting() == []


def test_a_rejection_is_taken_along(stored):
    suspended(stored)
    stored.approvals().reject("r1", why="no")
    with stored.resume("r1") as run, pytest.raises(checkrein.Denied, match="a person said no"):
        run.tool("refund", refund, amount=15000)


def test_other_arguments_are_decided_again(stored):
    suspended(stored)
    stored.approvals().approve("r1", why="fine")
    with stored.resume("r1") as run:
        with pytest.raises(checkrein.Escalated) as asked:
            run.tool("refund", refund, amount=15001)
        assert asked.value.request == 2
        assert run.tool("refund", refund, amount=15000) == "refunded 15000"


def test_one_answer_stands(stored):
    suspended(stored)
    approvals = stored.approvals()
    approvals.reject("r1", why="no", who="ann", act="a1")
    approvals.reject("r1", why="no", who="ann", act="a1")
    for word in (approvals.approve, approvals.reject):
        with pytest.raises(checkrein.StoreError, match="ann has rejected it before") as raised:
            word("r1", why="yes", who="bob")
        assert raised.value.kind == "already_answered"
    assert kind_of(approvals.answer, "r1", "a text") == "already_answered"


def test_an_answer_fits_what_is_asked(stored):
    suspended(stored)
    assert kind_of(stored.approvals().answer, "r1", "a text") == "other_kind"
    with pytest.raises(checkrein.CheckreinError, match="no request `r2`"):
        stored.approvals().approve("r2", why="yes")
    suspended(stored, "r10")
    with pytest.raises(checkrein.CheckreinError, match="stands for 2 requests"):
        stored.approvals().get("r")
    assert stored.approvals().get("r1/1").run == "r1"


def test_what_is_still_asked_waits_as_before(stored):
    suspended(stored)
    (before,) = stored.approvals().waiting()
    with stored.resume("r1") as run:
        with pytest.raises(checkrein.Escalated) as asked:
            run.tool("refund", refund, amount=15000)
        assert asked.value.request == 1
        run.suspend()
    (after,) = stored.approvals().waiting()
    assert (after.id, after.expires, after.arguments) == (before.id, before.expires, before.arguments)
    with stored.resume("r1") as run:
        run.answer(1, approve=True)
        run.suspend()
    assert stored.approvals().waiting() == [], "it was answered where the run went on"


def test_an_answer_is_not_used_up_by_a_process_that_does_nothing(stored):
    suspended(stored)
    stored.approvals().approve("r1", why="fine")
    unused = stored.resume("r1")
    del unused
    with stored.resume("r1") as run:
        assert run.tool("refund", refund, amount=15000) == "refunded 15000"


def test_nobody_is_asked_for_a_run_that_is_over(stored):
    suspended(stored)
    run = stored.resume("r1")
    assert [waiting.id for waiting in stored.approvals().waiting()] == ["r1/1"]
    run.end()
    assert stored.approvals().waiting() == []


def test_an_agent_does_not_answer_for_a_person(stored, make_guard):
    suspended(stored, "other")
    with stored.run(id="r1") as run:
        run.tool("search", search, query="x")
        with pytest.raises(checkrein.Escalated) as asked:
            run.tool("refund", refund, amount=15000)
        request = asked.value.request

        def cheat(query):
            return kind_of(run.answer, request, approve=True)

        assert run.tool("search", cheat, query="cheat") == "self_answer"
        child = run.child()

        def nested(query):
            return child.tool("search", cheat, query="deeper")

        assert run.tool("search", nested, query="nested") == "self_answer"

        def elsewhere(query):
            stored.approvals().approve("other", why="another run's")
            return "fine"

        assert run.tool("search", elsewhere, query="elsewhere") == "fine"
        run.answer(request, approve=True)
        assert run.tool("refund", refund, amount=15000) == "refunded 15000"


def test_an_agent_does_not_answer_through_the_store_either(stored):
    suspended(stored)
    run = stored.resume("r1")
    with Attempt(run, SimpleNamespace(timeout_ns=None)).underway():
        assert kind_of(stored.approvals().approve, "r1", why="yes") == "self_answer"
    assert stored.approvals().get("r1").state == "open"


def test_an_approver_may_be_asked_inside_a_call(stored):
    """A person who is asked for a part of the run is no agent, wherever the asking happens."""

    def outer(query):
        return run.tool("refund", refund, amount=15000)

    with stored.run(approver=lambda _approval: True) as run:
        run.tool("search", search, query="first")
        assert run.tool("search", outer, query="x") == "refunded 15000"


def test_a_guard_without_a_store_keeps_no_requests(guard):
    assert kind_of(guard.approvals) == "no_store"


def test_what_was_decided_by_hand_is_shown_too(stored):
    with stored.run(id="r1") as run:
        run.tool("search", search, query="x")
        assert run.decide(tool="refund", args={"amount": 15000}).outcome == "escalate"
        run.suspend()
    assert stored.approvals().get("r1").arguments == '{"amount":15000}'


def test_a_limits_grant_is_given_once(make_guard):
    guard = make_guard(
        'queue "billing" { expires 4 h grants 2 at most 3 times }',
        'limit "calls" on user each day { tool_calls <= 1 } else escalate to "billing"',
        store="memory:",
    )
    with guard.run(id="r1", user="ann") as run:
        run.tool("search", search, query="x")
        with pytest.raises(checkrein.Escalated):
            run.tool("search", search, query="y")
        run.suspend()
    guard.approvals().approve("r1", why="fine")
    unused = guard.resume("r1")
    del unused
    with guard.resume("r1") as run:
        run.tool("search", search, query="y")
        (row,) = [row for row in run.limits() if row["name"] == "calls"]
        assert (row["limit"], row["spent"]) == (3, 2)


def test_a_file_is_seen_by_operators_and_by_other_processes(make_guard, tmp_path):
    place = str(tmp_path / "ledger.db")
    guard = make_guard(store=place, clock=None)
    suspended(guard)
    code = f"""
import sys
from checkrein import _core
from checkrein.guard.approvals import Approvals
approvals = Approvals(_core.Operator.open({place!r}))
print(approvals.approve("r1", why="fine", who="bob").answer.word)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "approve\n"
    with guard.resume("r1") as run:
        assert run.tool("refund", refund, amount=15000) == "refunded 15000"
    guard.close()
    operator = _core.Operator.open(place)
    (act,) = operator.audit()
    assert (act["act"], act["run"], act["request"], act["who"]) == ("approve", "r1", 1, "bob")
    assert Approvals(operator).waiting() == []


def test_asynchronous_calls_are_suspended_too(stored):
    async def pay(amount):
        return f"paid {amount}"

    async def go():
        async with stored.run(id="r1") as run:
            run.tool("search", search, query="x")
            with pytest.raises(checkrein.Escalated):
                await run.tool("refund", pay, amount=15000)
            await asyncio.to_thread(run.suspend)
        stored.approvals().approve("r1", why="fine")
        async with stored.resume("r1") as run:
            return await run.tool("refund", pay, amount=15000)

    assert asyncio.run(go()) == "paid 15000"


def test_requests_of_another_version_say_so():
    class Store:
        def approvals(self):
            row = {"run": "r", "request": 1, "shown": json.dumps({"form": 9}).encode(), "answer": None}
            return [row, {"damaged": "approval/r/2"}]

    approvals = Approvals(Store())
    assert approvals.damaged() == ["approval/r/2"]
    with pytest.raises(checkrein.CheckreinError, match="r/1 was written by another version"):
        approvals.waiting()


# -- questions and handovers ---------------------------------------------------------------------------

ASKING = (
    'tool "book" { args { "day" text optional } }',
    'rule "day" on tool "book" then escalate to "user" as question because "Which day?"',
    'rule "hard" on tool "close" then escalate to "user" as handover because "Not for an agent."',
    'rule "unsure" on model any when has step.confidence and step.confidence < 40%'
    ' then escalate to "user" as question because "What do you mean?"',
    'tool "close" { }',
    'queue "user" { expires 10 min }',
)


@pytest.fixture
def asking(make_guard):
    """A policy that asks questions, with a store."""
    return make_guard(*ASKING, store="memory:")


def book(day=""):
    raise AssertionError("a question ends the call")


def test_a_questions_answer_ends_the_call(asking):
    seen = []

    def person(approval):
        seen.append((approval.wants, approval.reason))
        return "Monday"

    with pytest.raises(checkrein.Answered) as answered, asking.run(approver=person) as run:
        run.tool("book", book)
    assert (answered.value.text, seen) == ("Monday", [("question", "Which day?")])
    assert run.outcome.kind == "answered"


def test_a_models_question_is_answered_without_a_call(asking):
    def call(model, max_tokens):
        raise AssertionError("nothing is sent")

    with asking.run(approver=lambda _: "the blue one") as run:
        said = run.model(call, model="large", input_tokens=5, confidence=0.1, answered=str.upper)
    assert said == "THE BLUE ONE"


def test_an_answer_in_the_store_is_given_to_the_call(asking):
    with asking.run(id="r1") as run:
        with pytest.raises(checkrein.Escalated):
            run.tool("book", book)
        run.suspend()
    approvals = asking.approvals()
    assert approvals.get("r1").kind == "question"
    assert kind_of(approvals.approve, "r1", why="yes") == "other_kind"
    approvals.answer("r1", "Monday", who="ann")
    with asking.resume("r1") as run:  # the text goes along until its call has it
        run.tool("search", search, query="x")
        run.suspend()
    with asking.resume("r1") as run, pytest.raises(checkrein.Answered) as answered:
        run.tool("book", book)
    assert answered.value.text == "Monday"


def test_a_question_takes_no_yes(asking):
    with asking.run() as run:
        with pytest.raises(checkrein.Escalated) as asked:
            run.tool("book", book)
        assert kind_of(run.answer, asked.value.request, approve=True) == "other_kind"
        run.answer(asked.value.request, approve="Monday")
        decision = run.decide(tool="book", args={"day": ""})
        assert (decision.outcome, run.text_of(decision)) == ("answer", "Monday")
        with pytest.raises(checkrein.Escalated) as asked:
            run.tool("close", book)
        assert kind_of(run.answer, asked.value.request, approve="a text") == "other_kind"


def test_a_person_takes_the_task_over(asking):
    with asking.run(approver=lambda _: True) as run:
        with pytest.raises(checkrein.HandedOver, match="taken over by a person") as over:
            run.tool("close", book)
        assert over.value.state is None
        with pytest.raises(checkrein.HandedOver):
            run.tool("search", search, query="x")
    assert (run.outcome.kind, str(run.outcome)) == ("handed_over", "handed_over")


def test_a_task_is_taken_over_while_it_waits(asking):
    with asking.run(id="r1") as run:
        with pytest.raises(checkrein.Escalated):
            run.tool("close", book)
        run.suspend()
    asking.approvals().approve("r1", why="I do it")
    with asking.resume("r1") as run:
        run.tool("close", book)
    assert run.outcome.kind == "handed_over"


def test_the_log_keeps_no_text_of_a_person(make_guard, tmp_path):
    log = tmp_path / "log.jsonl"
    guard = make_guard(*ASKING, log=log)
    with guard.run(approver=lambda _: "my secret day") as run, pytest.raises(checkrein.Answered):
        run.tool("book", book)
    assert "secret" not in log.read_text()
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [r.get("wants") for r in records if r.get("outcome") == "escalate"] == ["question"]
    assert [r["answered"] for r in records if r.get("outcome") == "answer"] == [1]


def test_only_what_the_queue_binds_has_to_be_equal(make_guard):
    guard = make_guard(
        'tool "pay" { args { "amount" money "note" text optional } }',
        'rule "ask" on tool "pay" then escalate to "some" because "Ask."',
        'queue "some" { expires 10 min binds "amount" }',
        store="memory:",
    )

    def pay(amount, note):
        return f"{amount} for {note}"

    with guard.run(id="r1") as run:
        with pytest.raises(checkrein.Escalated):
            run.tool("pay", pay, amount=5, note="late")
        run.suspend()
    assert guard.approvals().get("r1").binds == ["amount"]
    guard.approvals().approve("r1", why="fine")
    with guard.resume("r1") as run:
        with pytest.raises(checkrein.Escalated):
            run.tool("pay", pay, amount=6, note="late")
        assert run.tool("pay", pay, amount=5, note="very late") == "5 for very late"


def test_nobody_is_asked_about_a_number_that_is_read_in_two_ways(guard):
    with guard.run(approver=lambda _: True) as run:
        run.tool("search", search, query="x")
        with pytest.raises(checkrein.Denied, match="could not be decided"):
            run.tool("refund", refund, amount=2**53)
        assert run.tool("refund", refund, amount=2**53 - 1) == f"refunded {2**53 - 1}"


def test_an_answer_after_the_runs_end_is_for_nothing(guard):
    def approver(asked):
        run.end()
        return True

    ran = []
    run = guard.run(approver=approver)
    with run:
        run.tool("search", search, query="x")
        with pytest.raises(checkrein.Denied, match="run ended"):
            run.tool("refund", lambda amount: ran.append(amount), amount=15000)
    assert not ran
