"""The ledger's classes: accounts that runs share, children, adjusting, dropping, and what operators do."""

from __future__ import annotations

import gc
import stat
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.native.artifact import Artifact

from checkrein import _core
from checkrein.errors import EngineError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

MOST = 1_000_000


def artifact(**scopes: str) -> _core.Program:
    """Make a program with one limit per run and one for each of the given scopes."""
    made = Artifact(models=["large"], states=["over"], tools={"search": []})
    made.limits = {"per run": ({"tokens": MOST}, "over")}
    for name, scope in scopes.items():
        made.limits[name] = ({"cost": 10**9, "tokens": 1_000, "tool_calls": 5}, "over")
        made.scopes[name] = scope
    for scope in scopes.values():
        if "." in scope:
            made.host(scope, "text", optional=False)
    return _core.Program.load(bytes(made))


@pytest.fixture(scope="module")
def program() -> _core.Program:
    return artifact(user="user")


def begin(program: _core.Program, **parts: Any) -> _core.Run:
    return _core.Run(program, seed=0, now=parts.pop("now", 0), **parts)


def standing(run: _core.Run, name: str = "user") -> dict[str, tuple[int, int]]:
    """Spent and held, by dimension."""
    return {row["dimension"]: (row["spent"], row["held"]) for row in run.limits() if row["name"] == name}


def use(run: _core.Run, tokens: int = 100) -> _core.Decision:
    decision = run.model_call(0, 0, None, "large", tokens - 20, 20)
    assert decision.outcome == "allow", decision
    assert decision.attempt is not None
    run.settle(0, 0, decision.attempt, "exact", tokens - 20, 20)
    return decision


def test_a_program_tells_what_a_run_has_to_say() -> None:
    assert (artifact().scopes, artifact().wide, artifact().shared) == ([], False, False)
    wide = artifact(a="user", b="org", c="tenant.id")
    assert (sorted(wide.scopes), wide.wide) == (["org", "tenant.id", "user"], True)
    shared = Artifact(shared=True)
    assert _core.Program.load(bytes(shared)).shared


def test_runs_of_one_user_share_an_account_and_others_do_not(program: _core.Program) -> None:
    ledger = _core.Ledger.memory()
    first = begin(program, ledger=ledger, user="u1")
    second = begin(program, ledger=ledger, user="u1")
    other = begin(program, ledger=ledger, user="u2")
    use(first, 600)
    assert standing(second)["tokens"] == (600, 0)
    assert standing(second, "per run")["tokens"] == (0, 0)
    assert standing(other)["tokens"] == (0, 0)
    assert second.model_call(0, 0, None, "large", 500, 20).outcome == "stop"
    assert other.model_call(0, 0, None, "large", 500, 20).outcome == "allow"


def test_a_row_adds_up_and_says_whose_it_is(program: _core.Program) -> None:
    run = begin(program, ledger=_core.Ledger.memory(), user="u1")
    use(run)
    run.model_call(0, 0, None, "large", 50, 20)
    for row in run.limits():
        assert row["spent"] + row["held"] + row["free"] + row["leased"] == row["limit"]
        assert (row["window"], row["soft"], row["age"]) == (None, False, 0)
    assert {row["scope"] for row in run.limits()} == {"run", "user:u1"}
    assert standing(run)["tokens"] == (100, 70)


def test_a_run_without_a_ledger_has_books_of_its_own(program: _core.Program) -> None:
    first, second = begin(program, user="u1"), begin(program, user="u1")
    use(first, 900)
    assert standing(second)["tokens"] == (0, 0)


@pytest.mark.parametrize("id", ["", "x" * 513, "a\nb", "\ud800"])
def test_an_id_that_can_name_no_account_is_refused(program: _core.Program, id: str) -> None:
    with pytest.raises(EngineError, match="the id of `user` names no account") as raised:
        begin(program, user=id)
    assert raised.value.kind == "bad_value"


def test_a_key_fact_names_an_account() -> None:
    program = artifact(tenant="tenant.id")
    ledger = _core.Ledger.memory()
    first = begin(program, ledger=ledger, keys={"tenant.id": "acme"})
    use_facts = {"tenant.id": "acme"}
    assert first.model_call(0, 0, None, "large", 10, 20, use_facts).outcome == "allow"
    second = begin(program, ledger=ledger, keys={"tenant.id": "acme"})
    assert standing(second, "tenant")["tokens"] == (0, 30)
    assert {row["scope"] for row in second.limits()} == {"run", "tenant.id:acme"}


def test_a_child_spends_what_its_parents_have(program: _core.Program) -> None:
    run = begin(program, ledger=_core.Ledger.memory(), user="u1")
    child = begin(program, parent=run)
    grandchild = begin(program, parent=child)
    use(grandchild, 100)
    for each in (run, child, grandchild):
        assert standing(each, "per run")["tokens"] == (100, 0)
        assert standing(each)["tokens"] == (100, 0), "once, not for each of them"
    use(run, 50)
    assert standing(child, "per run")["tokens"] == (100, 0)


def test_a_child_outlives_its_parent(program: _core.Program) -> None:
    run = begin(program, ledger=_core.Ledger.memory(), user="u1")
    child = begin(program, parent=run)
    del run
    gc.collect()
    use(child, 100)
    assert standing(child)["tokens"] == (100, 0)


def test_a_child_has_the_program_of_its_parent(program: _core.Program) -> None:
    with pytest.raises(EngineError, match="the same program"):
        begin(artifact(user="user"), parent=begin(program, user="u1"))


def test_a_run_that_is_dropped_spends_what_it_holds_and_leaves_nothing_held(program: _core.Program) -> None:
    ledger = _core.Ledger.memory()
    watching = begin(program, ledger=ledger, user="u1")
    run = begin(program, ledger=ledger, user="u1")
    assert run.model_call(0, 0, None, "large", 80, 20).outcome == "allow"
    assert standing(watching)["tokens"] == (0, 100)
    del run
    gc.collect()
    assert standing(watching)["tokens"] == (100, 0)


def test_runs_are_dropped_by_many_threads_while_others_decide(program: _core.Program) -> None:
    ledger = _core.Ledger.memory()
    watching = begin(artifact(everyone="org"), ledger=ledger, org="o")
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for number in range(200):
                run = begin(program, ledger=ledger, user=f"{name}{number % 3}")
                child = begin(program, parent=run)
                child.tool_call(0, 0, None, "search", {})
                run.limits()
                del run, child
                watching.limits()
        except BaseException as error:  # noqa: BLE001  (raised again below)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert not any(thread.is_alive() for thread in threads)


def test_what_was_settled_as_unknown_is_adjusted_once(program: _core.Program) -> None:
    run = begin(program, ledger=_core.Ledger.memory(), user="u1")
    attempt = run.model_call(0, 0, None, "large", 80, 20).attempt
    assert attempt is not None
    with pytest.raises(EngineError) as raised:
        run.adjust(0, 0, attempt, 10, 5)
    assert raised.value.kind == "not_settled"
    assert run.settle(0, 0, attempt, "unknown").tokens == 100
    run.end(1, 0)
    adjusted = run.adjust(2, 0, attempt, 40, 5, cache_read=30)
    assert (adjusted.tokens, adjusted.cache_read_tokens) == (45, 30)
    # $1, $2 and, from the cache, $0.10 a million.
    assert adjusted.cost == 10 * 1000 + 30 * 100 + 5 * 2000
    assert standing(run)["tokens"] == (45, 0)
    assert standing(run)["cost"] == (adjusted.cost, 0)
    assert run.adjust(3, 0, attempt, 40, 5, cache_read=30).cost == adjusted.cost
    with pytest.raises(EngineError) as raised:
        run.adjust(4, 0, attempt, 41, 5)
    assert raised.value.kind == "already_settled"


def test_parts_that_are_more_than_the_whole_are_refused(program: _core.Program) -> None:
    run = begin(program, user="u1")
    attempt = run.model_call(0, 0, None, "large", 80, 20).attempt
    assert attempt is not None
    for parts in ({"cache_read": 11}, {"cache_read": 6, "cache_write": 6}, {"reasoning": 6}):
        with pytest.raises(EngineError) as raised:
            run.settle(0, 0, attempt, "exact", 10, 5, **parts)
        assert raised.value.kind == "bad_value"


@pytest.mark.parametrize("wall", [-1, 0, 2**64 - 1, 2**64, 10**30])
def test_a_wall_clock_that_is_wrong_stops_nothing(program: _core.Program, wall: int) -> None:
    run = begin(program, user="u1", wall=wall)
    assert run.tool_call(0, wall, None, "search", {}).outcome == "allow"


# -- with a store -------------------------------------------------------------------------------------


def opened(url: object, **options: bool) -> _core.Ledger:
    return _core.Ledger.open(str(url), now=time.monotonic_ns(), wall=time.time_ns(), **options)


def asked(run: _core.Run, **parts: Any) -> _core.Decision:
    """Ask for a tool call until the store has answered."""
    call = None
    waiting = threading.Event()
    while True:
        decision = run.tool_call(time.monotonic_ns(), time.time_ns(), call, "search", {}, **parts)
        if decision.outcome != "wait":
            return decision
        assert decision.by == "lease"
        waiting.wait((decision.wait_ns or 0) / 1e9)
        call = decision.call


def run_of(program: _core.Program, ledger: _core.Ledger, id: str = "r1") -> _core.Run:
    now, wall = time.monotonic_ns(), time.time_ns()
    return _core.Run(program, seed=0, now=now, wall=wall, ledger=ledger, user="u1", id=id)


def test_a_store_remembers_and_tells_operators(program: _core.Program, tmp_path: Path) -> None:
    place = tmp_path / "folder" / "ledger.db"
    ledger = opened(place)
    assert (ledger.kind, ledger.is_shared) == ("sqlite", False)
    run = run_of(program, ledger)
    for _ in range(3):
        decision = asked(run)
        assert decision.attempt is not None
        run.settle(time.monotonic_ns(), time.time_ns(), decision.attempt, "exact")
    run.end(time.monotonic_ns(), time.time_ns())
    del run
    assert ledger.close()
    assert ledger.health()["closed"]
    assert stat.S_IMODE(place.stat().st_mode) == 0o600

    operator = _core.Operator.open(str(place))
    calls = next(a for a in operator.accounts() if a["measure"] == "tool_calls")
    assert (calls["scope"], calls["id"], calls["limit"]) == ("user", "u1", "user")
    assert [(w["spent"], w["leased"], w["most"]) for w in calls["windows"]] == [(3, 0, 5)]
    assert [node["closed"] for node in operator.nodes()] == [True]
    seen: list[dict[str, Any]] = []
    operator.records(seen.extend)
    assert [(r["run"], r["attempt"], r["tool"], r["usage"]) for r in seen] == [
        ("r1", number, "search", "exact") for number in (1, 2, 3)
    ]
    again = opened(place)
    run = run_of(program, again)
    outcomes = [asked(run).outcome for _ in range(3)]
    assert outcomes == ["allow", "allow", "stop"]
    assert again.close()


def test_operators_correct_and_pin_an_account_once_for_each_act(
    program: _core.Program, tmp_path: Path
) -> None:
    place = tmp_path / "ledger.db"
    ledger = opened(place)
    run = run_of(program, ledger)
    asked(run)
    run.end(time.monotonic_ns(), time.time_ns())
    assert ledger.close()
    operator = _core.Operator.open(str(place))
    account = next(a["account"] for a in operator.accounts() if a["measure"] == "tool_calls")
    assert operator.adjust(account, 2, "act-1", "ops", "billed elsewhere")
    assert not operator.adjust(account, 2, "act-1", "ops", "billed elsewhere")
    with pytest.raises(StoreError) as raised:
        operator.adjust(account, 3, "act-1", "ops", "another")
    assert raised.value.kind == "taken"
    assert operator.pin(account, 4, "act-2", "ops", "careful")
    found = next(a for a in operator.accounts() if a["account"] == account)
    assert (found["pinned"], found["windows"][0]["spent"]) == (4, 3)
    assert {(e["act"], e["amount"], e["who"]) for e in operator.audit()} == {
        ("adjust", 2, "ops"),
        ("pin", 4, "ops"),
    }
    with pytest.raises(StoreError) as raised:
        operator.adjust("nobody", 1, "act-3", "ops", "a reason")
    assert raised.value.kind == "malformed"
    with pytest.raises(StoreError, match="why") as raised:
        operator.adjust(account, 1, "act-3", "ops", " ")
    assert raised.value.kind == "malformed"
    with pytest.raises(StoreError) as raised:
        operator.adjust("user:nobody\nuser\ntool_calls\n", 1, "act-3", "ops", "a reason")
    assert raised.value.kind == "no_account"
    again = opened(place)
    run = run_of(program, again)
    assert [asked(run).outcome for _ in range(2)] == ["allow", "stop"], "three are spent of four"
    assert again.close()


def test_a_visitor_that_raises_ends_the_visit(program: _core.Program, tmp_path: Path) -> None:
    ledger = opened(tmp_path / "ledger.db")
    run = run_of(program, ledger)
    asked(run)
    run.end(time.monotonic_ns(), time.time_ns())
    assert ledger.close()

    def refuse(_batch: list[dict[str, Any]]) -> None:
        raise LookupError("enough")

    operator = _core.Operator.open(str(tmp_path / "ledger.db"))
    with pytest.raises(LookupError, match="enough"):
        operator.records(refuse)
    assert operator.accounts()


def test_a_run_that_ends_or_is_dropped_leaves_a_record_of_what_was_open(
    program: _core.Program, tmp_path: Path
) -> None:
    ledger = opened(tmp_path / "ledger.db", durable=True)
    ended, dropped = run_of(program, ledger, "ended"), run_of(program, ledger, "dropped")
    asked(ended)
    asked(dropped)
    ended.end(time.monotonic_ns(), time.time_ns())
    del dropped
    gc.collect()
    assert ledger.flush()
    assert ledger.close()
    seen: list[dict[str, Any]] = []
    _core.Operator.open(str(tmp_path / "ledger.db")).records(seen.extend)
    assert sorted(record["run"] for record in seen) == ["dropped", "ended"]


@pytest.mark.parametrize(
    ("url", "kind"),
    [("ftp://x", "bad_url"), ("rediss://host", "unsupported"), ("redis://127.0.0.1:1", "away")],
)
def test_a_store_that_cannot_be_opened_says_why(url: str, kind: str) -> None:
    with pytest.raises(StoreError) as raised:
        opened(url)
    assert raised.value.kind == kind
    with pytest.raises(StoreError):
        _core.Operator.open(url)


def test_a_file_that_is_no_ledger_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "notes.txt"
    place.write_text("mine\n" * 1000)
    with pytest.raises(StoreError) as raised:
        opened(place)
    assert raised.value.kind == "not_a_ledger"
    assert place.read_text() == "mine\n" * 1000


def test_a_timeout_is_a_number_of_seconds() -> None:
    for timeout in (-1.0, float("nan")):
        with pytest.raises(EngineError) as raised:
            _core.Ledger.memory().flush(timeout)
        assert raised.value.kind == "bad_value"
