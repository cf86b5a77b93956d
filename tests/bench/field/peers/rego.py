"""regopy: the names of the rules that hold, as two sets; compiled once to a bundle."""

from __future__ import annotations

import json
from typing import Any

import regopy

from tests.bench.field.rules import DAY, Answer, Call, name, threshold

PACKAGE = "regopy"
DENY = {"flagged": "input.flagged", "risky": "input.risk >= 90", "old": f"input.age > {30 * DAY}"}


def module(many: int) -> str:
    """The policy's text."""
    regions = {name(n): f'input.region == "{name(n)}"; input.amount > {threshold(n)}' for n in range(many)}
    rules = "\n".join(f'deny contains "{rule}" if {{ {body} }}' for rule, body in (DENY | regions).items())
    big = 'escalate contains "big" if { input.amount > 10000; input.tier != "enterprise" }'
    return f"package bench\n{rules}\n{big}\n"


class Peer:
    """One interpreter."""

    def build(self, many: int) -> None:
        """Compile the policy with its question."""
        self._rego = regopy.Interpreter()
        self._rego.add_module("bench", module(many))
        self._bundle = self._rego.build("x = [data.bench.deny, data.bench.escalate]", [])

    def shape(self, call: Call) -> Any:
        """The facts as they are."""
        return call

    def ask(self, call: Any) -> Any:
        """One decision."""
        self._rego.set_input(call)
        return self._rego.query_bundle(self._bundle)

    def read(self, result: Any) -> Answer:
        """A rule that denies goes first."""
        deny, escalate = json.loads(str(result.binding("x")))
        return ("deny", deny[0]) if deny else ("escalate", escalate[0]) if escalate else ("allow", None)
