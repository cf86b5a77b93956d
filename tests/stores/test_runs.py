"""Processes race for suspended runs, and are killed while they suspend and resume: a run goes on once."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from tests.failures.conftest import Redis
from tests.seed import SEED
from tests.stores.race import race

import checkrein
from checkrein import _core
from checkrein.language import compile_source

ROOT = Path(__file__).resolve().parents[2]
POLICY = """
language 1 policy "suspended"
tool "spend" { class act }
loop off
limit "own" on run { tool_calls <= 8 } else stop "over"
limit "shared" on session { tool_calls <= 500 } else stop "over"
state "over" tell user "over"
"""
OWN, SHARED = 8, 500
KILLS = 10


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.reinc"
    path.write_bytes(compile_source(POLICY.encode(), "policy.rein"))
    return path


@pytest.fixture(params=["sqlite", "redis"])
def store(request, tmp_path):
    """Where a ledger is. Without Redis the test is skipped, and in CI it fails."""
    if request.param == "sqlite":
        yield str(tmp_path / "ledger.db")
        return
    if shutil.which("redis-server") is None:
        assert not os.environ.get("CI"), "redis-server is not installed, and CI runs every test: install it"
        pytest.skip("needs redis-server on the PATH")
    server = Redis(tmp_path)
    try:
        _core.Operator.open(server.url(), create=True).init()
        yield server.url()
    finally:
        server.close()


class Process:
    """A process of suspender.py."""

    def __init__(self, *words):
        code = [sys.executable, "-m", "tests.stores.suspender", *map(str, words)]
        self.process = subprocess.Popen(
            code, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def read(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return line.strip()

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self):
        """The end that no process sees coming; nothing, if it has ended."""
        if not self.process.stdin.closed:
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate(timeout=60)

    def end(self):
        """As it should be; what it has to say about itself."""
        return self.process.communicate(timeout=60)[1], self.process.returncode


@pytest.mark.parametrize("number", [2, 8])
def test_of_processes_that_race_for_a_run_one_goes_on(policy, store, number):
    guard = checkrein.load(policy, log=None, store=store)
    processes = [Process(policy, store, "race") for _ in range(number)]
    try:
        for process in processes:
            assert process.read() == "ready"
        for turn in range(10):
            guard.run(id=f"r{turn}", session="s").suspend()
            for process in processes:
                process.tell(f"r{turn}")
            said = Counter(process.read() for process in processes)
            assert said["resumed"] == 1, (turn, said)
            assert said["already_resumed"] + said["ended"] == number - 1, (turn, said)
        assert [process.end() for process in processes] == [("", 0)] * number
    finally:
        for process in processes:
            process.kill()
        guard.close()


def test_of_two_who_answer_one_stands_and_of_two_who_go_on_one_does(store):
    stood = race(12, store)
    assert sum(stood.values()) == 12


def test_killed_processes_overspend_nothing_and_no_run_goes_on_twice(policy, store, tmp_path):
    dice, truth = random.Random(SEED), tmp_path / "truth"
    words = (policy, store, "spin", truth, SEED)
    processes = [Process(*words) for _ in range(3)]
    try:
        for process in processes:
            assert process.read() == "ready"
        for _ in range(KILLS):
            threading.Event().wait(dice.uniform(0.02, 0.3))
            victim = dice.randrange(len(processes))
            processes[victim].kill()
            processes[victim] = Process(*words)
            assert processes[victim].read() == "ready"
        threading.Event().wait(0.2)
        assert [process.end() for process in processes] == [("", 0)] * len(processes)
    finally:
        for process in processes:
            process.kill()
    lines = [line.split() for line in truth.read_text().splitlines()]
    numbers: dict[str, list[int]] = {}
    homes: dict[str, set[str]] = {}
    for run, number, process in lines:
        numbers.setdefault(run, []).append(int(number))
        homes.setdefault(run, set()).add(process)
    # A run that goes on twice decides something a second time under the same number.
    assert {run: made for run, made in numbers.items() if made != sorted(set(made))} == {}
    assert max(len(made) for made in numbers.values()) == OWN, "the run's own limit was met, and never passed"
    moved = sum(len(home) > 1 for home in homes.values())
    resumed = [run for run in _core.Operator.open(store).runs() if not run["waits"]]
    print(f"{len(lines)} calls, {len(numbers)} runs, {moved} moved, {len(resumed)} died with a process")
    assert moved > 3, "hardly a run went on in another process"
    (account,) = _core.Operator.open(store).accounts()
    (window,) = account["windows"]
    assert len(lines) <= window["spent"] + window["leased"] <= SHARED
