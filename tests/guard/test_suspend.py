"""A run that leaves its process: what it takes along, who goes on with it, and what is refused meanwhile."""

import asyncio
import subprocess
import sys
import uuid
from decimal import Decimal

import pytest

import checkrein
from checkrein import _core
from checkrein.guard.classify import Failure
from checkrein.guard.usage import UNKNOWN, Usage

MINUTE = 60 * 1_000_000_000
WIDE = 'limit "per user" on user { tokens <= 5k tokens } else stop "over_limit"'


@pytest.fixture
def stored(make_guard):
    """A guard with a store in this process, on virtual time."""
    return make_guard(store="memory:")


def search(query):
    return f"found {query}"


def refund(amount):
    return f"refunded {amount}"


def spent(run, name="per run", dimension="tokens"):
    return next(r["spent"] for r in run.limits() if (r["name"], r["dimension"]) == (name, dimension))


@pytest.fixture
def wait(stored, monkeypatch):
    """The store says that runs have waited so much longer."""

    class Patient:
        def __init__(self, ledger, longer):
            self.ledger, self.longer = ledger, longer

        def claim(self, *arguments):
            *claimed, later, answers = self.ledger.claim(*arguments)
            return *claimed, later + self.longer, answers

    def longer(nanoseconds):
        ledger = Patient(stored.ledger, nanoseconds)
        monkeypatch.setattr(stored, "require_ledger", lambda: ledger)

    return longer


def kind_of(call, *arguments, **named):
    with pytest.raises(checkrein.EngineError) as raised:
        call(*arguments, **named)
    return raised.value.kind


def test_a_person_answers_while_the_run_is_nowhere(stored, wait):
    with stored.run(id="r1") as run:
        run.tool("search", search, query="x")
        with pytest.raises(checkrein.Escalated) as asked:
            run.tool("refund", refund, amount=15000)
        run.suspend()
    assert (run.outcome.kind, str(run.outcome)) == ("suspended", "suspended")
    wait(20 * MINUTE)
    with stored.resume("r1") as later:
        later.answer(asked.value.request, approve=True)
        assert later.tool("refund", refund, amount=15000) == "refunded 15000"
        assert spent(later, dimension="tool_calls") == 2
    assert later.outcome.kind == "completed"


def test_an_answer_that_comes_too_late_does_not_count(stored, wait):
    with stored.run(id="r1") as run:
        run.tool("search", search, query="x")
        with pytest.raises(checkrein.Escalated) as asked:
            run.tool("refund", refund, amount=15000)
        run.suspend()
    wait(31 * MINUTE)
    with stored.resume("r1") as later:
        assert kind_of(later.answer, asked.value.request, True) == "expired"


def test_the_approver_of_the_resumed_run_is_asked(stored):
    with stored.run(id="r1") as run:
        run.tool("search", search, query="x")
        with pytest.raises(checkrein.Escalated):
            run.tool("refund", refund, amount=15000)
        run.suspend()
    with stored.resume("r1", approver=lambda approval: approval.request == 1) as later:
        assert later.tool("refund", refund, amount=15000) == "refunded 15000"


def test_a_suspended_run_refuses_every_call_and_says_so(stored):
    run = stored.run(id="r1")
    decision = run.decide(model="small", input_tokens=10, max_tokens=10)
    run.suspend()
    for late in (
        lambda: run.tool("search", search, query="x"),
        lambda: run.decide(tool="search", args={"query": "x"}),
        lambda: run.settle(decision, Usage("exact", 1, 1)),
        lambda: run.adjust(decision, Usage("exact", 1, 1)),
        lambda: run.answer(1, True),
        lambda: run.count(decision),
    ):
        with pytest.raises(checkrein.EngineError, match="suspended") as raised:
            late()
        assert raised.value.kind == "suspended"
    with pytest.raises(checkrein.EngineError, match=r'guard\.resume\("r1"\)'):
        run.decide(tool="search", args={"query": "x"})
    assert run.end().kind == "suspended"
    with pytest.raises(checkrein.EngineError, match="is not new"):
        run.__enter__()


def test_the_children_of_a_suspended_run_are_refused_and_told_why(stored):
    run = stored.run(id="r1")
    child = run.child(id="r2")
    grandchild = child.child(id="r3")
    run.suspend()
    for part in (child, grandchild, run.child(id="r4")):
        with pytest.raises(checkrein.EngineError, match=r"`r1` was suspended, and run `r\d`") as raised:
            part.tool("search", search, query="x")
        assert raised.value.kind == "suspended"


def test_what_is_under_way_keeps_its_hold_as_spent(stored):
    run = stored.run(id="r1")

    def call(model, max_tokens):
        run.suspend()
        return {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}

    run.model(call, model="small", input_tokens=100, max_tokens=50)
    assert spent(stored.resume("r1")) == 150


def test_only_one_goes_on(stored):
    stored.run(id="r1").suspend()
    first = stored.resume("r1")
    assert kind_of(stored.resume, "r1") == "already_resumed"
    first.suspend()
    second = stored.resume("r1")
    second.end()
    assert kind_of(stored.resume, "r1") == "ended"
    assert kind_of(stored.resume, "r2") == "unknown_run"


def test_another_policy_is_named_and_claims_nothing(make_guard):
    guard = make_guard(store="memory:")
    guard.run(id="r1").suspend()
    other = make_guard('rule "none" on tool "search" then deny because "none"', store="memory:")
    other.ledger = guard.ledger
    with pytest.raises(checkrein.EngineError) as raised:
        other.resume("r1")
    assert raised.value.kind == "other_policy"
    assert guard.program.meaning in str(raised.value)
    assert other.program.meaning in str(raised.value)
    guard.resume("r1").end()


def test_a_guard_without_a_store_says_what_to_pass(guard):
    assert guard.ledger is None
    with guard.run() as run:
        with pytest.raises(checkrein.EngineError, match="pass one to") as raised:
            run.suspend()
        assert raised.value.kind == "no_store"
        run.tool("search", search, query="it goes on")
    assert kind_of(guard.resume, "r1") == "no_store"


def test_ended_runs_children_and_closed_guards_are_refused(stored):
    run = stored.run(id="r1")
    child = run.child()
    assert kind_of(child.suspend) == "child"
    child.tool("search", search, query="it goes on")
    run.end()
    assert kind_of(run.suspend) == "ended"
    stored.close()
    assert kind_of(stored.resume, "r1") == "closed"


def test_two_runs_of_one_id_are_told_apart(stored):
    first, second = stored.run(id="r1"), stored.run(id="r1")
    first.suspend()
    assert kind_of(second.suspend) == "taken"
    assert kind_of(second.decide, tool="search", args={"query": "x"}) == "suspended"
    assert second.end().kind == "error", "it is nowhere"


def test_names_scopes_and_facts_travel(make_guard):
    guard = make_guard(WIDE, "fact price.most money optional", "fact items.n count optional", store="memory:")
    user = uuid.UUID(int=7)
    facts = {"data.class": "pii", "price.most": Decimal("1.50"), "items.n": 3}
    run = guard.run(id="r1", user=user, team="t1", facts=facts)
    run.model(lambda model, max_tokens: {}, model="small", input_tokens=100, max_tokens=50)
    run.suspend()
    later = guard.resume("r1")
    assert (later.id, later.user, later.names["team"]) == ("r1", str(user), "t1")
    assert later.facts == facts
    assert later.decide(model="large", input_tokens=1, max_tokens=1).by == "private"
    assert spent(later, "per user") == 150


def test_a_fact_that_would_not_arrive_is_named_and_the_run_goes_on(make_guard):
    guard = make_guard("fact thing.of text optional", store="memory:")
    run = guard.run(id="r1", facts={"thing.of": object()})
    with pytest.raises(checkrein.EngineError, match=r"its fact `thing\.of` is of type `object`") as raised:
        run.suspend()
    assert raised.value.kind == "bad_value"
    run.tool("search", search, query="it goes on")
    run.notes["x"] = {1, 2}
    del run.facts["thing.of"]
    assert kind_of(run.suspend) == "bad_value"
    run.notes["x"] = [1, 2]
    run.suspend()
    assert guard.resume("r1").notes == {"x": [1, 2]}


def test_advice_that_was_not_told_travels_and_is_told_once(stored):
    run = stored.run(id="r1")
    for tokens in [6000] * 7 + [10]:
        run.model(lambda model, max_tokens: {}, model="small", input_tokens=tokens, max_tokens=500)
    run.suspend()
    assert run.take_advice() == []
    later = stored.resume("r1")
    assert later.take_advice() == ["wrap up"]
    assert later.take_advice() == []


class Pause(BaseException):
    """What a framework raises to pause a tool; adapters tell the guard of theirs."""


@pytest.fixture
def pausing(monkeypatch):
    monkeypatch.setattr("checkrein.guard.drive.pauses", lambda error: isinstance(error, Pause))


def pause(query):
    raise Pause


@pytest.mark.usefixtures("pausing")
def test_a_paused_call_goes_on_as_the_same_attempt(make_guard, tmp_path):
    records = []
    sink = type("Sink", (), {"write": staticmethod(records.append)})()
    guard = make_guard(store="memory:", log=sink)
    run = guard.run(id="r1")
    with pytest.raises(Pause):
        run.call_tool("search", pause, {"query": "x"}, key="k")
    run.suspend()
    later = guard.resume("r1")
    assert later.call_tool("search", search, {"query": "x"}, key="k") == "found x"
    decisions = [r for r in records if r["kind"] == "decision"]
    assert [(r["id"], r["outcome"]) for r in decisions] == [("r1.1", "allow")]
    assert [r["decision"] for r in records if r["kind"] == "settlement"] == ["r1.1"]
    moved = [(r["kind"], r["run"], r["resumed"]) for r in records if "resumed" in r]
    assert moved == [("suspension", "r1", 0), ("resumption", "r1", 1)]


@pytest.mark.usefixtures("pausing")
def test_a_paused_call_with_other_arguments_is_another_call(stored):
    run = stored.run(id="r1")
    with pytest.raises(Pause):
        run.call_tool("search", pause, {"query": "x"}, key="k")
    run.suspend()
    later = stored.resume("r1")
    assert later.call_tool("search", search, {"query": "y"}, key="k") == "found y"
    assert spent(later, dimension="tool_calls") == 2


def test_the_same_key_is_the_same_call(make_guard):
    guard = make_guard(store="memory:")
    run = guard.run(id="r1")
    decision = run.decide(tool="search", args={"query": "x"})
    run.remember("k", decision)
    run.fail(decision, Failure("timeout", UNKNOWN))
    run.suspend()
    later = guard.resume("r1")
    assert later.known("k", None) == (decision.call, None)


def test_decisions_go_on_with_their_numbers(stored):
    run = stored.run(id="r1")
    numbers = [run.decide(tool="search", args={"query": str(n)}).number for n in range(3)]
    run.suspend()
    later = stored.resume("r1")
    assert [*numbers, later.decide(tool="search", args={"query": "y"}).number] == [1, 2, 3, 4]


def test_after_a_lost_answer_the_same_is_asked_again(stored, monkeypatch):
    class Away:
        """A ledger whose answer is lost."""

        def __init__(self, ledger):
            self.ledger, self.lost = ledger, 1

        def park(self, *arguments):
            self.ledger.park(*arguments)
            self.lose()

        def claim(self, *arguments):
            claimed = self.ledger.claim(*arguments)
            self.lose()
            return claimed

        def lose(self):
            self.lost -= 1
            if self.lost == 0:
                raise checkrein.EngineError("the answer was lost", "away")

        def __getattr__(self, name):
            return getattr(self.ledger, name)

    run = stored.run(id="r1")
    ledger = Away(stored.ledger)
    monkeypatch.setattr(stored, "require_ledger", lambda: ledger)
    assert kind_of(run.suspend) == "away"
    assert kind_of(run.decide, tool="search", args={"query": "x"}) == "suspended"
    run.suspend()
    ledger.lost = 1
    # The answer is lost, and the run given back.
    with pytest.raises(checkrein.EngineError, match="was lost"):
        stored.resume("r1")
    later = stored.resume("r1")
    assert later.id == "r1"
    assert kind_of(stored.resume, "r1") == "already_resumed"


def test_what_another_version_suspended_stays_in_the_store(stored, monkeypatch):
    run = stored.run(id="r1")
    with monkeypatch.context() as patched:
        patched.setattr("checkrein.guard.luggage._FORM", 3)
        run.suspend()
    for _ in range(2):
        assert kind_of(stored.resume, "r1") == "other_form"
    monkeypatch.setattr("checkrein.guard.luggage._FORM", 3)
    assert stored.resume("r1").id == "r1"


def test_an_asynchronous_block_may_end_by_suspending(stored):
    async def main():
        async with stored.run(id="r1") as run:
            await asyncio.to_thread(run.suspend)
        return run.outcome.kind

    assert asyncio.run(main()) == "suspended"


RESUMER = """
import sys, checkrein
guard = checkrein.load(sys.argv[1], log=None, store=sys.argv[2])
with guard.resume("r1") as run:
    run.answer(1, approve=True)
    print(run.tool("refund", lambda amount: f"refunded {amount}", amount=15000))
    for row in run.limits():
        if row["name"] == "per run" and row["dimension"] in ("tokens", "tool_calls"):
            print(row["name"], row["dimension"], row["spent"])
guard.close()
"""


def test_another_process_goes_on(make_guard, tmp_path):
    store = str(tmp_path / "ledger.db")
    guard = make_guard(WIDE, store=store, clock=None)
    with guard.run(id="r1", user="u1") as run:
        run.tool("search", search, query="x")
        run.model(lambda model, max_tokens: {}, model="small", input_tokens=100, max_tokens=50)
        with pytest.raises(checkrein.Escalated):
            run.tool("refund", refund, amount=15000)
        run.suspend()
    words = [sys.executable, "-c", RESUMER, str(tmp_path / "policy.rein"), store]
    done = subprocess.run(words, text=True, capture_output=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "refunded 15000",
        "per run tokens 150",
        "per run tool_calls 2",
    ]
    assert kind_of(guard.resume, "r1") == "ended"
    guard.close()
    (tokens,) = _core.Operator.open(store).accounts()
    assert [(w["spent"], w["leased"]) for w in tokens["windows"]] == [(150, 0)]
