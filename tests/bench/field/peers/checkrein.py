"""Checkrein as a host asks it, everything on: `run.decide` with limits, order, loop check and the log."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import checkrein
from checkrein.guard.usage import Usage
from tests.bench.field.policy import SCOPES, Shapes, write
from tests.bench.field.rules import Answer, Call

PACKAGE = "checkrein"
USED = Usage("exact", 800, 120)


class Peer:
    """One guard, and one run for all its calls."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._guard: checkrein.Guard | None = None

    def build(self, many: int) -> None:
        """Compile and load the policy; look something up first, as it demands."""
        if self._guard is not None:
            self._guard.close()
        path = write(Path(self._folder.name), many)
        self._guard = checkrein.load(path, log=path.with_suffix(".jsonl"), store="memory:")
        self._run = self._guard.run(**SCOPES)
        self._shapes = Shapes()
        self._run.settle(self._run.decide(tool="search_kb", args={"query": "x"}))

    def shape(self, call: Call) -> Any:
        """The arguments and the facts of a call that nobody has made yet."""
        return self._shapes.of(call)

    def ask(self, call: Any) -> Any:
        """One decision."""
        arguments, facts = call
        return self._run.decide(tool="refund", args=arguments, facts=facts)

    def after(self, decision: Any) -> None:
        """An attempt ends, a person says no, a step passes: outside of what is timed."""
        if decision.outcome == "allow":
            self._run.settle(decision)
        elif decision.outcome == "escalate":
            self._run.answer(decision.request, False)
        self._run.settle(self._run.decide(model="large", input_tokens=900, max_tokens=300), USED)

    def read(self, decision: Any) -> Answer:
        """The outcome and the rule that decided."""
        return decision.outcome, decision.by

    def close(self) -> None:
        """End the guard; its log goes with its folder."""
        if self._guard is not None:
            self._guard.close()
        self._folder.cleanup()
