"""zen-engine: one decision table whose first row that holds is taken."""

from __future__ import annotations

import json
from typing import Any

import zen

from tests.bench.field.rules import DAY, Answer, Call, name, threshold

PACKAGE = "zen-engine"
FIELDS = ("flagged", "risk", "age", "region", "amount", "tier")
FIRST: tuple[dict[str, str], ...] = (
    {"flagged": "true", "by": "flagged", "outcome": "deny"},
    {"risk": ">= 90", "by": "risky", "outcome": "deny"},
    {"age": f"> {30 * DAY}", "by": "old", "outcome": "deny"},
)
LAST: tuple[dict[str, str], ...] = (
    {"amount": "> 10000", "tier": '$ != "enterprise"', "by": "big", "outcome": "escalate"},
    {"by": "", "outcome": "allow"},
)


def table(many: int) -> str:
    """The table as the engine's JSON."""
    regions = [
        {"region": f'"{name(n)}"', "amount": f"> {threshold(n)}", "by": name(n), "outcome": "deny"}
        for n in range(many)
    ]
    rows = [
        {
            "_id": str(number), **{field: row.get(field, "") for field in FIELDS},
            "by": f'"{row["by"]}"', "outcome": f'"{row["outcome"]}"',
        }
        for number, row in enumerate((*FIRST, *regions, *LAST))
    ]  # fmt: skip
    content = {
        "hitPolicy": "first", "rules": rows,
        "inputs": [{"id": field, "name": field, "field": field} for field in FIELDS],
        "outputs": [{"id": field, "name": field, "field": field} for field in ("by", "outcome")],
    }  # fmt: skip
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode"},
        {"id": "table", "name": "table", "type": "decisionTableNode", "content": content},
        {"id": "out", "name": "out", "type": "outputNode"},
    ]
    edges = [
        {"id": "1", "type": "edge", "sourceId": "in", "targetId": "table"},
        {"id": "2", "type": "edge", "sourceId": "table", "targetId": "out"},
    ]
    return json.dumps({"nodes": nodes, "edges": edges})


class Peer:
    """The decision is made once."""

    def build(self, many: int) -> None:
        """Load the table."""
        self._decision = zen.ZenEngine().create_decision(table(many))

    def shape(self, call: Call) -> Any:
        """The facts as they are."""
        return call

    def ask(self, call: Any) -> Any:
        """One decision."""
        return self._decision.evaluate(call)

    def read(self, result: Any) -> Answer:
        """The row that was taken."""
        row = result["result"]
        return row["outcome"], row["by"] or None
