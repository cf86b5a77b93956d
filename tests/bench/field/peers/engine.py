"""Checkrein's engine alone, called as the guard calls it: everything on but the log."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import checkrein
from checkrein import _core
from tests.bench.field.policy import SCOPES, Shapes, write
from tests.bench.field.rules import Answer, Call

PACKAGE = "checkrein"


class Peer:
    """One run for all calls, with a clock of its own."""

    def build(self, many: int) -> None:
        """Compile and load the policy; look something up first, as it demands."""
        with tempfile.TemporaryDirectory() as folder:
            program = checkrein.load(write(Path(folder), many), log=None, store="memory:").program
        self._run = _core.Run(program, seed=1, now=0, ledger=_core.Ledger.memory(), **SCOPES)
        self._shapes = Shapes()
        looked = self._run.tool_call(1, 0, None, "search_kb", {"query": "x"}, None)
        self._run.settle(1, 0, looked.attempt, "exact")

    def shape(self, call: Call) -> Any:
        """The arguments and the facts of a call that nobody has made yet."""
        return self._shapes.of(call)

    def ask(self, call: Any) -> Any:
        """One decision."""
        arguments, facts = call
        return self._run.tool_call(1, 0, None, "refund", arguments, facts)

    def after(self, decision: Any) -> None:
        """An attempt ends, a person says no, a step passes: outside of what is timed."""
        if decision.outcome == "allow":
            self._run.settle(1, 0, decision.attempt, "exact")
        elif decision.outcome == "escalate":
            self._run.answer(1, 0, decision.request, False)
        step = self._run.model_call(1, 0, None, "large", 900, 300, None)
        self._run.settle(1, 0, step.attempt, "exact", 800, 120)

    def read(self, decision: Any) -> Answer:
        """The outcome and the rule that decided."""
        return decision.outcome, decision.by
