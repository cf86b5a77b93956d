"""cedarpy: one permit, and a forbid for each rule; what forbids is read from the diagnostics."""

from __future__ import annotations

from typing import Any

import cedarpy

from tests.bench.field.rules import DAY, Answer, Call, name, threshold

PACKAGE = "cedarpy"
RULES = {
    "flagged": "context.flagged",
    "risky": "context.risk >= 90",
    "old": f"context.age > {30 * DAY}",
    "big": 'context.amount > 10000 && context.tier != "enterprise"',
}


class Peer:
    """Policies and entities are read once."""

    def build(self, many: int) -> None:
        """Policies are numbered in the order of their text."""
        rules = RULES | {
            name(n): f'context.region == "{name(n)}" && context.amount > {threshold(n)}' for n in range(many)
        }
        text = "permit (principal, action, resource);\n" + "\n".join(
            f"forbid (principal, action, resource) when {{ {condition} }};" for condition in rules.values()
        )
        self._names = {f"policy{number}": rule for number, rule in enumerate(rules, 1)}
        self._policies = cedarpy.PolicySet.from_str(text)
        self._entities = cedarpy.Entities.from_json_str("[]")

    def shape(self, call: Call) -> Any:
        """A request with the facts as its context."""
        return {
            "principal": 'User::"u"', "action": 'Action::"refund"', "resource": 'Order::"o"', "context": call,
        }  # fmt: skip

    def ask(self, call: Any) -> Any:
        """One decision."""
        return cedarpy.is_authorized(call, self._policies, self._entities)

    def read(self, result: Any) -> Answer:
        """Cedar knows no escalation: the host reads it from the policy's id."""
        names = [self._names[reason] for reason in result.diagnostics.reasons if reason in self._names]
        names.sort(key=lambda rule: rule == "big")
        return ("allow", None) if result.allowed else ("escalate" if names[0] == "big" else "deny", names[0])
