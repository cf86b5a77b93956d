"""The stateless rules by hand in Python, and nothing else: no lock, no limits, no loop check, no reason."""

from __future__ import annotations

from typing import Any

from tests.bench.field.rules import DAY, Answer, Call, name, threshold

PACKAGE = ""


class Peer:
    """A function with a dict."""

    def build(self, many: int) -> None:
        """The rules of regions."""
        self._regions = {name(n): threshold(n) for n in range(many)}

    def shape(self, call: Call) -> Any:
        """The facts as they are."""
        return call

    def ask(self, call: Any) -> Any:
        """One decision."""
        if call["flagged"]:
            return "deny", "flagged"
        if call["risk"] >= 90:
            return "deny", "risky"
        if call["age"] > 30 * DAY:
            return "deny", "old"
        least = self._regions.get(call["region"])
        if least is not None and call["amount"] > least:
            return "deny", call["region"]
        if call["amount"] > 10_000 and call["tier"] != "enterprise":
            return "escalate", "big"
        return "allow", None

    def read(self, result: Any) -> Answer:
        """The outcome and the rule that decided."""
        return result  # type: ignore[no-any-return]
