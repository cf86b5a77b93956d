"""Our decision beside other policy engines, each in an environment and a process of its own.

    python -m tests.bench.field.bench_field

Every peer answers all calls as the oracle does before it is timed. Then each round times all of them in
turn, so that a noisy machine disturbs all alike; while one is timed, the others wait for their turn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from typing import Any, Self

from rich.console import Console
from rich.table import Table

from tests.bench.field.environments import ROOT, python_of

Row = dict[str, Any]

PEERS = {
    "checkrein": "Checkrein: `run.decide`, all on, with its log",
    "engine": "Checkrein: its engine, all on",
    "hand": "by hand in Python, with the same state",
    "cython": "by hand in Cython, with the same state",
    "bare": "by hand in Python, no state",
    "cel": "common-expression-language",
    "celpy": "cel-python",
    "cedarpy": "cedarpy",
    "zen": "zen-engine",
    "casbin": "casbin",
    "rego": "regopy",
}
SIZES = (0, 10, 100, 1_000, 9_970)  # a policy of Checkrein has at most 10,000 statements
LONGEST_BUILD_MS = 60_000
"""A policy that would take longer to build and compare is not asked of a peer."""
GROWTH = 12
"""What ten times as many rules are taken to cost at most."""


class Worker:
    """A peer in its own process."""

    def __init__(self, name: str, kind: str = "peers") -> None:
        self.name = name
        self.cost = 0.0
        variables = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'python'}", "CHECKREIN_CACHE": "off"}
        self._process = subprocess.Popen(
            [str(python_of(name)), "-m", "tests.bench.field.worker", kind, name],
            cwd=ROOT, env=variables, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.began = self._heard()

    def ask(self, **command: Any) -> Row:
        """One command, and its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._heard()

    def _heard(self) -> Row:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the peer `{self.name}` has ended; run it alone to see why")
        return dict(json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._process.communicate()


def at(values: list[int], share: float) -> float:
    """Microseconds below which this share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] / 1000


def measure(workers: list[Worker], many: int, rounds: int) -> list[Row]:
    """The rows of all peers with policies of this size."""
    rows: dict[str, Row] = {}
    took: dict[str, list[int]] = {}
    for worker in workers:
        row = {"field": worker.name, "many": many, **worker.began}
        rows[worker.name] = row
        if worker.cost * GROWTH > LONGEST_BUILD_MS:
            row["skipped"] = worker.cost
            continue
        row |= worker.ask(do="build", many=many)
        worker.cost = row.get("all_ms", 0)
        if "wrong" in row:
            sys.stderr.write(f"{worker.name}, {many} rules: {row['wrong']}\n")
            continue
        took[worker.name] = []
    for number in range(rounds + 1):
        for worker in workers:
            if worker.name in took:
                values = worker.ask(do="round")["took"]
                if number:  # the first round warms up
                    took[worker.name] += values
    for name, values in took.items():
        rows[name] |= {"p50": at(values, 0.5), "p99": at(values, 0.99), "count": len(values)}
    return list(rows.values())


def rows(rounds: int, sizes: tuple[int, ...] = SIZES, names: tuple[str, ...] = tuple(PEERS)) -> list[Row]:
    """Measure all peers with policies of all sizes."""
    found: list[Row] = []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(name)) for name in names]
        for many in sizes:
            sys.stderr.write(f"measuring the field with {many:,} more rules\n")
            found += measure(workers, many, rounds)
    return found


def main() -> None:
    """Print the table."""
    found = rows(int(os.environ.get("ROUNDS", "10")))
    table = Table("peer", *(f"{many:,} more" for many in SIZES), title="p50 and p99 of a decision, us")
    for name, label in PEERS.items():
        cells = [
            f"{row['p50']:,.2f} {row['p99']:,.1f}" if "p50" in row else "wrong" if "wrong" in row else "-"
            for row in found
            if row["field"] == name
        ]
        table.add_row(label, *cells)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
