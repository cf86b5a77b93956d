"""casbin: a policy line for each rule with a condition to evaluate; the first that holds decides."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import casbin

from tests.bench.field.rules import DAY, Answer, Call, name, threshold

PACKAGE = "casbin"
MODEL = """
[request_definition]
r = sub, act
[policy_definition]
p = priority, rule, act, name, eft
[policy_effect]
e = priority(p.eft) || deny
[matchers]
m = r.act == p.act && eval(p.rule)
"""
FIRST = {"flagged": "r.sub.flagged", "risky": "r.sub.risk >= 90", "old": f"r.sub.age > {30 * DAY}"}
LAST = {"big": "r.sub.amount > 10000 && r.sub.tier != 'enterprise'", "": "1 == 1"}


class Peer:
    """An enforcer without a file."""

    def build(self, many: int) -> None:
        """Add all lines."""
        logging.disable()
        model = casbin.Enforcer.new_model(text=MODEL)
        self._enforcer = casbin.Enforcer(model)
        regions = {
            name(n): f"r.sub.region == '{name(n)}' && r.sub.amount > {threshold(n)}" for n in range(many)
        }
        rules = FIRST | regions | LAST
        self._enforcer.add_policies(
            [
                [str(number), condition, "refund", rule, "deny" if rule else "allow"]
                for number, (rule, condition) in enumerate(rules.items())
            ]
        )

    def shape(self, call: Call) -> Any:
        """An object with the facts as its attributes."""
        return SimpleNamespace(**call)

    def ask(self, call: Any) -> Any:
        """One decision, with the line that made it."""
        return self._enforcer.enforce_ex(call, "refund")

    def read(self, result: Any) -> Answer:
        """The name is in the line."""
        allowed, line = result
        return ("allow", None) if allowed else ("escalate" if line[3] == "big" else "deny", line[3])
