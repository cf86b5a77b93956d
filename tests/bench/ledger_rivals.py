"""The contenders of the ledger's benchmark: each admits a call on four levels, or says no.

An attempt is one reserve and one settle over a run, a session, a user and an organisation. A contender that
knows no settle counts the call once, when it is asked. Amounts are nano-units; a call holds a cent and uses
all of it.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import limits
import limits.storage
import limits.strategies
import pyrate_limiter
import redis

import checkrein
from checkrein import _core
from checkrein.guard.usage import Usage

HERE = Path(__file__).resolve().parent
CENT = 10_000_000
WIDE = 9_000_000 * 100
LEVELS = ("run", "session", "user", "org")

RESERVE = """
for i = 1, #KEYS do
  local of = redis.call('HMGET', KEYS[i], 'spent', 'held')
  if (tonumber(of[1]) or 0) + (tonumber(of[2]) or 0) + tonumber(ARGV[1]) > tonumber(ARGV[2]) then return 0 end
end
for i = 1, #KEYS do redis.call('HINCRBY', KEYS[i], 'held', ARGV[1]) end
return 1
"""
SETTLE = """
for i = 1, #KEYS do
  redis.call('HINCRBY', KEYS[i], 'held', -tonumber(ARGV[1]))
  redis.call('HINCRBY', KEYS[i], 'spent', ARGV[2])
end
"""


class Engine:
    """A run of Checkrein: `run.decide` and `run.settle`, waits for a lease included."""

    def __init__(self, folder: Path, store: str | None, durable: bool = False) -> None:
        self._folder = folder
        self._store = store
        self._durable = durable
        self._guard: Any = None
        self._pause = threading.Event()
        self._used = Usage("exact", 1000, 900)
        self.waits = 0

    def begin(self, cents: int, name: str) -> None:
        """Begin a run of accounts `name` with a bound of so many cents."""
        text = (HERE / "ledger.rein").read_text()
        path = self._folder / f"{cents}.rein"
        path.write_text(text.replace("$9000000", f"${cents / 100:.2f}"))
        store = self._store or "memory:"
        if "://" not in store and self._store:
            store = str(self._folder / store)
        if self._guard is not None:
            self._guard.close()
        self._guard = checkrein.load(path, log=None, store=store, durable=self._durable)
        self.again(name)

    def again(self, name: str) -> None:
        """Another run of the same session, user and organisation, with its leases."""
        self._run = self._guard.run(session=name, user=name, org=name)

    def call(self) -> bool:
        """One attempt."""
        run = self._run
        decision = run.decide(model="large", input_tokens=1000, max_tokens=900)
        while decision.outcome == "wait":
            self.waits += 1
            self._pause.wait(decision.wait_ns / 1e9)
            decision = run.decide(model="large", input_tokens=1000, max_tokens=900, call=decision.call)
        if decision.outcome != "allow":
            return False
        run.settle(decision, self._used)
        return True

    def rest(self) -> None:
        """Between two rounds: the records go to the store."""
        if not self._guard.ledger.flush(30):
            raise SystemExit("the records did not reach the store")

    def health(self) -> dict[str, Any]:
        """How the ledger stands."""
        return dict(self._guard.ledger.health())

    def close(self) -> None:
        """Give everything back."""
        self._guard.close()


def on_redis(folder: Path, port: int) -> Engine:
    """Checkrein with its ledger on a Redis server, where it is made first."""
    url = f"redis://127.0.0.1:{port}"
    _core.Operator.open(url).init()
    return Engine(folder, url)


class Plain:
    """What contenders have in common that keep nothing between rounds but their counters."""

    waits = 0

    def again(self, name: str) -> None:
        """Nothing ends with a run."""

    def rest(self) -> None:
        """Nothing is written behind the caller's back."""

    def close(self) -> None:
        """Nothing is kept."""


class Hand(Plain):
    """A dict under a lock: look at all four, hold all four, settle all four."""

    def begin(self, cents: int, name: str) -> None:
        self._lock = threading.Lock()
        self._max = cents * CENT
        self._keys = tuple(f"{level}:{name}" for level in LEVELS)
        self._accounts = {key: [0, 0] for key in self._keys}

    def _reserve(self, keys: tuple[str, ...], amount: int) -> bool:
        with self._lock:
            found = [self._accounts[key] for key in keys]
            for spent, held in found:
                if spent + held + amount > self._max:
                    return False
            for account in found:
                account[1] += amount
            return True

    def _settle(self, keys: tuple[str, ...], held: int, used: int) -> None:
        with self._lock:
            for key in keys:
                account = self._accounts[key]
                account[1] -= held
                account[0] += used

    def call(self) -> bool:
        if not self._reserve(self._keys, CENT):
            return False
        self._settle(self._keys, CENT, CENT)
        return True


class Limits(Plain):
    """`limits`, fixed windows: one hit a level."""

    def __init__(self, url: str = "memory://") -> None:
        self._url = url

    def begin(self, cents: int, name: str) -> None:
        storage = limits.storage.storage_from_string(self._url)
        self._limiter = limits.strategies.FixedWindowRateLimiter(storage)
        self._item = limits.RateLimitItemPerYear(cents)
        self._keys = tuple((level, f"{name}-{cents}") for level in LEVELS)

    def call(self) -> bool:
        hit, item = self._limiter.hit, self._item
        return all(hit(item, *key) for key in self._keys)  # a level that says no keeps the hits before it


class Pyrate(Plain):
    """`pyrate-limiter`, one bucket of constant size a level."""

    def begin(self, cents: int, name: str) -> None:
        rate = pyrate_limiter.Rate(cents, 365 * 86_400_000)
        self.close()
        self._limiters = [
            pyrate_limiter.Limiter(pyrate_limiter.StateBucket([rate], pyrate_limiter.TokenBucket()))
            for _ in LEVELS
        ]

    def call(self) -> bool:
        return all(limiter.try_acquire("call", blocking=False) for limiter in self._limiters)

    def close(self) -> None:
        for limiter in getattr(self, "_limiters", ()):
            limiter.close()


class Script(Plain):
    """A Redis server and two scripts: reserve over four keys, settle over four keys."""

    def __init__(self, port: int) -> None:
        self._client = redis.Redis("127.0.0.1", port)
        self._reserve = self._client.register_script(RESERVE)
        self._settle = self._client.register_script(SETTLE)

    def begin(self, cents: int, name: str) -> None:
        self._max = cents * CENT
        self._keys = [f"{level}:{name}" for level in LEVELS]
        self._client.delete(*self._keys)

    def call(self) -> bool:
        if not self._reserve(self._keys, (CENT, self._max)):
            return False
        self._settle(self._keys, (CENT, CENT))
        return True

    def close(self) -> None:
        self._client.close()


@contextlib.contextmanager
def server(folder: Path, *options: str) -> Any:
    """A Redis server of this benchmark's own on loopback: its port, or None if none is installed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    try:
        process = subprocess.Popen([*command, "--loglevel", "warning", *options], stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        yield None
        return
    try:
        _await(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _await(port: int) -> None:
    client = redis.Redis("127.0.0.1", port)
    for _ in range(500):
        try:
            client.ping()
        except redis.ConnectionError:
            threading.Event().wait(0.02)
        else:
            client.close()
            return
    raise SystemExit(f"the Redis server on port {port} does not answer")
