"""All measurements of `make bench`, and the page that is made of them.

    python -m tests.bench --page docs/benchmarks.md --commit "$(git describe --always)" --date "$(date +%F)"

ROUNDS=2 makes a run that only shows that everything works. With `--rows` the page is made anew of rows that
were measured before.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import checkrein
from tests.bench import gauges, page
from tests.bench.bench_decide import HERE, PARTS, Timed, at, same_answers, show, time_all
from tests.bench.by_hand import by_json, by_pairs
from tests.bench.field import bench_field, bench_rust, bench_wrappers
from tests.bench.field.environments import python_of

Row = dict[str, Any]
ROUNDS = int(os.environ.get("ROUNDS", "30"))
FEW = 3
"""Rounds up to this many are a try: the slow parts are left out."""


def decide_rows(took: dict[str, Timed]) -> list[Row]:
    """p50 and p99 of each part of each contender, microseconds."""
    return [
        {"decide": name}
        | {part: (at(parts[part], 0.5), at(parts[part], 0.99)) for part in PARTS if parts[part]}
        for name, parts in took.items()
    ]


def measured() -> list[Row]:
    """The rows of everything."""
    rows = [gauges.pace()]
    program = checkrein.load(HERE / "policy.rein", log=None, store="memory:").program
    equal = sum(same_answers(program, fingerprint) for fingerprint in (by_json, by_pairs))
    with tempfile.TemporaryDirectory() as folder:
        took = time_all(Path(folder), ROUNDS)
    show(took, equal)
    rows += [*decide_rows(took), gauges.pace()]
    sizes = bench_field.SIZES if ROUNDS > FEW else bench_field.SIZES[:3]
    rows += bench_field.rows(max(2, ROUNDS // 3), sizes)
    rows += [*bench_wrappers.rows(max(2, ROUNDS // 3)), gauges.pace()]
    rows += bench_rust.rows(ROUNDS)
    return [*rows, *gauges.rows(), gauges.pace()]


def main() -> None:
    """Measure, or read what was measured; write the page, the rows and the plots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--page", type=Path, required=True, help="where to write it, such as docs/benchmarks.md"
    )
    parser.add_argument("--rows", type=Path, help="rows of an earlier run")
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--date", default="unknown")
    options = parser.parse_args()
    folder = options.page.with_suffix("")
    folder.mkdir(exist_ok=True)
    if options.rows:
        kept = json.loads(options.rows.read_text(encoding="utf-8"))
    else:
        load = os.getloadavg()[0]
        rows = measured()
        kept = {"commit": options.commit, "date": options.date, "loads": [load, os.getloadavg()[0]]}
        kept["rows"] = [*rows, {"load": load, "cores": os.cpu_count()}]
        (folder / "rows.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    page.write(options.page, kept["rows"], commit=kept["commit"], date=kept["date"], loads=kept["loads"])
    plots = [str(python_of("plots")), "-m", "tests.bench.plots", str(folder)]
    subprocess.run(plots, input=json.dumps(page.drawn(kept["rows"])), text=True, check=True)
    sys.stdout.write(f"written to {options.page} and {folder}/\n")


if __name__ == "__main__":
    main()
