"""The policy of the benchmark with as many more rules as a measurement asks for, and its calls as facts."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from tests.bench.field.rules import Call, name, threshold

POLICY = Path(__file__).resolve().parents[1] / "policy.rein"
SCOPES = {"session": "session 1", "user": "user 1", "org": "org 1"}


EACH_FILE = 2_000
"""Rules in one file: a policy is several, since a file has at most 256 KiB."""


def write(folder: Path, many: int) -> Path:
    """A policy of limits on four levels, order, loop, route and rules, and so many more rules of regions."""
    text = POLICY.read_text(encoding="utf-8")
    for first in range(0, many, EACH_FILE):
        part = folder / f"{many}-{first}.rein"
        # As short as can be: all files together have at most 1 MiB.
        rules = (
            f'rule"{name(n)}"on tool"refund"when customer.region=="{name(n)}"'
            f'and call.args.amount>${threshold(n) // 100} then deny because"-"\n'
            for n in range(first, min(many, first + EACH_FILE))
        )
        part.write_text("".join(rules), encoding="utf-8")
        text += f'include "{part.name}"\n'
    path = folder / f"{many}.rein"
    path.write_text(text, encoding="utf-8")
    return path


class Shapes:
    """Arguments and facts as a host has them; no two calls are alike, so that no loop is met."""

    def __init__(self) -> None:
        self._number = count()

    def of(self, call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
        """Two arguments and ten facts."""
        arguments = {"order_id": f"{call['order']}-{next(self._number)}", "amount": call["amount"]}
        facts = {
            "data.class": call["data"], "customer.tier": call["tier"], "customer.region": call["region"],
            "ticket.age": call["age"], "ticket.reopened": call["reopened"],
            "ticket.language": call["language"], "risk.score": call["risk"] / 100,
            "risk.flagged": call["flagged"], "step.kind": call["step"],
            "step.confidence": call["confidence"] / 100,
        }  # fmt: skip
        return arguments, facts
