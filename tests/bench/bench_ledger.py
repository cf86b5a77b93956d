"""What limits wider than a run cost: reserve and settle over four levels, beside what people use instead.

    python -m tests.bench.bench_ledger --commit "$(git rev-parse --short HEAD)" --date "$(date +%F)"

Each contender first has to admit exactly as many calls as the bound allows. Then every round times all of
them in turn, so that a noisy machine disturbs all alike. `rust/stores/examples/speed` measures what Python
would hide. With `--page` what came of it all is written into docs/benchmarks-ledger.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from checkrein.language import compile_source
from tests.bench import ledger_page
from tests.bench.ledger_rivals import WIDE, Engine, Hand, Limits, Pyrate, Script, on_redis, server

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SPEED = ["cargo", "run", "--quiet", "--release", "-p", "checkrein-stores", "--example", "speed", "--"]
ASKED, CENTS = 130, 100
JOURNAL_RECORDS = 1_000_000
MOST_JOURNALS = 60
# As long as all calls of one contender may take in a round.
LONGEST_NS = 50_000_000


def speed(*words: str) -> list[dict[str, Any]]:
    """Run one measurement in Rust; the rows that it says."""
    done = subprocess.run([*SPEED, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"speed {' '.join(words)}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def say(text: str) -> None:
    """Tell who waits what is being measured."""
    sys.stderr.write(f"{text}\n")


# -- Python ------------------------------------------------------------------------------------------


def contenders(folder: Path, stack: ExitStack) -> dict[str, Any]:
    """All that can run here, by the names of `ledger_page.ROWS`."""
    found: dict[str, Any] = {
        "memory": Engine(folder, None),
        "sqlite": Engine(folder, "ledger.db"),
        "durable": Engine(folder, "durable.db", durable=True),
        "hand": Hand(),
        "limits": Limits(),
        "pyrate": Pyrate(),
    }
    fast = stack.enter_context(server(folder / "fast"))
    if fast is None:
        say("there is no redis-server on this machine: its rows are left out")
        return found
    options = ("--appendonly", "yes", "--appendfsync", "always")
    safe = stack.enter_context(server(folder / "safe", *options))
    found |= {
        "redis": on_redis(folder, safe),
        "lua": Script(fast),
        "lua-safe": Script(safe),
        "limits-redis": Limits(f"redis://127.0.0.1:{fast}"),
    }
    return found


def compare(found: dict[str, Any]) -> None:
    """Each contender admits exactly as many calls as the bound has room for."""
    for name, contender in found.items():
        contender.begin(CENTS, f"compared {name}")
        admitted = [contender.call() for _ in range(ASKED)]
        if admitted != [True] * CENTS + [False] * (ASKED - CENTS):
            text = f"{name} admits {sum(admitted)} of {ASKED} calls; the bound has room for {CENTS}"
            raise SystemExit(text)


def time_round(contender: Any, calls: int) -> list[int]:
    """Nanoseconds of each attempt, reserve and settle, waits included."""
    took, clock, call = [], time.perf_counter_ns, contender.call
    for _ in range(calls):
        begun = clock()
        admitted = call()
        took.append(clock() - begun)
        if not admitted:
            raise SystemExit(f"{contender} refused a call that fits")
    return took


def measure(found: dict[str, Any], rounds: int, calls: int) -> list[dict[str, Any]]:
    """The rows of all contenders."""
    took: dict[str, list[int]] = {name: [] for name in found}
    first: dict[str, dict[str, Any]] = {}
    for name, contender in found.items():
        contender.begin(WIDE, f"timed {name}")
        contender.waits = 0
        values = time_round(contender, calls)
        first[name] = {"cold_waits": contender.waits, "cold_ms": sum(values) / 1e6, "cold": calls}
        contender.waits = 0
        # A slow one makes fewer calls, so that no round is so long that leases are given back.
        first[name]["calls"] = min(calls, max(10, int(LONGEST_NS / at(values, 0.5))))
    for number in range(rounds + 1):
        for name, contender in found.items():
            contender.again(f"timed {name}")
            contender.call()
            values = time_round(contender, first[name]["calls"])
            contender.rest()
            if number:  # the first round warms up
                took[name] += values
    rows = []
    for name, values in took.items():
        row = {"python": name, "p50": at(values, 0.5) / 1000, "p99": at(values, 0.99) / 1000}
        row |= {"count": len(values), "waits": found[name].waits, **first[name]}
        if isinstance(found[name], Engine):
            row |= {key: found[name].health()[key] for key in ("round_trips", "records_lost")}
        rows.append(row)
    return rows


def at(values: list[int], share: float) -> int:
    """The value below which this share of the values lies."""
    return sorted(values)[int((len(values) - 1) * share)]


def python_rows(rounds: int, calls: int) -> list[dict[str, Any]]:
    """Compare the answers, then measure."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        found = contenders(Path(folder), stack)
        for contender in found.values():
            stack.callback(contender.close)
        compare(found)
        return measure(found, rounds, calls)


# -- Rust --------------------------------------------------------------------------------------------


def crash_rows() -> list[dict[str, Any]]:
    """A start beside one full journal, and beside the journals of as many records as the target names."""
    rows = []
    for records in (1, JOURNAL_RECORDS):
        with tempfile.TemporaryDirectory() as folder:
            here = Path(folder) / "ledger.db-records"
            here.mkdir()
            left = 0
            for number in range(MOST_JOURNALS):
                there = Path(folder) / str(number)
                left += speed("fill", str(there))[0]["waiting"]
                for journal in there.rglob("*.journal"):
                    journal.rename(here / journal.name)
                if left >= records:
                    break
            rows += [row | {"left": left} for row in speed("start", folder)]
    return rows


def middle(runs: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The rows of the run in the middle by its times, with the least and the most of all runs."""
    timed = [[row for row in run if "p50" in row] for run in runs]
    timed.sort(key=lambda run: sum(row["p50"] for row in run))
    rows = []
    for row, *same in zip(timed[len(timed) // 2], *timed, strict=True):
        times = [other["p50"] for other in same]
        rows.append(row | {"least": min(times), "most": max(times)})
    return rows


def rust_rows(folder: Path, keys: int) -> list[dict[str, Any]]:
    """Everything that is measured without Python."""
    policy = folder / "ledger.reinc"
    policy.write_bytes(compile_source((HERE / "ledger.rein").read_bytes(), "ledger.rein"))
    rows = []
    decided = []
    for words in (["threads", str(policy)], ["trips"], []):
        # In three processes, with time in between: a virtual machine is not equally fast all the time.
        say("measuring decisions")
        decided.append(speed("decisions", str(policy)))
        if words:
            say(f"measuring {words[0]}")
            rows += speed(*words)
    rows += middle(decided)
    for kind, count in (("local", keys), ("leased", keys // 20), ("leased", keys)):
        say(f"measuring {count:,} {kind} accounts")
        rows += speed("keys", kind, str(count))
    say("measuring starts after crashes")
    return rows + crash_rows()


# -- all ---------------------------------------------------------------------------------------------


def show(rows: list[dict[str, Any]]) -> None:
    """The tables, on the terminal."""
    console = Console(width=120)
    for title, headings, lines in ledger_page.tables(rows):
        table = Table(title=title)
        for number, heading in enumerate(headings):
            table.add_column(heading, justify="right" if 0 < number < 4 else "left")
        for line in lines:
            table.add_row(*line)
        console.print(table)


def main() -> None:
    """Measure, print and, if asked, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("python", "rust"))
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--date", default="unknown")
    parser.add_argument(
        "--page", type=Path, help="where to write the page, such as docs/benchmarks-ledger.md"
    )
    options = parser.parse_args()
    loads, rows = [os.getloadavg()[0]], []
    if options.only != "python":
        subprocess.run(
            ["cargo", "build", "--quiet", "--release", "-p", "checkrein-stores", "--example", "speed"],
            cwd=ROOT, check=True,
        )  # fmt: skip
        loads = [os.getloadavg()[0]]
        with tempfile.TemporaryDirectory() as folder:
            rows += rust_rows(Path(folder), options.keys)
    if options.only != "rust":
        say("measuring Python")
        rows += python_rows(options.rounds, options.calls)
    loads.append(os.getloadavg()[0])
    show(rows)
    if options.page:
        ledger_page.write(options.page, rows, commit=options.commit, date=options.date, loads=loads)
        sys.stdout.write(f"written to {options.page}\n")


if __name__ == "__main__":
    main()
