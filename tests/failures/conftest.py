"""Policies made for one failure each, guards over them, and workers in processes of their own.

A call of a thousand tokens costs a cent, so that figures can be checked by eye.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import checkrein
from checkrein import _core
from checkrein.demo.server import LoopbackServer
from checkrein.errors import Refusal
from checkrein.language import compile_source

WORDS = """
language 1 policy "failures"
model "large" is "test/large" { place cloud window 2M tokens output 1M tokens
  price input $10 output $10 per 1M tokens }
model "small" is "test/small" { place edge window 2M tokens output 1M tokens price free }
tool "search" { class retrieve args { "query" text } }
tool "refund" { class act args { "amount" money in cents } }
state "over" tell user "over"
"""
CENT = 10_000_000
DOLLAR = 100 * CENT
SECOND = 1_000_000_000
HOUR = 3600 * SECOND


class Records(list):
    """A sink that keeps what is logged."""

    write = list.append

    def of(self, kind):
        return [record for record in self if record["kind"] == kind]


class ImpatientClock(checkrein.VirtualClock):
    """Nobody who waits on it waits for long: a pause is a minute, the most that a call waits for room."""

    def sleep(self, duration):
        self.advance(max(duration, 60 * SECOND))


@pytest.fixture
def clock():
    """Starts at zero and moves when something sleeps on it."""
    return checkrein.VirtualClock()


@pytest.fixture
def records():
    return Records()


@pytest.fixture
def compiled(tmp_path):
    """Writes the artifact of a policy with these statements: what workers load in no time."""

    def write(*statements, name="policy", words=WORDS):
        path = tmp_path / f"{name}.rein"
        path.write_text("\n".join([words, *statements]))
        artifact = path.with_suffix(".reinc")
        artifact.write_bytes(compile_source(path.read_bytes(), str(path)))
        return artifact

    return write


@pytest.fixture
def load(compiled, clock, records):
    """Loads guards: on virtual time in memory, or in real time over `store`. All are closed at the end."""
    guards = []

    def one(*statements, path=None, words=WORDS, **parts):
        path = path or compiled(*statements, name=f"policy{len(guards)}", words=words)
        parts = {"log": records, **({} if "store" in parts else {"clock": clock}), **parts}
        guards.append(checkrein.load(path, **parts))
        return guards[-1]

    yield one
    for guard in guards:
        guard.close()


@pytest.fixture
def serve():
    """Starts a server for a script; all of them end with the test."""
    servers = []

    def start(**script):
        servers.append(LoopbackServer(script).__enter__())
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def store(tmp_path):
    """Where a ledger is made when it is opened."""
    return str(tmp_path / "ledger.db")


def reply(tokens, output=1):
    """A model that uses so many tokens in all and reports them."""

    def call(model, max_tokens):
        return {"usage": {"prompt_tokens": tokens - output, "completion_tokens": output}}

    return call


def use(run, tokens=1000, model="large", call=None):
    """One call that may use so many tokens, and does."""
    return run.model(call or reply(tokens), model=model, input_tokens=tokens - 1, max_tokens=1)


def use_up(run, tokens=1000, most=10_000):
    """Calls until one is refused: how many were made, and the refusal."""
    for made in range(most):
        try:
            use(run, tokens)
        except Refusal as refused:
            return made, refused
    raise AssertionError(f"{most} calls and no end")


def row(run, name, dimension="cost"):
    """Where one bound stands."""
    return next(r for r in run.limits() if (r["name"], r["dimension"]) == (name, dimension))


def figures(run, name, dimension="cost"):
    """What is spent and held of one bound."""
    found = row(run, name, dimension)
    return found["spent"], found["held"]


def together(*calls):
    """Run the calls in threads that begin at once; what each gave or raised, in order."""
    gate, results = threading.Barrier(len(calls)), [None] * len(calls)

    def body(number, call):
        gate.wait(60)
        try:
            results[number] = call()
        except BaseException as error:  # noqa: BLE001 -- handed to the test
            results[number] = error

    threads = [threading.Thread(target=body, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)  # twice as long as a call may wait for room
        assert not thread.is_alive(), "a thread hangs"
    return results


def wait_until(is_so):
    """Look again until something that goes on beside the test is so; False if it is not in 60 s."""
    for _ in range(6000):
        if is_so():
            return True
        threading.Event().wait(0.01)
    return False


# -- processes of their own ---------------------------------------------------------------------------


class Worker:
    """A process that makes calls when it is told to; see worker.py."""

    def __init__(self, policy, store, **options):
        code = [sys.executable, "-m", "tests.failures.worker", str(policy), store, json.dumps(options)]
        root = Path(__file__).resolve().parents[2]
        self._process = subprocess.Popen(
            code, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.ready = None

    def tell(self, *words):
        """Send an order without waiting for its answer."""
        if self.ready is None:
            self.ready = self._read()
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()

    def answer(self):
        return self._read()

    def ask(self, *words):
        self.tell(*words)
        return self._read()

    def _read(self):
        line = self._process.stdout.readline()
        assert line, "a worker died"
        return json.loads(line)

    def kill(self):
        """The end that no process sees coming."""
        self._process.send_signal(signal.SIGKILL)
        self.close()

    def close(self):
        """The end as it should be: what was leased goes back."""
        if self._process.stdin.closed:
            return
        self._process.stdin.close()
        try:
            self._process.wait(60)
        finally:
            self._process.kill()
            self._process.stdout.close()


@pytest.fixture
def work():
    """Starts workers; all of them end with the test."""
    workers = []

    def start(*arguments, **options):
        workers.append(Worker(*arguments, **options))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


def account(store, name, dimension="cost"):
    """An account as its store has it, with the figures of all its windows summed up."""
    found = [
        entry for entry in _core.Operator.open(store).accounts()
        if (entry["limit"], entry["measure"]) == (name, dimension)
    ]  # fmt: skip
    assert len(found) == 1, found
    windows = found[0]["windows"]
    return {**found[0], **{part: sum(w[part] for w in windows) for part in ("spent", "leased")}}


# -- Redis ----------------------------------------------------------------------------------------------


class Redis:
    """A server of this test on loopback, which writes to the disk before it answers."""

    def __init__(self, folder):
        self.port = free_port()
        here = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder)]
        kept = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        self._process = subprocess.Popen(["redis-server", *here, *kept], stdout=subprocess.DEVNULL)
        assert wait_until(self._answers), "redis-server does not answer"

    def _answers(self):
        try:
            return self.ask("PING") == "PONG"
        except OSError:
            return False

    def url(self, port=None):
        return f"redis://127.0.0.1:{port or self.port}/0?namespace=test"

    def ask(self, *words):
        """One command, and its answer."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as line, line.makefile("rwb") as stream:
            stream.write(b"*%d\r\n" % len(words))
            stream.writelines(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words)
            stream.flush()
            return _answer(stream)

    def close(self):
        self._process.terminate()
        self._process.wait(60)


def _answer(stream):
    kind, rest = (line := stream.readline().rstrip(b"\r\n"))[:1], line[1:]
    if kind == b"*":
        return [_answer(stream) for _ in range(int(rest))]
    if kind == b"$":
        return stream.read(int(rest) + 2)[:-2].decode()
    assert kind in b"+:", line
    return rest.decode() if kind == b"+" else int(rest)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def redis(tmp_path):
    """A Redis with an empty ledger. Without the program the test is skipped, and in CI it fails."""
    if shutil.which("redis-server") is None:
        if os.environ.get("CI"):
            raise AssertionError("redis-server is not installed, and CI runs every test: install it")
        pytest.skip("needs redis-server on the PATH")
    server = Redis(tmp_path)
    try:
        _core.Operator.open(server.url(), create=True).init()
        yield server
    finally:
        server.close()
