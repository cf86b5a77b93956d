"""The page of the benchmark, docs/benchmarks.md, made of the rows of one run and of nothing else.

A table whose rows were not measured is left out. A target that was missed is told, with what holds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.bench_decide import PARTS, ROWS
from tests.bench.field.bench_field import PEERS
from tests.bench.field.bench_rust import ENGINES
from tests.bench.field.bench_wrappers import WRAPPERS
from tests.bench.ledger_page import MACHINE, machine_of, paragraph
from tests.bench.targets import reasons, targets

Row = dict[str, Any]
Lines = list[tuple[str, ...]]
Table = tuple[str, tuple[str, ...], Lines]
PLOTS = {
    "A decision from Python": "decision.svg",
    "Beside other engines": "field.svg",
    "Growth with rules": "growth.svg",
}


def decisions(rows: list[Row]) -> Table:
    """Each contender's decisions and settlements, and the sum beside the faster hand."""
    timed = {row["decide"]: row for row in rows if "decide" in row}
    lines: Lines = []
    for name, label in ROWS.items():
        if row := timed.get(name):
            cells = [f"{row[part][0]:.2f} ({row[part][1]:.1f})" if part in row else "-" for part in PARTS]
            whole = all(part in row for part in PARTS) and "flat" in timed
            lines.append((label, *cells, f"{total(row) / total(timed['flat']):.2f}x" if whole else "-"))
    return "A decision from Python", ("what", *(part.strip() for part in PARTS), "all, to by hand"), lines


def total(row: Row) -> float:
    """A tool call and a model call with their settlements, microseconds."""
    return float(sum(row[part][0] for part in PARTS))


def field(rows: list[Row]) -> Table:
    """All peers with the rules of the benchmark alone."""
    engine = next((row for row in rows if row.get("field") == "checkrein" and row["many"] == 0), None)
    lines = []
    for row in rows:
        if row.get("many") == 0 and "field" in row:
            label = PEERS[row["field"]] + (f" {row['version']}" if row["version"] else "")
            if "wrong" in row:
                lines.append((label, "not timed", "-", "-", f"answers wrongly: {row['wrong']}"))
            elif "p50" in row:
                times = f"{row['p50'] / engine['p50']:,.2f}x" if engine and "p50" in engine else "-"
                lines.append(
                    (
                        label,
                        f"{row['p50']:,.2f}",
                        f"{row['p99']:,.1f}",
                        times,
                        LACKS.get(row["field"], STATELESS),
                    )
                )
    return (
        "Beside other engines",
        ("what", "p50 us", "p99 us", "p50 to Checkrein", "what it does not do"),
        lines,
    )


STATELESS = "no limits, no loops, no order of calls, no log: four rules and their names"
LACKS = {
    "checkrein": "-",
    "engine": "the log, and what a host's face does",
    "hand": "the log; escalations that wait for people; limits of this process only",
    "cython": "the log; model calls; escalations wait for nobody; limits of this process only",
}


def growth(rows: list[Row]) -> Table:
    """p50 of all peers by the number of rules."""
    sizes = sorted({row["many"] for row in rows if "field" in row and row["many"]})
    lines: Lines = []
    for name, label in PEERS.items():
        found = {row["many"]: row for row in rows if row.get("field") == name}
        if found and sizes:
            cells = [_grown(found.get(many, {})) for many in sizes]
            first, last = (found.get(many, {}).get("p50") for many in (sizes[0], sizes[-1]))
            lines.append((label, *cells, f"{last / first:,.2f}x" if first and last else "-"))
    return (
        "Growth with rules",
        ("p50 us with", *(f"{many:,} rules" for many in sizes), "last to first"),
        lines,
    )


def _grown(row: Row) -> str:
    if "p50" in row:
        return f"{row['p50']:,.2f}"
    return "wrong" if "wrong" in row else "not asked" if "skipped" in row else "-"


def engines(rows: list[Row]) -> Table:
    """Engines in Rust with the rules of the benchmark alone, and with many."""
    found = {(row["rust"], row["many"]): row for row in rows if "rust" in row}
    sizes = sorted({many for _, many in found})
    lines: Lines = []
    for name, label in ENGINES.items():
        mine = [found[name, many] for many in sizes if (name, many) in found]
        if mine:
            times = (f"{row['ns'] / 1000:,.2f}" for row in mine)
            lacks = {"checkrein": "-", "engine": "the log"}.get(name, STATELESS)
            lines.append((f"{label} {mine[0]['version']}".strip(), *times, lacks))
    heads = (f"p50 us with {many + 4:,} rules" for many in sizes)
    return "Beside other engines, in Rust", ("what", *heads, "what it does not do"), lines


def wrappers(rows: list[Row]) -> Table:
    """What people wrap around a call."""
    lines = [
        (WRAPPERS[row["wraps"]], row["version"], f"{row['p50']:,.2f}", f"{row['p99']:,.1f}")
        for row in rows
        if "wraps" in row and "p50" in row
    ]
    return "Around a call", ("what", "version", "p50 us", "p99 us"), lines


def rust(rows: list[Row]) -> Table:
    """The engine without Python: a decision and its settlement, without the log and with it."""

    def cell(times: Row) -> str:
        return f"{times['p50']:,.0f} ({times['p99']:,.0f})"

    asked = {(row["allocations"], row["log"]): row for row in rows if "allocations" in row}
    lines: Lines = []
    for row in rows:
        if "decision" in row:
            counted = asked.get((row["times"], row["log"]))
            lines.append(
                (
                    f"{row['times'].lower()} calls" + (", with the log" if row["log"] else ""),
                    cell(row["decision"]), cell(row["settlement"]), f"{row['pair']['p50']:,.0f}",
                    f"{counted['asked']:,} in {counted['calls']:,} calls" if counted else "-",
                )
            )  # fmt: skip
    lines += [("the timer alone", cell(row["timer"]), "-", "-", "-") for row in rows if "timer" in row]
    heads = ("of", "a decision, ns", "its settlement, ns", "both, in blocks, ns", "allocations")
    return "In Rust", heads, lines


def threads(rows: list[Row]) -> Table:
    """What a second thread adds."""
    lines = [
        (
            "Python, under its lock" if "python_threads" in row else f"Rust, {row['threads']}",
            f"{row['one'] / 1e6:.3f}", f"{row['two'] / 1e6:.3f}", f"{row['ratio']:.2f}x",
        )
        for row in rows
        if "ratio" in row
    ]  # fmt: skip
    return "Threads", ("runs of their own", "one thread, millions/s", "two threads", "ratio"), lines


def flatness(rows: list[Row]) -> Table:
    """Long runs and many runs."""
    lines: Lines = [
        (f"a run of {row['history']:,} calls", f"{row['p50']:.2f}", "-") for row in rows if "history" in row
    ]
    lines += [
        (f"{row['live']:,} live runs", f"{row['p50']:.2f}", f"{row['bytes']:,.0f}" if row["bytes"] else "-")
        for row in rows
        if "live" in row
    ]
    return "Long runs, many runs", ("what", "p50 us of a decision", "bytes a run"), lines


def loading(rows: list[Row]) -> Table:
    """Starts, loads and sizes."""
    lines: Lines = [(row["takes"], f"{row['ms']:,.2f} ms", "-", "-") for row in rows if "takes" in row]
    lines += [
        (
            row["starts"],
            f"{row['ms']:,.0f} ms",
            f"{row['over']:,.0f} ms ({row['cpu_over']:,.0f} of a core)",
            f"{row['mb']:.1f} MB" if "mb" in row else "-",
        )
        for row in rows
        if "starts" in row
    ]
    lines += [("the wheel", f"{row['wheel_mb']:.2f} MB", "-", "-") for row in rows if "wheel_mb" in row]
    return "Loading and starting", ("what", "", "over bare Python", "memory, at most"), lines


def batch(rows: list[Row]) -> Table:
    """Many calls at once."""
    lines: Lines = [(row["batch"], f"{row['millions']:,.0f}") for row in rows if "batch" in row]
    return "Many calls at once", ("columns of 4,000,000 rows", "millions a second and core"), lines


def door(rows: list[Row]) -> Table:
    """The door for C."""
    lines: Lines = [
        (row["door"], f"{row['ns']:,.1f} ns" if "ns" in row else f"{row['mb']:.1f} MB")
        for row in rows
        if "door" in row
    ]
    return "From C", ("what", ""), lines


def profiles(rows: list[Row]) -> Iterator[Table]:
    """Where the instructions go."""
    for row in rows:
        if "profile" in row:
            lines = [
                (file, what, f"{count:,}", f"{count / row['instructions']:.1%}")
                for file, count, what in row["files"]
            ]
            title = f"Profile of {row['profile']}: {row['instructions']:,} instructions"
            if any(what for _, _, what in row["files"]):
                yield title, ("file", "what it says of itself", "instructions", "share"), lines
            else:
                heads = ("function, or library", "instructions", "share")
                yield title, heads, [(name, count, share) for name, _, count, share in lines]


def tables(rows: list[Row]) -> Iterator[Table]:
    """Every table that the rows fill."""
    yield "Targets", ("what", "target", "measured", ""), targets(rows)
    for make in (decisions, field, growth, engines, wrappers, rust, door, batch, threads, flatness, loading):
        table = make(rows)
        if table[2]:
            yield table
    yield from profiles(rows)


HEAD = """`make bench` measures one decision and writes this page; no figure is typed in, and those of
    one page come from one run. What shared limits cost is measured by `make bench-ledger`:
    [benchmarks of the ledger](benchmarks-ledger.md)."""
HOW = """Every contender first answers all calls as an oracle does; one that errs is named and not timed. Then
    each round times all of them in turn, each in a process and an environment of its own
    (`requirements/bench/`), so that a noisy machine disturbs all alike. The timer is in every figure. The raw
    rows are in [rows.json](benchmarks/rows.json)."""
NOTES = {
    "A decision from Python": """p50, and p99 in brackets, in us. The policy has limits on a run, a session,
        a user and an organisation, an order, a loop check, a requirement, a route and six rules
        (`tests/bench/policy.rein`); a call has twelve facts and arguments. *By hand* is the same policy in
        Python (`tests/bench/by_hand.py`): counters of the same four levels, a loop check, reasons. Its
        arguments are hashed as a flat tuple, or as JSON where they may be nested, as Checkrein takes
        them.""",
    "Beside other engines": """Four rules for a refund, and calls that pass the first three. Checkrein and the
        chains by hand decide them with all of the policy's state, the others are given the rules alone.""",
    "Growth with rules": """Beside the rules above, so many of one kind: a region whose refunds above
        an amount are denied. *Not asked*: building the policy and comparing the answers would take
        more than a minute. By hand, the regions are a dict.""",
    "Beside other engines, in Rust": """criterion's median (`tests/bench/rust`) over calls that are allowed,
        denied and escalated; what an engine takes as its input is made of a call's fields in every figure.
        Ours has the timer in it, since what follows a decision, such as its settlement, is not timed.""",
    "Around a call": """A call that does nothing and succeeds, in the wrapper. Retriers first made a call that
        fails twice and then succeeds, with three tries; breakers opened after three failures. The agent of
        LangChain calls one tool that does nothing, with a model that is a list of answers; what its
        middleware adds is the difference to the agent alone.""",
    "In Rust": """`rust/speed`: p50, and p99 in brackets, of each decision and of each settlement, the timer
        in them. *In blocks* is a call's share of 100 calls with their settlements, which are timed as one.
        Limits of four levels are in memory; with the log a run is behind its lock, as hosts have it, and the
        log is emptied after each 100 calls, outside of what is timed.""",
    "Profile of a decision": """A tool call with the log, under callgrind. A line counts for the file that it
        was written in, also where the compiler put it in place; what Rust's library and the C library do
        counts for the file that wanted it.""",
    "Profile of a decision and its settlement, from Python": """`run.decide` and `run.settle` of a
        tool call with the log, under callgrind: what 1,000 more take on the host's thread, and the loop
        around them.""",
    "Profile of loading 1,000 rules": """valgrind knows no instructions of a processor for SHA-256, so the
        digest is a smaller part of the time than of these.""",
    "From C": """`tests/native/door.c` with the static library: the least of 20 rounds, on one thread.""",
    "Many calls at once": """`guard.decide_many` on one thread, beside the same rules as numpy expressions,
        whose answers it gives. Seconds are those of a processor.""",
    "Long runs, many runs": """The engine's decisions from Python. Bytes are what the process grew by,
        for a run that has made one call, its object in Python included.""",
    "Loading and starting": """The least of some rounds, without the time to drop what was loaded; modules are
        compiled, as those of an installed package are. In brackets, the time of a processor, which a busy
        machine does not change. A `.reinc` is loaded without Lark, and from C without Python
        ([from C](#from-c)).""",
}


PACE = """ A loop of Python that does the same work each time took {least:.1f} to {most:.1f} ms, in {count}
    looks between the parts: a machine that others share is slower at times, and its load does not show it."""


def write(path: Path, rows: list[Row], *, commit: str, date: str, loads: list[float]) -> None:
    """The page, from the rows of one run."""
    machine = MACHINE.format(**machine_of(commit, date, loads))
    text = ["# Benchmarks", *paragraph(HEAD), *paragraph(HOW), *paragraph(machine + pace(rows))]
    for title, headings, lines in tables(rows):
        text += ["", f"## {title}", ""]
        text += [f"![{title}]({path.stem}/{PLOTS[title]})", ""] if title in PLOTS else []
        text += ["| " + " | ".join(headings) + " |", "|---|" + "---:|" * (len(headings) - 2) + "---|"]
        text += ["| " + " | ".join(line) + " |" for line in lines]
        text += paragraph(NOTES[title.split(":")[0]]) if title.split(":")[0] in NOTES else []
        if title == "Targets":
            text += [line for reason in reasons(rows) for line in paragraph(reason)]
    path.write_text("\n".join([*text, ""]), encoding="utf-8")


def pace(rows: list[Row]) -> str:
    """How fast the machine was from part to part, which its load does not tell."""
    took = [row["pace"] for row in rows if "pace" in row]
    return PACE.format(count=len(took), least=min(took), most=max(took)) if took else ""


def drawn(rows: list[Row]) -> dict[str, tuple[str, str, list[Row]]]:
    """What the plots show: for each file its kind, its title and its points."""
    parts = [
        {"name": ROWS[row["decide"]], "part": part.strip() + (" " if part == PARTS[3] else ""),
         "us": row[part][0], "order": order}
        for row in rows
        if row.get("decide") in ROWS
        for order, part in enumerate(PARTS)
        if all(each in row for each in PARTS)
    ]  # fmt: skip
    timed = [row for row in rows if "field" in row and "p50" in row]
    points = [
        {"name": PEERS[row["field"]], "us": row["p50"], "rules": row["many"], "whose": _whose(row["field"])}
        for row in timed
    ]
    plots = {
        "decision.svg": ("stacked", "A tool call, a model call and their settlements", parts),
        "field.svg": ("bars", "One decision", [point for point in points if point["rules"] == 0]),
        "growth.svg": ("lines", "One decision by the number of rules", [p for p in points if p["rules"]]),
    }
    return {name: plot for name, plot in plots.items() if plot[2]}


def _whose(name: str) -> str:
    if name in ("checkrein", "engine"):
        return "Checkrein"
    return "by hand" if name in ("hand", "cython", "bare") else "others"
