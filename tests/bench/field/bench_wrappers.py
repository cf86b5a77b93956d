"""What people wrap around a call, beside ours: retries, breakers, an agent's middlewares.

    python -m tests.bench.field.bench_wrappers

As in `bench_field`: what is wrong is not timed, and each has a process of its own and its turn in a round.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import Any

from rich.console import Console
from rich.table import Table

from checkrein.language import compile_source
from tests.bench.field.bench_field import Worker, measure
from tests.bench.field.environments import HOME
from tests.bench.field.policy import POLICY

Row = dict[str, Any]
WRAPPERS = {
    "run_tool": "Checkrein: `run.tool`, all on, with its log",
    "run_model": "Checkrein: `run.model`, all on, with its log",
    "checkrein": "the same `run.tool`, with a retry and a breaker",
    "tenacity": "tenacity: three tries",
    "stamina": "stamina: three tries",
    "pybreaker": "pybreaker: a circuit",
    "agent": "LangChain: an agent and one tool call",
    "agent_limits": "the same, with its two limit middlewares",
    "agent_checkrein": "the same, with Checkrein's, all on, with its log",
}
AGENT_CALLS = (2, 9_000_000)


def compile_policies() -> None:
    """The policies of the agent, compiled here, since its environment has no compiler."""
    HOME.mkdir(parents=True, exist_ok=True)
    for most in AGENT_CALLS:
        text = POLICY.read_text(encoding="utf-8")
        text += f'limit "few" on run {{ tool_calls <= {most} }} else stop "over_limit"\n'
        (HOME / f"agent-{most}.reinc").write_bytes(compile_source(text.encode(), "agent.rein"))


def rows(rounds: int, names: tuple[str, ...] = tuple(WRAPPERS)) -> list[Row]:
    """Measure them all."""
    compile_policies()
    sys.stderr.write("measuring what is wrapped around a call\n")
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(name, kind="wrappers")) for name in names]
        found = measure(workers, 0, rounds)
    return [{"wraps": row.pop("field"), **row} for row in found]


def main() -> None:
    """Print the table."""
    table = Table("what", "p50 us", "p99 us")
    for row in rows(int(os.environ.get("ROUNDS", "10"))):
        cells = (f"{row['p50']:,.2f}", f"{row['p99']:,.1f}") if "p50" in row else (row["wrong"][:60], "-")
        table.add_row(WRAPPERS[row["wraps"]], *cells)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
