"""Checkrein: `run.tool` under the benchmark's policy, all on, with the log."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path
from typing import Any

import checkrein
from tests.bench.field.policy import POLICY, SCOPES
from tests.bench.field.worker import Wrong
from tests.bench.field.wrappers.calls import nothing

PACKAGE = "checkrein"


class Peer:
    """A run that looks things up."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._number = count()

    def build(self, many: int) -> None:
        """Begin a run."""
        log = Path(self._folder.name) / "log.jsonl"
        self._guard = checkrein.load(POLICY, log=log, store="memory:")
        self.run = self._guard.run(**SCOPES)

    def check(self) -> None:
        """The call is made, and counted."""
        before = self._counted()
        if self.ask(self.shape({})) != "done" or self._counted() != before + 1:
            raise Wrong("a call was not made, or not counted")

    def _counted(self) -> int:
        limits = self.run.limits()
        return next(int(row["spent"]) for row in limits if row["dimension"] == "tool_calls")

    def shape(self, _call: Any) -> Any:
        """The arguments of a call that nobody has made yet."""
        return {"query": f"q{next(self._number)}"}

    def ask(self, call: Any) -> Any:
        """One call that succeeds."""
        return self.run.tool("search_kb", nothing, **call)

    def close(self) -> None:
        """End the guard; its log goes with its folder."""
        self._guard.close()
        self._folder.cleanup()
