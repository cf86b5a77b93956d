"""Failures 2 to 9, 12 and 19 of docs/failures.md: budgets that processes share through a store."""

import itertools
import select
import socket
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

import checkrein
from checkrein import _core
from checkrein.errors import CheckreinError, Denied, LoadError

from .conftest import CENT, HOUR, account, figures, row, together, use, use_up, wait_until

PER_USER = 'limit "per user" on user { cost <= $0.20 } else deny'
DOLLAR_A_USER = 'limit "per user" on user { cost <= $1 } else deny'


def pinned(store, most, id):
    """An operator changes the limit of the only account in the store."""
    found = account(store, "per user")["account"]
    assert _core.Operator.open(store).pin(found, most, id, "an operator", "a test")


def test_failure_02_a_limit_that_is_cut_under_load_holds(compiled, load, work, store):
    policy = compiled('limit "per user" on user { cost <= $1000 } else deny')
    guard = load(path=policy, store=store)
    made, well_under_way, exposed = itertools.count(), threading.Event(), []

    def agent():
        with guard.run(user="ann") as run:
            while True:
                try:
                    use(run)
                except Denied:
                    return
                if next(made) == 200:
                    well_under_way.set()

    def operator():
        assert well_under_way.wait(60)
        pinned(store, 50 * CENT, "cut")
        now = account(store, "per user")
        exposed.append(now["spent"] + now["leased"])

    assert together(agent, agent, agent, operator) == [None] * 4
    calls = next(made)
    assert 200 < calls <= exposed[0] // CENT < 100_000
    with guard.run(user="ann") as run:
        assert figures(run, "per user") == (calls * CENT, 0)
    pinned(store, None, "as-before")
    assert work(policy, store, user="ann").ask("use", 1000, 10) == [10, None]


def test_failure_03_first_calls_of_an_unknown_user_share_one_account(compiled, load, work, store):
    policy = compiled(PER_USER)
    guard = load(path=policy, store=store)
    others = [work(policy, store, user="new") for _ in range(2)]

    def agent():
        with guard.run(user="new") as run:
            return use_up(run, most=1000)[0]

    def elsewhere(worker):
        return worker.ask("use", 1000, 1000)[0]

    made = together(*[agent] * 8, *[lambda w=w: elsewhere(w) for w in others])
    assert sum(made) == 20
    for worker in others:
        worker.close()
    guard.close()
    assert account(store, "per user")["spent"] == 20 * CENT


def test_failure_04_two_processes_share_one_limit(compiled, work, store):
    policy = compiled(DOLLAR_A_USER)
    both = [work(policy, store, user="ann") for _ in range(2)]
    first = [worker.ask("use", 1000, 3) for worker in both]
    assert first == [[3, None]] * 2
    for worker in both:
        worker.tell("use", 1000, 1000)
    made, refused = zip(*[worker.answer() for worker in both], strict=True)
    assert sum(made) == 100 - 6
    assert all(text.startswith("Denied") for text in refused)


def test_failure_05_a_policy_that_needs_a_shared_store_refuses_a_local_one(compiled, load, store, tmp_path):
    shared, alone = compiled("store shared", PER_USER, name="shared"), compiled(PER_USER, name="alone")
    for local in (store, f"sqlite:{store}", "memory:", tmp_path / "other.db"):
        with pytest.raises(LoadError, match="store shared"):
            load(path=shared, store=local)
    guard = load(path=alone, store=store)
    assert (guard.ledger.kind, guard.ledger.is_shared) == ("sqlite", False)
    with guard.run(user="ann") as run:
        assert use_up(run)[0] == 20


def test_failure_06_nothing_is_spent_between_two_reports_that_was_not_leased(compiled, load, work, store):
    policy = compiled(DOLLAR_A_USER)
    worker = work(policy, store, user="ann")
    assert worker.ask("use", 1000, 10) == [10, None]
    worker.kill()
    left = account(store, "per user")
    charged = left["spent"] + left["leased"]
    assert 10 * CENT <= charged < 100 * CENT
    guard = load(path=policy, store=store)
    with guard.run(user="ann") as run:
        for _ in range((100 * CENT - charged) // CENT):
            use(run)
        decision = run.decide(model="large", input_tokens=999, max_tokens=1)
        assert decision.outcome != "allow", "what a dead process had leased is nobody's"


def test_failure_07_what_another_process_spent_is_not_there_to_spend(compiled, load, work, store):
    policy = compiled(DOLLAR_A_USER)
    guard = load(path=policy, store=store)
    with guard.run(user="ann") as run:
        use(run)
        assert row(run, "per user")["free"] == 99 * CENT
        worker = work(policy, store, user="ann")
        assert worker.ask("use", 1000, 60) == [60, None]
        worker.close()
        assert use_up(run)[0] == 39
        assert figures(run, "per user") == (100 * CENT, 0)


def test_failure_08_opening_an_account_often_changes_nothing(compiled, load, work, store):
    policy = compiled(PER_USER)
    guard = load(path=policy, store=store)
    with guard.run(user="ann") as run:
        for _ in range(7):
            use(run)
    guard.close()

    def reopen():
        again = load(path=policy, store=store)
        with again.run(user="ann") as run:
            run.decide(model="small", input_tokens=1, max_tokens=1)
        again.close()

    for worker in [work(policy, store, user="ann") for _ in range(2)]:
        assert worker.ask("use", 1000, 0) == [0, None]
        worker.close()
    assert together(*[reopen] * 8) == [None] * 8
    guard = load(path=policy, store=store)
    with guard.run(user="ann") as run:
        assert use_up(run)[0] == 13
    # A store that lost its rows grants nothing, neither to who is there nor to who comes.
    with guard.run(user="bob") as run:
        elsewhere(store, "DELETE FROM rows")
        call = None
        for _ in range(200):
            decision = run.decide(model="large", input_tokens=999, max_tokens=1, call=call)
            assert decision.outcome != "allow"
            if guard.ledger.health()["error"]:
                break
            call = decision.call
            threading.Event().wait(decision.wait_ns / 1e9)
        assert "no ledger" in guard.ledger.health()["error"]
    guard.ledger.close(0)
    with pytest.raises(CheckreinError, match="lost"):
        load(path=policy, store=store)


class Cutter:
    """A way to a server on which every other answer to a write is lost, with the connection."""

    def __init__(self, port):
        self.lost, self._server, self._writes = 0, port, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._server)) as server:
                self._carry(client, server)

    def _carry(self, client, server):
        is_cut = False
        while True:
            for source in select.select([client, server], [], [], 10)[0]:
                data = source.recv(1 << 20)
                if not data:
                    return
                if source is client:
                    self._writes += b"EVAL" in data
                    is_cut = b"EVAL" in data and self._writes % 2 == 1
                    server.sendall(data)
                elif is_cut:
                    self.lost += 1
                    return
                else:
                    client.sendall(data)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(60)


def test_failure_09_a_repeated_request_is_counted_once(load, redis):
    cutter = Cutter(redis.port)
    try:
        guard = load("store shared", PER_USER, store=redis.url(cutter.port))
        for number in range(5):
            with guard.run(user=f"user {number}") as run:
                assert use_up(run)[0] == 20
        guard.close()
    finally:
        cutter.close()
    assert cutter.lost >= 5
    accounts = _core.Operator.open(redis.url()).accounts()
    assert [(w["spent"], w["leased"]) for a in accounts for w in a["windows"]] == [(20 * CENT, 0)] * 5
    records = stored(redis.url())
    assert len(records) == len(set(records)) == 100


def test_failure_12_no_counter_expires(load, redis):
    monthly = 'limit "month" on user each month { cost <= $0.20 } else deny'
    rolling = 'limit "rolling" on user rolling 1 min { model_calls <= 100 } else deny'
    guard = load("store shared", monthly, rolling, store=redis.url())
    with guard.run(user="ann") as run:
        assert use_up(run)[0] == 20
    guard.close()
    keys = redis.ask("KEYS", "*")
    assert len(keys) >= 3
    assert {key: redis.ask("TTL", key) for key in keys} == dict.fromkeys(keys, -1)
    clock = checkrein.VirtualClock()
    guard = load(monthly, clock=clock)
    with guard.run(user="ann") as run:
        assert use_up(run)[0] == 20
        clock.advance(31 * 24 * HOUR - 1)
        assert use_up(run)[0] == 0
        clock.advance(1)
        assert use_up(run)[0] == 20


def elsewhere(store, statement, then="pass"):
    """A process of its own does something to the file of a store; `then` runs before it commits."""
    code = f"import sqlite3; db = sqlite3.connect({store!r}, isolation_level=None)"
    code += f"; db.execute('BEGIN EXCLUSIVE'); db.execute({statement!r}); print('begun', flush=True)"
    code += f"; {then}; db.execute('COMMIT')"
    process = subprocess.Popen(
        [sys.executable, "-c", code], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == "begun\n"
    if then == "pass":
        process.communicate(timeout=60)
    return process


def stored(store):
    """The records that a store has: run and attempt of each."""
    found = []
    _core.Operator.open(store).records(found.extend)
    return [(record["run"], record["attempt"]) for record in found]


def test_failure_19_records_stay_until_the_store_has_them(compiled, load, work, store):
    policy = compiled('limit "per run" on run { cost <= $1 } else deny')
    guard = load(path=policy, store=store)
    with guard.run(id="a") as run:
        use(run)
        assert guard.ledger.flush()
        elsewhere(store, "ALTER TABLE records RENAME TO mislaid")
        for _ in range(9):
            use(run)
        assert wait_until(lambda: guard.ledger.health()["error"]), "the store takes no records"
        assert (guard.ledger.flush(0.02), guard.ledger.health()["records_waiting"]) == (False, 9)
        elsewhere(store, "ALTER TABLE mislaid RENAME TO records")
        assert guard.ledger.flush()
    guard.close()
    # A process that is killed has its records in a journal, and who comes next takes them to the store.
    worker = work(policy, store, id="b", durable=True)
    assert worker.ask("use", 1000, 1) == [1, None]
    lock = elsewhere(store, "SELECT 1", "input()")
    assert worker.ask("use", 1000, 9) == [9, None]
    worker.kill()
    lock.communicate("\n", timeout=60)
    guard = load(path=policy, store=store)
    assert wait_until(lambda: len(stored(store)) == 20)
    guard.close()
    assert sorted(stored(store)) == [(run, attempt) for run in "ab" for attempt in range(1, 11)]
