"""Where instructions go: of a decision, its settlement and loading by file, of calls from Python by function.

    python -m tests.bench.profile

callgrind counts a build of `rust/speed` that has line numbers, inside of one function. What the compiler put
in place is counted for the file that it was written in; what is of Rust's library, and what the C library
does for it, for our file around it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from checkrein.language import compile_source
from tests.bench.bench_compile import large
from tests.bench.bench_decide import FACTS, HERE

Row = dict[str, Any]
ROOT = HERE.parents[1]
PROGRAM = ROOT / "target" / "lines" / "checkrein-speed"
CALLS, LOADS = 1_000, 10
SHOWN = 12
OTHERS = "the rest"
LIBRARY = "Rust's library"
DECISION, SETTLEMENT, LOAD = "a decision", "its settlement", "loading 1,000 rules"
FROM_PYTHON = "a decision and its settlement, from Python"
PARTS = {
    DECISION: ("checkrein_speed::work::Work::decide", "count", CALLS),
    SETTLEMENT: ("checkrein_speed::work::Work::settle", "count", CALLS),
    LOAD: ("checkrein_speed::times::loaded", "load", LOADS),
}


def rows() -> list[Row]:
    """One row for each part; none where there is no valgrind."""
    if not shutil.which("valgrind"):
        sys.stderr.write("no valgrind, so there are no profiles\n")
        return []
    build = ["cargo", "build", "--quiet", "--profile", "lines", "-p", "checkrein-speed"]
    subprocess.run(build, cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as folder:
        return [*(profile(name, Path(folder)) for name in PARTS), from_python(Path(folder))]


def profile(name: str, folder: Path) -> Row:
    """Instructions of one part by file, the most first."""
    function, word, times = PARTS[name]
    source = (HERE / "policy.rein").read_bytes() if word == "count" else large()
    artifact, found = folder / f"{word}.reinc", folder / "found"
    artifact.write_bytes(compile_source(source, "bench.rein"))
    last = ["tool", str(times), str(folder / "log.jsonl")] if word == "count" else [str(times)]
    tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={found}", f"--toggle-collect={function}"]
    done = subprocess.run(
        [*tool, str(PROGRAM), word, str(artifact), *last], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip()}")
    lines = found.read_text(encoding="utf-8").splitlines()
    whole = next(int(line.split()[1]) for line in lines if line.startswith("summary:"))
    if not whole:
        raise SystemExit(f"{name}: nothing was counted inside of {function}")
    return row(name, by_file(lines), whole, times)


def row(name: str, counted: Counter[str], whole: int, times: int) -> Row:
    """What has the most instructions, and the rest."""
    most = counted.most_common(SHOWN)
    most.append((OTHERS, whole - sum(count for _, count in most)))
    files = [(file, count // times, purpose(file)) for file, count in most]
    return {"profile": name, "instructions": whole // times, "files": files}


HOST = """
import json, sys, checkrein
guard = checkrein.load(sys.argv[1], log=sys.argv[2], store="memory:")
run = guard.run(session="s", user="u", org="o")
run.settle(run.decide(tool="search_kb", args={"query": "x"}))
facts = json.loads(sys.argv[4])
for number in range(int(sys.argv[3])):
    run.settle(run.decide(tool="refund", args={"order_id": f"o{number}", "amount": 5_000}, facts=facts))
"""


def from_python(folder: Path) -> Row:
    """Instructions of `run.decide` and `run.settle` by function: what so many more calls take."""
    artifact = folder / "host.reinc"
    artifact.write_bytes(compile_source((HERE / "policy.rein").read_bytes(), "policy.rein"))

    def counted(calls: int) -> Counter[str]:
        found = folder / f"host-{calls}"
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={found}", "--separate-threads=yes"]
        host = [
            sys.executable,
            "-c",
            HOST,
            str(artifact),
            str(folder / "host.jsonl"),
            str(calls),
            json.dumps(FACTS),
        ]
        subprocess.run([*tool, *host], cwd=ROOT, check=True, capture_output=True)
        # The first thread is the host's, the others are the log's.
        return by_function((folder / f"{found.name}-01").read_text(encoding="utf-8").splitlines())

    more = counted(2 * CALLS)
    more.subtract(counted(CALLS))
    return row(FROM_PYTHON, more, sum(more.values()), CALLS)


def by_function(lines: list[str]) -> Counter[str]:
    """The instructions of each function of ours, and of each library, of what callgrind wrote."""
    names: dict[str, str] = {}
    counted: Counter[str] = Counter()
    library = function = ""
    is_call = False
    for line in lines:
        kind, _, rest = line.partition("=")
        if kind in ("ob", "cob", "fn", "cfn"):
            number, _, name = rest.partition(" ")
            name = names.setdefault(f"{kind[-2:]} {number}", name)
            library = Path(name).name if kind == "ob" else library
            function = f"`{name}`" if kind == "fn" else function
        elif kind == "calls":
            is_call = True
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            if not is_call:
                counted[function if library.startswith("_core") else f"all of {library}"] += int(
                    line.split()[1]
                )
            is_call = False
    return counted


def by_file(lines: list[str]) -> Counter[str]:
    """The instructions of each file, of what callgrind wrote."""
    names: dict[str, str] = {}
    counted: Counter[str] = Counter()
    file = ours = ""
    is_ours = is_call = callee_is_ours = False

    def named(line: str) -> str:
        number, _, name = line.partition("=")[2].partition(" ")
        kind = "ob" if "ob=" in line[:4] else "file"
        return names.setdefault(f"{kind} {number}", name)

    for line in lines:
        if line.startswith("ob="):
            is_ours = named(line) == str(PROGRAM)
        elif line.startswith("cob="):
            callee_is_ours = named(line) == str(PROGRAM)
        elif line.startswith(("fl=", "fi=", "fe=")):
            file = place(named(line))
            if line.startswith("fl=") or file != LIBRARY:
                ours = file
        elif line.startswith(("cfi=", "cfl=")):
            named(line)
        elif line.startswith("calls="):
            is_call = True
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            # What a called function took is counted there, but for one that the C library does for a file.
            if is_ours and (not is_call or (not callee_is_ours and ours != LIBRARY)):
                counted[ours] += int(line.split()[1])
            if is_call:
                is_call, callee_is_ours = False, True
        elif line.startswith("fn="):
            callee_is_ours = True
    return counted


def place(path: str) -> str:
    """A file as the page names it."""
    if path.startswith(f"{ROOT}/"):
        return path.removeprefix(f"{ROOT}/")
    crate = re.search(r"/registry/src/[^/]+/([^/]+)-\d", path)
    return f"the crate {crate[1]}" if crate else LIBRARY


def purpose(file: str) -> str:
    """The first sentence of what a file of ours says of itself."""
    path = ROOT / file
    if not path.is_file():
        return ""
    told = [line[4:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("//! ")]
    return re.split(r"[.:;,] |\.$", " ".join(told))[0]


def main() -> None:
    """Print them."""
    for row in rows():
        table = Table(
            "file", "instructions", "share", "what", title=f"{row['profile']}, {row['instructions']:,}"
        )
        for file, count, what in row["files"]:
            table.add_row(file, f"{count:,}", f"{count / row['instructions']:.1%}", what)
        Console(width=140).print(table)


if __name__ == "__main__":
    main()
