"""Runs an expensive check at its full figure and writes what came of it into docs/evidence.md.

    python scripts/evidence.py differential --count 100000

Each check is one row: command, commit, seed, count, duration, result. A check that is cut off goes on
where it stopped when it is started again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "evidence.md"
HEAD = """# Evidence

Each row is one run of an expensive check at its full figure. `make evidence` runs them all again and
writes this file; nothing here is typed in.

| check | command | commit | seed | count | seconds | result |
|---|---|---|---|---|---|---|
"""


def said_by(command: list[str]) -> str:
    """What a check prints, on one line; one that fails ends this as well."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        raise SystemExit(done.returncode)
    return "; ".join(" ".join(line.split()) for line in done.stdout.splitlines() if line.strip())


def differential(count: int, seed: int, state: Path) -> str:
    """Random policies and runs through the Rust engine and the reference interpreter."""
    command = [
        sys.executable, "-m", "tests.differential.run",
        "--runs", str(count), "--seed", str(seed), "--jobs", "2", "--resume", str(state),
    ]  # fmt: skip
    return said_by(command)


def airline(count: int, seed: int, state: Path) -> str:  # noqa: ARG001 -- one shape for all
    """The recorded runs of a real airline agent under grammar/examples/airline.rein."""
    sys.path.insert(0, str(ROOT))
    from tests.replay.recorded import AIRLINE_POLICY, AIRLINE_RUNS

    import checkrein
    from checkrein.replay import Problem, replay

    if not AIRLINE_RUNS.is_file():
        raise SystemExit(f"the recorded runs are not at {AIRLINE_RUNS}; put them there and run this again")
    program = checkrein.load(AIRLINE_POLICY, log=None).program
    with AIRLINE_RUNS.open("rb") as lines:
        runs = [run for run in replay(lines, program) if not isinstance(run, Problem)][:count]
    stopped: dict[str, list[str]] = {}
    for run in runs:
        if run.stop:
            stopped.setdefault(f"{run.stop.kind} `{run.stop.by}`", []).append(f"{run.task}/{run.trial}")
    rewarded = [run for run in runs if run.reward == 1]
    by = "; ".join(f"{name} stops task/trial {', '.join(tasks)}" for name, tasks in sorted(stopped.items()))
    calls = sum(run.model_calls + run.tool_calls for run in runs)
    asked = sum(any(v.outcome == "escalate" for v in run.verdicts) for run in runs)
    return (
        f"{len(runs)} runs, {calls} calls; {by}; {asked} runs ask a person; "
        f"of {len(rewarded)} runs with reward 1, {sum(run.stop is not None for run in rewarded)} are stopped"
    )


def sim(count: int, seed: int, state: Path) -> str:  # noqa: ARG001 -- one shape for all
    """Simulated nodes, stores and networks that fail, then every deliberate bug until it is caught."""
    run = ["cargo", "run", "--quiet", "--release", "-p", "checkrein-sim", "--"]
    said = []
    for flags in (["--seeds", str(count), "--first", str(seed)], ["--flaws"]):
        done = subprocess.run([*run, *flags], cwd=ROOT, capture_output=True, text=True, check=False)
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
        if done.returncode != 0:
            raise SystemExit(done.returncode)
        said += [" ".join(line.split()) for line in done.stdout.splitlines() if line.strip()]
    return "; ".join(said)


def crash(store: str) -> Callable[[int, int, Path], str]:
    """Real processes that are killed all the time, on one store."""

    def check(count: int, seed: int, state: Path) -> str:  # noqa: ARG001 -- one shape for all
        command = [sys.executable, "scripts/crash.py", store, str(count)]
        return said_by(command)

    return check


def race(count: int, seed: int, state: Path) -> str:  # noqa: ARG001 -- one shape for all
    """Two real processes that race for each approval, on an SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.stores.race", str(count), f"{folder}/ledger.db"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        raise SystemExit(done.returncode)
    return " ".join(done.stdout.split())


def bound(count: int, seed: int, state: Path) -> str:  # noqa: ARG001 -- one shape for all
    """Adversaries against the worst case of random policies, through the Rust engine."""
    command = [sys.executable, "-m", "tests.bounds.run", "--runs", str(count), "--seed", str(seed)]
    return said_by(command)


def grammar(count: int, seed: int, state: Path) -> str:  # noqa: ARG001 -- one shape for all
    """Random strings that llguidance judges by the grammar, and the parser reads."""
    command = [sys.executable, "-m", "tests.decoder.run", "--strings", str(count), "--seed", str(seed)]
    return said_by(command)


def diff(count: int, seed: int, state: Path) -> str:  # noqa: ARG001 -- one shape for all
    """Random pairs of policies under random events, against what `checkrein diff` tells of them."""
    command = [sys.executable, "-m", "tests.difference.run", "--pairs", str(count), "--seed", str(seed)]
    return said_by(command)


CHECKS = {
    "airline": airline,
    "bound": bound,
    "crash-redis": crash("redis"),
    "crash-sqlite": crash("sqlite"),
    "diff": diff,
    "differential": differential,
    "grammar": grammar,
    "race": race,
    "sim": sim,
}

COUNTED_BY = {
    "bound": " N={}",
    "crash-redis": " CALLS={}",
    "crash-sqlite": " CALLS={}",
    "diff": " PAIRS={}",
    "differential": " N={}",
    "grammar": " N={}",
    "race": " N={}",
    "sim": " SEEDS={}",
}
"""How the figure is passed to `make`."""


def main() -> None:
    """Run one check and record its row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check", choices=sorted(CHECKS))
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    checked = commit()  # now: the tree may move on while the check runs
    # What one commit has shown says nothing of another.
    state = ROOT / "target" / f"evidence-{options.check}-{options.seed}-{options.count}-{checked}.json"
    state.parent.mkdir(exist_ok=True)
    begun = time.monotonic()
    result = CHECKS[options.check](options.count, options.seed, state)
    seconds = time.monotonic() - begun
    given = COUNTED_BY.get(options.check, "").format(options.count)
    row = (
        f"| {options.check} | `make evidence-{options.check.split('-')[0]}{given}` | {checked} "
        f"| {options.seed} | {options.count} | {seconds:.0f} | {result.replace('|', '/')} |\n"
    )
    rows = [line for line in read_rows() if not line.startswith(f"| {options.check} |")]
    PAGE.write_text(HEAD + "".join(sorted([*rows, row])), encoding="utf-8")
    sys.stdout.write(f"written to {PAGE.relative_to(ROOT)}\n")


def read_rows() -> list[str]:
    """The rows that the page has now."""
    if not PAGE.exists():
        return []
    lines = PAGE.read_text(encoding="utf-8").splitlines(keepends=True)
    return [line for line in lines if line.startswith("| ") and not line.startswith("| check |")]


def commit() -> str:
    """The commit that was checked; `+` when the tree has changes on top of it."""
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    dirty = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    changed = [line for line in dirty.stdout.splitlines() if not line.endswith("docs/evidence.md")]
    return head.stdout.strip() + ("+" if changed else "")


if __name__ == "__main__":
    main()
