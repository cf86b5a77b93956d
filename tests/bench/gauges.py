"""What Checkrein alone is like: its start, memory, long runs, many runs, threads, the engine in Rust, from C.

    python -m tests.bench.gauges

Whatever may disturb what is measured runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from checkrein import _core
from checkrein.language import compile_source
from tests.bench import bench_batch, profile
from tests.bench.bench_compile import ROUNDS, large, least
from tests.bench.bench_decide import FACTS, HERE, SCOPES, at

Row = dict[str, Any]
ROOT = HERE.parents[1]
CALLS = 2_000
LENGTHS = (1_000, 10_000, 100_000)
LIVE = (1, 10_000, 100_000)
TOKENS = 1_000_000
STEPS = 400_000
SPEED = ["cargo", "run", "--quiet", "--release", "-p", "checkrein-speed", "--"]


def pace() -> Row:
    """Milliseconds that the same loop takes now, the least of some: how fast the machine happens to be."""
    took = []
    for _ in range(ROUNDS):
        begun, count = time.perf_counter(), 0
        while count < STEPS:
            count += 1
        took.append(time.perf_counter() - begun)
    return {"pace": min(took) * 1000}


def program_of(path: Path = HERE / "policy.rein") -> Any:
    """A policy as a program."""
    return _core.Program.load(compile_source(path.read_bytes(), path.name))


def begin(program: Any, ledger: Any = None) -> Any:
    """A run that has looked something up, as the policy demands."""
    run = _core.Run(program, seed=1, now=0, ledger=ledger or _core.Ledger.memory(), **SCOPES)
    looked = run.tool_call(1, 0, None, "search_kb", {"query": "x"}, FACTS)
    run.settle(1, 0, looked.attempt, "exact")
    return run


def decide(run: Any, first: int, count: int) -> list[int]:
    """Nanoseconds of each of so many decisions, which are settled in between."""
    took, clock = [], time.perf_counter_ns
    for number in range(first, first + count):
        arguments = {"order_id": f"o{number}", "amount": 5_000}
        begun = clock()
        if number % 2:
            decision = run.tool_call(number, 0, None, "refund", arguments, FACTS)
        else:
            decision = run.model_call(number, 0, None, "large", 900, 300, FACTS)
        took.append(clock() - begun)
        used = ("exact",) if number % 2 else ("exact", 800, 120)
        run.settle(number, 0, decision.attempt, *used)
    return took


def history() -> list[Row]:
    """Decisions of a run that has a long past."""
    run, rows, number = begin(program_of()), [], 1
    for length in LENGTHS:
        while number < length:
            decide(run, number, 1)
            number += 1
        rows.append({"history": length, "p50": at(decide(run, number, CALLS), 0.5)})
        number += CALLS
    return rows


def memory() -> int:
    """The bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def live() -> list[Row]:
    """Decisions of one run beside many others, and what each of these takes."""
    program, ledger, rows = program_of(), _core.Ledger.memory(), []
    run = begin(program, ledger)
    decide(run, 1, CALLS)
    number, kept, first = CALLS, [run], memory()
    for count in LIVE:
        while len(kept) < count:
            kept.append(begin(program, ledger))
        each = (memory() - first) / max(1, len(kept) - 1)
        number += CALLS
        rows.append({"live": count, "p50": at(decide(run, number, CALLS), 0.5), "bytes": each})
    rows[0]["bytes"] = 0
    return rows


def threads() -> list[Row]:
    """Decisions a second of one thread of Python, and of two with runs of their own."""
    program, rates = program_of(), []
    for count in (1, 2):
        runs = [begin(program) for _ in range(count)]
        workers = [threading.Thread(target=decide, args=(run, 1, 20_000)) for run in runs]
        begun = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        rates.append(count * 20_000 / (time.perf_counter() - begun))
    return [{"python_threads": 2, "one": rates[0], "two": rates[1], "ratio": rates[1] / rates[0]}]


def loading() -> list[Row]:
    """Milliseconds to compile and to load 1,000 rules, and to load the policy of the benchmark."""
    many, small = large(), (HERE / "policy.rein").read_bytes()
    compiled, short = compile_source(many, "large.rein"), compile_source(small, "policy.rein")
    parts = {
        "compile 1,000 rules": lambda: compile_source(many, "large.rein"),
        "load and verify 1,000 rules": lambda: _core.Program.load(compiled),
        "load and verify the benchmark's policy": lambda: _core.Program.load(short),
    }
    return [{"takes": name, "ms": least(work) * 1000} for name, work in parts.items()]


def ran(code: str, variables: dict[str, str]) -> tuple[float, float, float]:
    """A new process of Python: its milliseconds by the wall, those of a processor, its most MB in memory."""
    # It says so itself: what the system tells of a child begins with the memory of the parent.
    code = f"{code}\nprint([line for line in open('/proc/self/status') if line.startswith('VmHWM:')][0])"
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=variables, check=True, capture_output=True, text=True)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1000, cpu * 1000, int(done.stdout.split()[-2]) * 1024 / 1e6


def started(code: str, **more: str) -> tuple[float, ...]:
    """The same: the least of some, each."""
    with tempfile.TemporaryDirectory() as folder:
        variables = os.environ | {"PYTHONPYCACHEPREFIX": folder} | more
        variables.pop("PYTHONDONTWRITEBYTECODE", None)
        return tuple(map(min, zip(*(ran(code, variables) for _ in range(ROUNDS + 1)), strict=True)))


def starts() -> list[Row]:
    """What an import and a cold start add to a process of Python."""
    bare = started("")
    policy = str(HERE / "policy.rein")
    check = (
        "import sys; from checkrein.cli.main import main; "
        f"sys.argv = ['checkrein', 'check', {policy!r}]\ntry: main()\nexcept SystemExit: pass"
    )
    with tempfile.TemporaryDirectory() as folder:
        artifact = Path(folder, "policy.reinc")
        artifact.write_bytes(compile_source(Path(policy).read_bytes(), "policy.rein"))
        load = f"import checkrein; checkrein.load({str(artifact)!r}, log=None, store='memory:')"
        return [
            {"starts": "python alone", "ms": bare[0], "mb": bare[2], "over": 0.0, "cpu_over": 0.0},
            *(
                {
                    "starts": name,
                    "ms": (took := started(code, **more))[0],
                    "mb": took[2],
                    "over": took[0] - bare[0],
                    "cpu_over": took[1] - bare[1],
                }
                for name, code, more in (
                    ("import checkrein", "import checkrein", {}),
                    ("import, and load a `.reinc`", load, {}),
                    ("`checkrein check` of 44 lines", check, {"CHECKREIN_CACHE": "off"}),
                    ("the same, kept", check, {"CHECKREIN_CACHE": f"{folder}/cache"}),
                )
            ),
        ]


def said(*command: str) -> str:
    """What a command prints; a failure ends this program."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def speed() -> list[Row]:
    """The rows of `rust/speed`: the engine without Python."""
    with tempfile.TemporaryDirectory() as folder:
        artifact, many, log = (
            str(Path(folder, name)) for name in ("policy.reinc", "many.reinc", "log.jsonl")
        )
        Path(artifact).write_bytes(compile_source((HERE / "policy.rein").read_bytes(), "policy.rein"))
        Path(many).write_bytes(compile_source(large(), "large.rein"))
        rows: list[Row] = []
        for word in ("times", "allocations"):
            rows += [json.loads(line) for line in said(*SPEED, word, artifact, log).splitlines()]
        load = json.loads(said(*SPEED, "load", many, "101"))["load"]
    in_rust = {"takes": "load and verify 1,000 rules, in Rust", "ms": load["least"] / 1e6}
    return [*({"speed": True, **row} for row in rows), in_rust]


def door() -> list[Row]:
    """What a program in C says of its door: a token, a call, and from its start to a run."""
    said("scripts/build_c.sh", "release")
    with tempfile.TemporaryDirectory() as folder:
        program, artifact = str(Path(folder, "door")), str(Path(folder, "door.reinc"))
        source = ROOT / "tests" / "native" / "door.rein"
        Path(artifact).write_bytes(compile_source(source.read_bytes(), source.name))
        said("cc", "-O2", "-Ipython/checkrein/include", "tests/native/door.c", "-o", program,
             "target/c/release/libcheckrein_c.a", "-pthread", "-ldl", "-lm")  # fmt: skip
        # From a shell, since the memory of a process is also that of the one that it was forked from.
        told = said("sh", "-c", f"{program} {artifact} {TOKENS}; exit $?")
    found = re.search(
        r"to a run (\d+) us, of which loading (\d+) us, and (\d+) KB .*\n(?:.*\n)*"
        r"a token ([\d.]+) ns, .* settlement (\d+) ns",
        told,
    )
    if not found:
        raise SystemExit(f"the door says no figures: {told}")
    begun, loaded, memory, token, call = map(float, found.groups())
    return [
        {"door": "a token counted", "ns": token},
        {"door": "a model call with its settlement", "ns": call},
        {"door": "from `main` to a run", "ns": begun * 1000},
        {"door": "of that, loading its policy", "ns": loaded * 1000},
        {"door": "memory of the process until then, at most", "mb": memory * 1024 / 1e6},
    ]


def wheel() -> list[Row]:
    """The size of the wheel."""
    with tempfile.TemporaryDirectory() as folder:
        maturin = str(Path(sys.executable).with_name("maturin"))
        said(maturin, "build", "--release", "--quiet", "--out", folder)
        return [{"wheel_mb": path.stat().st_size / 1e6} for path in Path(folder).glob("*.whl")]


PARTS = {
    "history": history, "live": live, "threads": threads, "loading": loading, "starts": starts,
    "speed": speed, "profile": profile.rows, "door": door, "wheel": wheel, "batch": bench_batch.rows,
}  # fmt: skip


def rows() -> list[Row]:
    """All of them, each in a process of its own."""
    found: list[Row] = []
    for name in PARTS:
        sys.stderr.write(f"measuring {name}\n")
        found += json.loads(said(sys.executable, "-m", "tests.bench.gauges", name))
    return found


def main() -> None:
    """The rows as JSON, of one part or of all."""
    found = PARTS[sys.argv[1]]() if len(sys.argv) > 1 else rows()
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
