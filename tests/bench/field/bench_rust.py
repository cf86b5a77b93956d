"""Our decision beside engines of policies in Rust, by criterion: `tests/bench/rust`, a workspace of its own.

    ROUNDS=2 python -m tests.bench.field.bench_rust

There, every engine answers all calls as an oracle does before it is timed. The first build takes minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.field.environments import ROOT
from tests.bench.field.policy import write

Row = dict[str, Any]
CRATE = ROOT / "tests" / "bench" / "rust"
BUILT = ROOT / "target" / "field"
SIZES = (0, 1_000)
ENGINES = {
    "checkrein": "Checkrein: a decision, all on, with its log",
    "engine": "Checkrein: its engine, all on",
    "cel": "cel",
    "regorus": "regorus",
    "cedar-policy": "cedar-policy",
}
FEW = 3
QUICK = ("--warm-up-time", "0.2", "--measurement-time", "0.5", "--sample-size", "10")
WHOLE = ("--warm-up-time", "1", "--measurement-time", "3", "--sample-size", "50")


def rows(rounds: int) -> list[Row]:
    """Compare and time them all; the rows are criterion's estimates."""
    sys.stderr.write("measuring engines in Rust (their first build takes some minutes)\n")
    estimates = BUILT / "criterion"
    shutil.rmtree(estimates, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        for many in SIZES:
            policy = write(Path(folder), many)
            compiler = str(Path(sys.executable).with_name("checkrein"))
            run(compiler, "compile", str(policy), "-o", str(policy.with_suffix(".reinc")))
        places = {"CARGO_TARGET_DIR": str(BUILT), "CRITERION_HOME": str(estimates)}
        options = QUICK if rounds <= FEW else WHOLE
        run(
            "cargo",
            "bench",
            "--bench",
            "decide",
            "--locked",
            "--quiet",
            "--",
            *options,
            CHECKREIN_POLICIES=folder,
            **places,
        )
    return [row(estimates, name, many) for name in ENGINES for many in SIZES]


def run(*command: str, **variables: str) -> None:
    """Run a command to its end; a failure ends this program."""
    done = subprocess.run(
        command, cwd=CRATE, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()[-2_000:]}")


def row(estimates: Path, name: str, many: int) -> Row:
    """What criterion has worked out of one engine."""
    text = (estimates / str(many) / name / "new" / "estimates.json").read_text(encoding="utf-8")
    median = json.loads(text)["median"]
    between = (median["confidence_interval"]["lower_bound"], median["confidence_interval"]["upper_bound"])
    return {
        "rust": name, "many": many, "version": version(name), "ns": median["point_estimate"],
        "between": between,
    }  # fmt: skip


def version(name: str) -> str:
    """The version of a crate that is pinned."""
    packages = tomllib.loads((CRATE / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    return next((str(each["version"]) for each in packages if each["name"] == name), "")


def main() -> None:
    """Print the table."""
    table = Table("engine", "rules more", "ns", "between", title="a decision in Rust, criterion's median")
    for each in rows(int(os.environ.get("ROUNDS", "10"))):
        low, high = each["between"]
        table.add_row(
            f"{ENGINES[each['rust']]} {each['version']}",
            f"{each['many']:,}", f"{each['ns']:,.0f}", f"{low:,.0f} to {high:,.0f}",
        )  # fmt: skip
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
