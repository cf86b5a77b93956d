"""Calls decided at once: decisions a second and core, beside the same rules as numpy expressions.

    ROUNDS=9 python -m tests.bench.bench_batch

Needs a release build. Seconds are those of the processor, on one thread, the least of all rounds; the answers
are compared with the expressions before anything is timed.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import checkrein

Row = dict[str, Any]
ROUNDS = int(os.environ.get("ROUNDS", "9"))
ROWS = 4_000_000
HAND = "four of the rules as numpy expressions"
POLICY = """language 1
policy "batch"
tool "refund" { class act args { "amount" money in cents "items" count } }
model "small" is "edge/small" { place edge window 32k tokens output 2k tokens price free }
model "large" is "cloud/large" { place cloud window 400k tokens output 8k tokens
  price input $1.25 output $10 per 1M tokens }
fact risk.score percent default 0%
fact ticket.reopened count default 0
fact customer.tier one of "free", "plus", "enterprise" default "free"
queue "leads" { expires 30 min default deny }
rule "big" on tool "refund" when call.args.amount > $100 and ticket.reopened > 2
  then escalate to "leads" because "Big."
rule "risky" on tool class act when risk.score >= 90% then deny because "Risky."
rule "many" on tool "refund" when call.args.items > 50 then deny because "Many."
rule "often" on tool "refund" when ticket.reopened > 9 then deny because "Often."
rule "vip" on tool "refund" when customer.tier == "enterprise" and call.args.items > 48
  then deny because "No."
require "edge" place edge when ticket.reopened > 8
route "tiers" { to "small" when customer.tier == "free" to "large" fallback "large" -> "small" }
"""


def rows(rounds: int = ROUNDS) -> list[Row]:
    """Compare the answers, then time all contenders in turn."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "batch.rein").write_text(POLICY)
        guard = checkrein.load(Path(folder) / "batch.rein", log=None)
    chance = np.random.default_rng(1)
    amount, items = chance.integers(0, 12_000, ROWS), chance.integers(0, 51, ROWS)
    reopened, score = chance.integers(0, 10, ROWS), chance.integers(0, 92, ROWS) / 100
    tier = np.array(["free", "plus"])[chance.integers(0, 2, ROWS)]
    args = {"amount": amount, "items": items}

    def expressions() -> Any:
        denied = (score >= 0.9) | (items > 50) | (reopened > 9)
        return np.where(denied, 5, np.where((amount > 10_000) & (reopened > 2), 4, 0))

    def refunds(**facts: Any) -> Callable[[], Any]:
        sent = {"ticket.reopened": reopened, **facts}
        return lambda: guard.decide_many(tool="refund", args=args, facts=sent, threads=1)

    def models(**facts: Any) -> Callable[[], Any]:
        sent = {"ticket.reopened": reopened, **facts}
        return lambda: guard.decide_many(input_tokens=500, facts=sent, threads=1)

    if not np.array_equal(refunds(**{"risk.score": score})().outcome, expressions()):
        raise SystemExit("the batch and the expressions differ: nothing is timed")
    contenders: list[tuple[str, Callable[[], Any]]] = [
        ("five rules: three columns of int64", refunds(**{"risk.score": 0.5})),
        ("and one of float64", refunds(**{"risk.score": score})),
        ("and one of texts", refunds(**{"risk.score": score, "customer.tier": tier})),
        ("a requirement and a route: one column of int64", models(**{"customer.tier": "plus"})),
        ("the same, of texts", models(**{"customer.tier": tier})),
        (HAND, expressions),
    ]
    seconds: dict[str, list[float]] = {name: [] for name, _ in contenders}
    for _ in range(rounds):
        for name, call in contenders:
            begun = time.process_time()
            call()
            seconds[name].append(time.process_time() - begun)
    return [
        {"batch": name, "ours": name != HAND, "texts": "texts" in name, "millions": ROWS / min(took) / 1e6}
        for name, took in seconds.items()
    ]


def main() -> None:
    """Print the table."""
    for row in rows():
        print(f"{row['batch']:50} {row['millions']:6.0f} million a second and core")


if __name__ == "__main__":
    main()
