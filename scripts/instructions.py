"""What calls of the benchmark's policy cost the engine: instructions under callgrind, allocations, and bytes.

`instructions.py` compares with rust/speed/figures.json: 5% more fails, 5% less asks to lower the figure. Any
allocation fails, and so do runs below runs that take too many bytes. `--write` writes the figures of this
machine's compiler.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "rust" / "speed" / "figures.json"
PROGRAM = ROOT / "target" / "release" / "checkrein-speed"
KINDS = ("model", "tool")
# What is counted of a call: inside of these functions alone, so not what warms up, nor the log's thread.
PARTS = {"decision": "decide", "settlement": "settle"}
ALLOWED = 0.05
# Bytes that so many runs may take, each below the last: each has the numbers of all accounts above it, and
# no more of those above it (with more it was 93 MB for the longer chain).
CHAINS = {"100": 1_600_000, "400": 24_000_000}
CALLS = 4_000


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; a failure ends this program."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done


def instructions(policy: str, folder: str) -> dict[str, int]:
    """Instructions of each part of a call of each kind, of the engine alone and with the log."""

    def counted(kind: str, function: str, *log: str) -> int:
        inside = f"--toggle-collect=checkrein_speed::work::Work::{function}"
        tool = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", inside)
        done = run(*tool, str(PROGRAM), "count", policy, kind, str(CALLS), *log)
        found = re.search(r"Collected : (\d+)", done.stderr)
        if found is None or not int(found[1]):
            sys.exit(f"valgrind says no count of {function}:\n{done.stderr}")
        return int(found[1]) // CALLS

    return {
        f"{kind} {part}{', logged' if log else ''}": counted(kind, function, *log)
        for log in ((), (str(Path(folder) / "log.jsonl"),))
        for kind in KINDS
        for part, function in PARTS.items()
    }


def judge(figures: dict[str, int], found: dict[str, int]) -> list[str]:
    """What is wrong with counts beside the committed figures."""
    wrong = []
    for kind, figure in figures.items():
        share = found[kind] / figure - 1
        if abs(share) > ALLOWED:
            advice = "make it leaner" if share > 0 else "lower the figure"
            wrong.append(f"{kind}: {found[kind]:,} instructions, {share:+.1%} on {figure:,}; {advice}")
    return wrong


def too_large(chains: dict[str, int]) -> list[str]:
    """What is wrong with the bytes that chains of runs take."""
    return [
        f"a chain of {depth} runs: {chains[depth]:,} bytes; no more than {most:,} are allowed"
        for depth, most in CHAINS.items()
        if chains[depth] > most
    ]


def main() -> None:
    """Count, then compare or write."""
    run("cargo", "build", "--quiet", "--release", "-p", "checkrein-speed")
    with tempfile.TemporaryDirectory() as folder:
        policy = str(Path(folder) / "bench.reinc")
        run(
            str(Path(sys.executable).with_name("checkrein")),
            "compile",
            "tests/bench/policy.rein",
            "-o",
            policy,
        )
        said = run(str(PROGRAM), "allocations", policy, str(Path(folder) / "log.jsonl")).stdout
        asked = [json.loads(line) for line in said.splitlines()]
        wrong = [
            f"{row['allocations']}{', logged' if row['log'] else ''}: {row['asked']} allocations in "
            f"{row['calls']} calls; none is allowed"
            for row in asked
            if row.get("asked")
        ]
        chains = json.loads(run(str(PROGRAM), "chains", policy).stdout)
        wrong += too_large(chains)
        found: dict[str, int] = {}
        if shutil.which("valgrind"):
            found = instructions(policy, folder)
        elif os.environ.get("CI") == "true":
            wrong.append("no valgrind: instructions cannot be counted; install it")
        else:
            print("no valgrind, so instructions are not counted; CI counts them")
    if "--write" in sys.argv:
        FIGURES.write_text(json.dumps(found, indent=2) + "\n")
    elif found:
        wrong += judge(json.loads(FIGURES.read_text()), found)
    print(json.dumps({"instructions": found, "bytes": asked[-1]["bytes"], "chains": chains}))
    if wrong:
        sys.exit("\n".join([*wrong, "(`python scripts/instructions.py --write` writes what was counted)"]))


if __name__ == "__main__":
    main()
