"""The same chain in Cython with typed state: `chain.pyx`, which `environments` compiles."""

from __future__ import annotations

from typing import Any

from chain import Chain

from tests.bench.field.policy import Shapes
from tests.bench.field.rules import Answer, Call, name, threshold

PACKAGE = "cython"


class Peer:
    """One run for all calls."""

    def build(self, many: int) -> None:
        """Begin a run; look something up first, as the policy demands."""
        self._chain = Chain({name(n): (name(n), threshold(n)) for n in range(many)})
        self._shapes = Shapes()
        self._chain.tool_call(1, "search_kb", {"query": "x"}, {})
        self._chain.settle_tool("search_kb")

    def shape(self, call: Call) -> Any:
        """The arguments and the facts of a call that nobody has made yet."""
        return self._shapes.of(call)

    def ask(self, call: Any) -> Any:
        """One decision."""
        arguments, facts = call
        return self._chain.tool_call(1, "refund", arguments, facts)

    def after(self, decision: Any) -> None:
        """An attempt ends, a step begins: outside of what is timed."""
        if decision["outcome"] == "allow":
            self._chain.settle_tool("refund")
        self._chain.step()

    def read(self, decision: Any) -> Answer:
        """The outcome and the rule that decided."""
        return decision["outcome"], decision["by"]
