"""Limits wider than a run: whose run it is, the store, children, corrections, and the end of a process."""

import gc
import json
import os
import re
import subprocess
import sys
import time
import uuid
from types import SimpleNamespace

import pytest

import checkrein
from checkrein import _core
from checkrein.guard.store import DEFAULT_STORE
from checkrein.guard.usage import Usage
from checkrein.record import read_log
from checkrein.sentences import for_developer
from checkrein.sentences import standing as standing_of

from .test_run import answer

WIDE = """
limit "per user" on user { cost <= $0.50 tokens <= 10k tokens tool_calls <= 5 } else stop "over_limit"
"""
TENANT = """
fact tenant.id text
limit "tenant" on tenant.id each day { model_calls <= 3 } else deny
"""


def standing(run, name="per user"):
    """Spent and held, by dimension."""
    return {row["dimension"]: (row["spent"], row["held"]) for row in run.limits() if row["name"] == name}


def search(run, query="x"):
    return run.tool("search", lambda query: query, query=query)


@pytest.fixture
def real(make_guard, tmp_path):
    """A guard whose ledger is a file, on the machine's clock."""
    guards = []

    def make(*statements, **parts):
        parts = {"clock": None, "store": tmp_path / "ledger.db", **parts}
        guards.append(make_guard(*(statements or [WIDE]), **parts))
        return guards[-1]

    yield make
    for guard in guards:
        guard.close()


# -- whose run it is ------------------------------------------------------------------------------------


def test_a_run_has_to_say_whose_it_is(make_guard):
    guard = make_guard(WIDE)
    with pytest.raises(checkrein.EngineError, match=r"pass `guard\.run\(user=\.\.\.\)`") as caught:
        guard.run(session="s1")
    assert caught.value.kind == "missing_scope"
    with guard.run(user="u1") as run:
        assert search(run) == "x"


def test_a_fact_may_say_whose_it_is(make_guard):
    guard = make_guard(TENANT)
    with pytest.raises(checkrein.EngineError, match=r'facts=\{"tenant\.id": \.\.\.\}') as caught:
        guard.run(facts={"data.class": "pii"})
    assert caught.value.kind == "missing_scope"
    with guard.run(facts={"tenant.id": "acme"}) as run:
        run.model(answer, model="large")
    with guard.run(facts={"tenant.id": "acme"}) as run:
        assert standing(run, "tenant") == {"model_calls": (1, 0)}
    with guard.run(facts={"tenant.id": "other"}) as run:
        assert standing(run, "tenant") == {"model_calls": (0, 0)}


def test_a_policy_without_wide_limits_asks_for_nobody_and_has_no_store(make_guard, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    guard = make_guard(clock=None)
    assert guard.ledger is None
    with guard.run() as run:
        assert search(run) == "x"
    assert not DEFAULT_STORE.exists()


@pytest.mark.parametrize("user", [7, uuid.UUID(int=1), "u1"])
def test_ids_may_be_what_has_a_text(make_guard, user):
    guard = make_guard(WIDE)
    with guard.run(user=user) as run:
        search(run)
    with guard.run(user=str(user)) as run:
        assert standing(run)["tool_calls"] == (1, 0)


@pytest.mark.parametrize(
    "user", [object(), True, "", "a\nb", "x" * 600, dict, {}, ["u1"], b"u1", 1.5, lambda: "u1"], ids=str
)
def test_an_id_that_is_none_is_refused(make_guard, user):
    with pytest.raises(checkrein.EngineError) as caught:
        make_guard(WIDE).run(user=user)
    assert caught.value.kind == "bad_value"


# -- the store ------------------------------------------------------------------------------------------


def test_the_store_is_a_file_unless_the_host_says_otherwise(make_guard, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    guard = make_guard(WIDE, clock=None)
    with guard.run(user="u1") as run:
        search(run)
    guard.close()
    assert (tmp_path / DEFAULT_STORE).is_file()
    again = make_guard(WIDE, clock=None)
    with again.run(user="u1") as run:
        search(run)
        assert standing(run)["tool_calls"] == (2, 0)
    again.close()


def test_two_guards_never_pass_a_limit_together(real, tmp_path):
    first, second = real(), real()
    ran = []
    for number in range(10):
        guard = (first, second)[number % 2]
        with guard.run(user="u1") as run:
            run.tool("search", lambda query: ran.append(query), query=str(number))
    assert len(ran) == 5
    assert run.outcome.state == "over_limit"


COUNTED = """
limit "day" on user each day { tool_calls <= 99 } else deny
rule "three a day" on tool "search" when user.tool_calls.spent >= 3
  then deny because "Three searches a day are enough."
"""


def test_conditions_read_what_other_processes_have_spent_and_say_how_old_that_is(real, tmp_path):
    first, second = real(COUNTED), real(COUNTED, log=tmp_path / "log.jsonl")
    with first.run(user="u1") as run:
        assert [search(run, str(number)) for number in range(3)] == ["0", "1", "2"]
    first.close()
    with second.run(user="u2") as run:
        assert search(run) == "x"
    with second.run(user="u1") as run, pytest.raises(checkrein.Denied, match="Three searches a day"):
        search(run)
    denied = next(row for row in read_log(tmp_path / "log.jsonl") if row.get("outcome") == "deny")
    assert denied["values"]["user.tool_calls.spent"] == "3"
    assert re.fullmatch(r"0\.\d+ s", denied["values"]["user.tool_calls.age"])


WORKER = """
import sys, checkrein
guard = checkrein.load(sys.argv[1], log=None, store=sys.argv[2])
ran = 0
for number in range(10):
    with guard.run(user="u1") as run:
        run.tool("search", lambda query: query, query=str(number))
        ran += 1
print(ran)
"""


def spawned(tmp_path, code=WORKER):
    command = [sys.executable, "-c", code, str(tmp_path / "policy.rein"), str(tmp_path / "ledger.db")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_together_never_pass_a_limit(real, tmp_path):
    real().close()
    workers = [spawned(tmp_path) for _ in range(3)]
    ran = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(ran) == 5
    accounts = _core.Operator.open(str(tmp_path / "ledger.db")).accounts()
    calls = next(a for a in accounts if a["measure"] == "tool_calls")
    assert [(w["spent"], w["leased"]) for w in calls["windows"]] == [(5, 0)], "each gave back at its exit"


def test_a_process_that_ends_in_the_middle_of_a_run_gives_back_what_it_did_not_use(real, tmp_path):
    real().close()
    code = """
import sys, checkrein
guard = checkrein.load(sys.argv[1], log=None, store=sys.argv[2])
run = guard.run(user="u1").__enter__()
run.decide(model="large", input_tokens=100, max_tokens=100)
decision = run.decide(tool="search", args={"query": "x"})
while decision.outcome == "wait":
    run.clock.sleep(decision.wait_ns)
    decision = run.decide(tool="search", args={"query": "x"}, call=decision.call)
print(decision.outcome)
"""
    assert spawned(tmp_path, code).communicate(timeout=60)[0] == "allow\n"
    accounts = _core.Operator.open(str(tmp_path / "ledger.db")).accounts()
    windows = {a["measure"]: (a["windows"][0]["spent"], a["windows"][0]["leased"]) for a in accounts}
    assert windows["tool_calls"] == (1, 0)
    assert windows["tokens"][1] == 0


def test_a_policy_that_asks_for_a_shared_store_gets_one_or_nothing(make_guard, tmp_path):
    with pytest.raises(checkrein.LoadError, match=r"says `store shared`, and .* only this machine sees"):
        make_guard("store shared", WIDE, clock=None, store=tmp_path / "ledger.db")
    with pytest.raises(checkrein.LoadError, match="only this machine sees"):
        make_guard("store shared", WIDE, clock=None, store="memory:")


def test_a_virtual_clock_has_its_ledger_in_memory(make_guard, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert make_guard("store shared", WIDE).ledger.kind == "memory"
    assert not DEFAULT_STORE.exists()
    with pytest.raises(checkrein.LoadError, match="this guard's clock is virtual"):
        make_guard(WIDE, store=tmp_path / "ledger.db")


def test_a_store_that_is_none_is_an_error_that_says_so(make_guard, tmp_path):
    (tmp_path / "ledger.db").write_text("mine" * 1000)
    with pytest.raises(checkrein.StoreError) as caught:
        make_guard(WIDE, clock=None, store=tmp_path / "ledger.db")
    assert caught.value.kind == "not_a_ledger"


def test_a_durable_guard_has_a_journal_and_keeps_records(real, tmp_path):
    guard = real("", durable=True)
    with guard.run(id="r1") as run:
        search(run)
        run.model(answer, model="large")
    guard.close()
    seen = []
    _core.Operator.open(str(tmp_path / "ledger.db")).records(seen.extend)
    assert [(r["run"], r.get("tool", r.get("model")), r["tokens"]) for r in seen] == [
        ("r1", "search", 0),
        ("r1", "large", 15),
    ]


# -- the end --------------------------------------------------------------------------------------------


def test_a_guard_that_is_closed_ends_its_runs_and_begins_no_other(real):
    guard = real()
    run = guard.run(user="u1")
    decision = run.decide(model="large", input_tokens=1, max_tokens=1)
    guard.close()
    guard.close()
    assert run.outcome.kind == "completed"
    with pytest.raises(checkrein.Denied, match="run ended"):
        search(run)
    with pytest.raises(checkrein.EngineError) as caught:
        run.adjust(decision, Usage("exact", 1, 1))
    assert caught.value.kind == "closed"
    with pytest.raises(checkrein.EngineError) as caught:
        guard.run(user="u1")
    assert caught.value.kind == "closed"


def test_a_guard_that_is_dropped_gives_back_what_it_leased(real, make_guard, tmp_path):
    guard = make_guard(WIDE, clock=None, store=tmp_path / "ledger.db")
    with guard.run(user="u1") as run:
        search(run)
    ledger = guard.ledger
    del guard, run
    gc.collect()
    assert ledger.health()["closed"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_leases_for_itself_and_leaves_the_parent_alone(real, tmp_path):
    guard = real()
    ours, theirs = os.pipe()
    with guard.run(user="u1") as run:
        search(run)
        child = os.fork()
        if child == 0:
            try:
                said = [_kind(lambda: search(run, "y"))]
                run.end()
                with guard.run(user="u1") as own:
                    said.append(search(own, "z"))
                    del run
                    gc.collect()
                guard.close()
                os.write(theirs, json.dumps(said).encode())
            finally:
                os._exit(0)
        os.close(theirs)
        with os.fdopen(ours) as pipe:
            assert json.load(pipe) == ["forked", "z"]
        os.waitpid(child, 0)
        search(run, "w")
    guard.close()
    accounts = _core.Operator.open(str(tmp_path / "ledger.db")).accounts()
    calls = next(a for a in accounts if a["measure"] == "tool_calls")
    assert (calls["windows"][0]["spent"], calls["windows"][0]["leased"]) == (3, 0)


def _kind(call):
    try:
        call()
    except checkrein.EngineError as error:
        return error.kind
    return None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_in_the_middle_of_a_call_settles_nothing_of_its_parents(real):
    guard = real()
    with guard.run(user="u1") as run:

        def forking(query):
            child = os.fork()
            if child:
                os.waitpid(child, 0)
            return child

        child = run.tool("search", forking, query="x")
        if child == 0:
            os._exit(0)
        assert standing(run)["tool_calls"] == (1, 0)


# -- children, corrections, closing words -----------------------------------------------------------------


def test_a_child_spends_what_its_parent_has(make_guard):
    guard = make_guard(WIDE)
    with guard.run(user="u1", facts={"data.class": "public"}) as run:
        with run.child() as child:
            child.model(answer, model="large")
            assert checkrein.current_run() is child
        assert str(child.outcome) == "completed"
        assert standing(run, "per run")["tokens"] == (15, 0)
        assert standing(run)["tokens"] == (15, 0)
        assert (child.user, child.facts, child.parent_id) == ("u1", run.facts, run.id)


def test_a_childs_call_has_to_fit_in_what_its_parent_has_left(make_guard):
    guard = make_guard(WIDE)
    with guard.run(user="u1") as run:
        for number in range(3):
            search(run, str(number))
        with run.child() as child:
            search(child, "a")
            search(child, "b")
            search(child, "c")
        assert str(child.outcome) == "over_limit"


def test_a_child_is_for_the_same_people(make_guard):
    guard = make_guard(TENANT)
    with guard.run(facts={"tenant.id": "acme"}) as run:
        child = run.child(facts={"data.class": "pii"})
        assert child.keys == {"tenant.id": "acme"}
        with pytest.raises(checkrein.EngineError, match=r"cannot change `tenant\.id`"):
            run.child(facts={"tenant.id": "other"})


def test_what_a_call_really_used_is_told_later(make_guard, tmp_path):
    log = tmp_path / "decisions.jsonl"
    guard = make_guard(WIDE, log=log)
    with guard.run(user="u1", id="r1") as run:
        decision = run.decide(model="large", input_tokens=100, max_tokens=50)
        run.settle(decision)
        assert standing(run)["tokens"] == (150, 0)
    settled = run.adjust(decision, Usage("exact", 90, 10, cache_read_tokens=80))
    assert (settled.tokens, settled.cache_read_tokens) == (100, 80)
    assert standing(run)["tokens"] == (100, 0)
    with pytest.raises(checkrein.EngineError) as caught:
        run.adjust(decision, Usage("exact", 91, 10))
    assert caught.value.kind == "already_settled"
    with pytest.raises(checkrein.EngineError) as caught:
        run.adjust(decision, Usage("at_least", 91, 10))
    assert caught.value.kind == "bad_value"
    record = next(r for r in read_log(log) if r["kind"] == "adjustment")
    assert (record["decision"], record["settled"]["tokens"]) == ("r1.1", 100)
    from checkrein.explain import find

    assert "100 tokens" in str(find(read_log(log), "r1.1"))
    assert "adjusted to exact" in str(find(read_log(log), "r1.1"))


WRAPPING = """
limit "words" on run { tokens <= 1k tokens wrap up 1 call 300 tokens } else stop "over_limit"
"""


def test_the_last_call_says_that_it_is_the_last(make_guard, tmp_path):
    guard = make_guard(WRAPPING, log=tmp_path / "log")
    told = []

    def call(*, model, max_tokens):
        told.append(checkrein.current_run().take_advice())
        return {"usage": {"prompt_tokens": 200, "completion_tokens": 100}}

    with guard.run(id="r1") as run:
        for _ in range(5):
            run.model(call, model="large", input_tokens=200, max_tokens=100)
    assert run.outcome.state == "over_limit"
    assert told == [[], [], ["This is the last call that the limit leaves: close now."]]
    decisions = [r for r in read_log(tmp_path / "log") if r["kind"] == "decision"]
    assert [bool(r.get("wrap_up")) for r in decisions] == [False, False, True, False]


def test_a_wait_for_the_store_is_waited_for_like_any_other(real, tmp_path):
    guard = real(log=tmp_path / "log")
    with guard.run(user="u1") as run:
        assert search(run) == "x"
    waits = [r for r in read_log(tmp_path / "log") if r.get("outcome") == "wait"]
    assert waits
    assert {(r["by"], r["by_kind"]) for r in waits} == {("lease", "built-in")}


GRANTS = """
limit "budget" on user { tool_calls <= 2 } else escalate to "billing"
queue "billing" { expires 4 h default stop "over_limit" grants 2 at most 1 times }
"""


def test_a_person_may_raise_a_limit_as_often_as_the_queue_says(make_guard):
    asked = []
    guard = make_guard(GRANTS, approver=lambda approval: asked.append(approval.rule) or True)
    ran = []
    for user in ("u1", "u2"):
        with guard.run(user=user) as run:
            for number in range(6):
                run.tool("search", lambda query: ran.append(query), query=f"{user}{number}")
        assert run.outcome.state == "over_limit"
    assert (asked, len(ran)) == (["budget"] * 2, 8)


def test_a_guard_made_by_hand_adds_up_over_its_runs(make_guard):
    guard = checkrein.Guard(make_guard(WIDE).program)
    with guard.run(user="u1") as run:
        search(run)
    assert standing(guard.run(user="u1"))["tool_calls"] == (1, 0)


# -- words ------------------------------------------------------------------------------------------------


def test_a_denial_says_what_is_spent_and_what_is_only_held(make_guard):
    guard = make_guard(WIDE)
    with guard.run(user="u1") as run:
        decision = run.decide(model="large", input_tokens=4_000, max_tokens=1_000)
        run.settle(decision, Usage("exact", 4_000, 1_000))
        run.decide(model="large", input_tokens=3_000, max_tokens=1_000)
        decision = run.decide(tool="search", args={"query": "x"})
        run.settle(decision)
        for number in range(4):
            search(run, str(number))
        with pytest.raises(checkrein.Stopped) as caught:
            search(run, "last")
    assert "(tool_calls: 5 of 5 is spent, by user:u1)" in str(caught.value)


def test_the_log_says_whose_limit_it_is(make_guard, tmp_path):
    guard = make_guard(WIDE, TENANT, log=tmp_path / "log")
    with guard.run(user="u1", team="t1", id="r1", facts={"tenant.id": "acme"}) as run:
        search(run)
        with run.child(id="c1") as child:
            search(child, "y")
    records = list(read_log(tmp_path / "log"))
    first = next(r for r in records if r.get("id") == "r1.1")
    assert (first["user"], first["team"], first["scopes"]) == ("u1", "t1", {"tenant.id": "acme"})
    assert first["limits_after"]["per user.tool_calls"] == [5, 1, 0, 0, "user:u1"]
    assert first["limits_after"]["per run.tool_calls"] == [30, 1, 0]
    assert next(r for r in records if r.get("id") == "c1.1")["parent"] == "r1"


def test_the_books_are_asked_of_no_clock_but_the_guards(make_guard, clock):
    guard = make_guard('limit "each hour" on user each hour { tool_calls <= 1 } else deny')
    with guard.run(user="u1") as run:
        search(run)
        with pytest.raises(checkrein.Denied):
            search(run, "y")
        clock.advance(3_600 * 10**9)
        assert search(run, "z") == "z"


def test_closing_waits_for_the_store_no_longer_than_it_has_to(real):
    guard = real()
    with guard.run(user="u1") as run:
        search(run)
    begun = time.monotonic()
    guard.close()
    assert time.monotonic() - begun < 4


def row(**parts):
    whole = {
        "name": "per user",
        "dimension": "cost",
        "limit": 500_000_000,
        "spent": 0,
        "held": 0,
        "leased": 0,
        "silent": 0,
        "refused": None,
    }
    whole |= {"scope": "run", **parts}
    return whole | {"free": whole["limit"] - whole["spent"] - whole["held"] - whole["leased"]}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row(spent=480_000_000, held=30_000_000)], "cost: $0.48 of $0.50 is spent, $0.03 more held"),
        ([row(spent=520_000_000)], "cost: $0.52 of $0.50 is spent, a debt of $0.02"),
        (
            [row(spent=100_000_000, leased=400_000_000, scope="user:u1")],
            "cost: $0.10 of $0.50 is spent, $0.40 lent to other processes, by user:u1",
        ),
        (
            [row(leased=400_000_000, silent=300_000_000, scope="user:u1")],
            "cost: $0.00 of $0.50 is spent, $0.40 lent to other processes, "
            "$0.30 of it to some not heard of any more "
            '(`checkrein ledger adjust "user:u1 per user cost" --write-off` gives it back), by user:u1',
        ),
        (
            [row(spent=1), row(refused="a row is damaged", dimension="tokens", scope="user:u1")],
            "tokens by user:u1: a row is damaged; nothing can be taken until it is restored from a backup",
        ),
        (
            [row(spent=1), row(dimension="tokens", limit=10, spent=9)],
            "tokens: 9 of 10 is spent",
        ),
        ([row(dimension="active_time", limit=10**9, spent=999_999_999)], "active_time: 1 s of 1 s is spent"),
        ([row()], ""),
        ([row(name="another", spent=1)], ""),
    ],
)
def test_where_a_limit_stands_is_one_sentence(rows, said):
    decision = SimpleNamespace(by="per user", kind="limit")
    assert standing_of(decision, rows, "$") == said


def test_a_store_that_is_away_is_named_with_what_is_wrong():
    decision = SimpleNamespace(by="per user", kind="limit")
    shared = [row(spent=100_000_000, scope="user:u1")]
    said = standing_of(decision, shared, "$", "the disk is full")
    assert said.endswith(", by user:u1; its store does not answer: the disk is full")
    assert standing_of(decision, [row(scope="user:u1")], "$", "x") == "its store does not answer: x"
    assert "store" not in standing_of(decision, [row(spent=1)], "$", "the disk is full")


@pytest.mark.parametrize(
    ("by", "words"),
    [("lease", "until the store has answered"), ("holds", "calls under way"), ("else", "has to wait by")],
)
def test_a_wait_says_what_for(by, words):
    fields = dict.fromkeys(("state", "queue", "line", "reason", "undecided"))
    decision = SimpleNamespace(outcome="wait", by=by, kind="built-in", **fields)
    assert words in for_developer(decision, "tool `x`")


def test_a_limit_of_nobody_says_what_is_missing():
    fields = dict.fromkeys(("state", "queue", "line", "reason"))
    decision = SimpleNamespace(outcome="deny", by="per user", kind="limit", undecided=True, **fields)
    assert "the run does not say whose it is" in for_developer(decision, "tool `x`")


def test_closing_ends_what_it_can(real):
    guard = real()
    begun = [guard.run(user="u1"), guard.run(user="u1")]
    begun[0]._wall = None  # its end fails
    with pytest.raises(TypeError):
        guard.close()
    assert begun[1].ended
    assert guard.ledger.health()["closed"]
    begun[0]._wall = guard.clock.wall
