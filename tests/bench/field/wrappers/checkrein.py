"""Checkrein: `run.tool` under the benchmark's policy with a retry and a breaker, all on, with the log."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path
from typing import Any

import checkrein
from tests.bench.field.policy import POLICY, SCOPES
from tests.bench.field.wrappers.calls import nothing, opens, tries

PACKAGE = "checkrein"
RETRY = 'retry "r" on tool "search_kb" { attempts <= 3 backoff 1 ms .. 2 ms } else fail "failed"\n'
BREAKER = 'breaker "b" on tool "search_kb" { opens when failures >= 100% of 3 in 60 s probes 1 after 60 s }\n'
FAILED = 'state "failed" tell user "Not now."\n'


class Peer:
    """A run that looks things up."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._guards: list[checkrein.Guard] = []
        self._number = count()

    def _run(self, text: str, **more: Any) -> checkrein.Run:
        path = Path(self._folder.name) / f"{len(self._guards)}.rein"
        path.write_text(POLICY.read_text(encoding="utf-8") + text, encoding="utf-8")
        guard = checkrein.load(path, log=path.with_suffix(".jsonl"), store="memory:", **more)
        self._guards.append(guard)
        return guard.run(**SCOPES)

    def build(self, many: int) -> None:
        """Begin a run."""
        self._timed = self._run(RETRY + BREAKER + FAILED)

    def check(self) -> None:
        """Two failures are tried over; three open the circuit."""
        retrying = self._run(RETRY + FAILED, clock=checkrein.VirtualClock())
        tries(lambda call: retrying.call_tool("search_kb", call, self.shape({})))
        breaking = self._run(BREAKER, clock=checkrein.VirtualClock())
        opens(lambda call: breaking.call_tool("search_kb", call, self.shape({})))

    def shape(self, _call: Any) -> Any:
        """The arguments of a call that nobody has made yet."""
        return {"query": f"q{next(self._number)}"}

    def ask(self, call: Any) -> Any:
        """One call that succeeds."""
        return self._timed.tool("search_kb", nothing, **call)

    def close(self) -> None:
        """End the guards; their logs go with their folder."""
        for guard in self._guards:
            guard.close()
        self._folder.cleanup()
