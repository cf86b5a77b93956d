"""The same rules by hand in Python, with the same state: `by_hand.py`, regions in a dict."""

from __future__ import annotations

from typing import Any

from tests.bench.by_hand import ByHand, by_pairs
from tests.bench.field.policy import Shapes
from tests.bench.field.rules import Answer, Call, name, threshold

PACKAGE = ""


class Peer:
    """One run for all calls."""

    def build(self, many: int) -> None:
        """Begin a run; look something up first, as the policy demands."""
        regions = {name(n): (name(n), threshold(n)) for n in range(many)}
        self._hand = ByHand(fingerprint=by_pairs, regions=regions)
        self._shapes = Shapes()
        self._hand.tool_call(1, "search_kb", {"query": "x"}, {})
        self._hand.settle_tool("search_kb")

    def shape(self, call: Call) -> Any:
        """The arguments and the facts of a call that nobody has made yet."""
        return self._shapes.of(call)

    def ask(self, call: Any) -> Any:
        """One decision."""
        arguments, facts = call
        return self._hand.tool_call(1, "refund", arguments, facts)

    def after(self, decision: Any) -> None:
        """An attempt ends, a step passes: outside of what is timed."""
        if decision["outcome"] == "allow":
            self._hand.settle_tool("refund")
        self._hand.settle_model(self._hand.model_call(1, "large", 900, 300, {}), 800, 120)

    def read(self, decision: Any) -> Answer:
        """The outcome and the rule that decided."""
        return decision["outcome"], decision["by"]
