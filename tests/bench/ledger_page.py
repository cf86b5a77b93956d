"""What the ledger's benchmark says: its rows as tables, on the terminal and in docs/benchmarks-ledger.md.

Every figure comes from the rows of one run. A target that was missed is told beside its reason.
"""

from __future__ import annotations

import os
import platform
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Lines = list[tuple[str, ...]]

RUST = {
    "local": "books alone, in memory: no lock, no store",
    "look": "of it, looking for room in all four",
    "leased": "books alone, leased from a store in this process",
    "sqlite": "a ledger: its lock, its thread, SQLite",
    "sqlite records": "the same, and a record of each attempt",
    "sqlite durable": "the same, each record first in the journal (`durable=True`)",
    "engine": "a ledger, and the engine's whole decision with its settlement",
}

NO_SETTLE = (
    "no settle: the worst case is charged; not all or nothing: levels before a refusal are charged too"
)
NOTHING_KEPT = "a crash of the server loses all"
ROWS = {
    "memory": ("Checkrein, `memory:`", "limits are this process's alone"),
    "sqlite": ("Checkrein, SQLite", "-"),
    "durable": ("Checkrein, SQLite, `durable=True`", "-"),
    "redis": ("Checkrein, Redis, `appendfsync always`", "-"),
    "hand": ("a dict and a lock, by hand", "one process, nothing is kept, one price, no reasons, no records"),
    "limits": ("`limits`, fixed window in memory", f"{NO_SETTLE}; one process, nothing is kept"),
    "pyrate": ("`pyrate-limiter`, bucket in memory", f"{NO_SETTLE}; one process, nothing is kept"),
    "lua": ("Redis, a script to reserve, one to settle", f"{NOTHING_KEPT}; no windows, no prices"),
    "lua-safe": ("the same, `appendfsync always`", "stops with the server; no windows, no prices"),
    "limits-redis": ("`limits`, fixed window on Redis", f"{NO_SETTLE}; {NOTHING_KEPT}"),
}  # fmt: skip


def of(rows: list[Row], kind: str, name: object) -> Row | None:
    """The row of one kind that has a name."""
    return next((row for row in rows if row.get(kind) == name), None)


def tables(rows: list[Row]) -> Iterator[tuple[str, tuple[str, ...], Lines]]:
    """Title, headings and lines of every table that the rows fill."""
    for table in (targets, rust, python, threads, trips, accounts, starts):
        title, headings, lines = table(rows)
        if lines:
            yield title, headings, lines


def rust(rows: list[Row]) -> tuple[str, tuple[str, ...], Lines]:
    lines = [
        (
            RUST[row["decisions"]], f"{row['p50']:.0f}", f"{row['least']:.0f} to {row['most']:.0f}",
            f"{row['p99']:.0f}", f"{row['single_p99']:.0f}",
            f"{row['allocations']:.1f}", str(row["waits"]),
        )
        for row in rows
        if "decisions" in row and "p50" in row
    ]  # fmt: skip
    return (
        "In Rust: reserve and settle over a run, a session, a user and an organisation",
        ("what", "p50 ns", "in three runs", "p99 ns", "p99 of single ones ns", "allocations", "waits"),
        lines,
    )


def python(rows: list[Row]) -> tuple[str, tuple[str, ...], Lines]:
    lines = []
    hand = of(rows, "python", "hand")
    for row in rows:
        if hand and row.get("python") in ROWS:
            label, lacks = ROWS[row["python"]]
            times = f"{row['p50'] / hand['p50']:.1f}x"
            lines.append((label, f"{row['p50']:.1f}", f"{row['p99']:.1f}", times, lacks))
    headings = ("what", "p50 us", "p99 us", "p50 to by hand", "what it does not do")
    return "From Python: one attempt, reserve and settle, on the same four levels", headings, lines


def threads(rows: list[Row]) -> tuple[str, tuple[str, ...], Lines]:
    lines = [
        (row["threads"], f"{row['one'] / 1e6:.2f}", f"{row['two'] / 1e6:.2f}", f"{row['ratio']:.2f}x")
        for row in rows
        if "threads" in row
    ]
    headings = ("runs of each thread's own, with", "one thread, millions/s", "two threads", "ratio")
    return "Threads", headings, lines


def trips(rows: list[Row]) -> tuple[str, tuple[str, ...], Lines]:
    lines = [
        (
            f"{row['trips']:,} a second" if row["trips"] else "as many as possible",
            f"{row['decisions']:,}", f"{row['round_trips']:,}", f"{row['each']:,}", str(row["waits"]),
        )
        for row in rows
        if "trips" in row
    ]  # fmt: skip
    headings = ("load", "decisions in 3 s", "round trips", "decisions each", "waits for a lease")
    return "Round trips to the store", headings, lines


def accounts(rows: list[Row]) -> tuple[str, tuple[str, ...], Lines]:
    lines = [
        (
            f"{row['keys']} accounts", f"{row['count']:,}", f"{row['each']}",
            f"{row['bytes'] / 2**30:.2f}", f"{row['seconds'] * 1e6 / row['count']:.1f}",
            f"{row['request_us']:.0f}" if "requests" in row else "-",
            f"{row['request_p99']:.0f}" if "requests" in row else "-",
        )
        for row in rows
        if "keys" in row
    ]  # fmt: skip
    headings = (
        "what",
        "live",
        "bytes each",
        "GiB",
        "us to open each",
        "us of the lock a request p50",
        "p99",
    )
    return "Many accounts", headings, lines


def starts(rows: list[Row]) -> tuple[str, tuple[str, ...], Lines]:
    lines = [
        (
            f"{row['start']}", f"{row['records']:,}", f"{row['opened']:.2f}", f"{row['admitted']:.2f}",
            f"{row['longest']:.2f}", f"{row['adopted']:.2f}", f"{row['peak_mib']:,}",
        )
        for row in rows
        if "start" in row
    ]  # fmt: skip
    headings = (
        "journals of dead processes",
        "records",
        "s open",
        "s first call",
        "s longest wait for a lease",
        "s all in the store",
        "MiB at most",
    )
    return "A start after crashes", headings, lines


def targets(rows: list[Row]) -> tuple[str, tuple[str, ...], Lines]:
    lines: Lines = []

    def add(what: str, target: str, measured: str, is_met: bool) -> None:
        lines.append((what, target, measured, "met" if is_met else "**missed**"))

    for name, what, most in (("local", "in memory", 50), ("sqlite durable", "with a durable record", 300)):
        if row := of(rows, "decisions", name):
            measured = f"{row['p50']:.0f} ns ({row['least']:.0f} to {row['most']:.0f})"
            add(f"reserve and settle {what}", f"{most} ns", measured, row["p50"] <= most)
    if row := of(rows, "threads", "engine with a ledger"):
        own = of(rows, "threads", "engine with books of their own") or {"ratio": 0}
        measured = f"{row['ratio']:.2f}x; {own['ratio']:.2f}x if they share nothing"
        add("two threads to one, whole decisions", "1.8x", measured, row["ratio"] >= 1.8)
    if row := of(rows, "trips", 10_000):
        add("decisions a round trip, at 10,000 a second", "300", f"{row['each']:,}", row["each"] >= 300)
    if live := [row for row in rows if row.get("keys") == "leased"]:
        size, least = live[-1]["bytes"] / 2**30, live[-1]["count"] / 1e6
        add(f"{live[-1]['count']:,} leased accounts", f"{least:g} GiB", f"{size:.2f} GiB", size <= least)
    crashed = [row for row in rows if "start" in row]
    if crashed:
        row = crashed[-1]
        what = f"first call of a start beside {row['records']:,} records of dead processes"
        add(what, "2 s", f"{row['admitted']:.2f} s", row["admitted"] <= 2)
    return "Targets", ("what", "target", "measured", ""), lines


# A target that is missed: why, with what the run measured.
REASONS = {
    "memory": """**In memory**: {local:.0f} ns are twelve calls into the books, {each:.1f} ns each:
        `room`, `take` and `settle` of each of four accounts. {look:.0f} ns are spent on looking,
        {rest:.0f} ns on taking and settling. Each call finds its account by number again, compares its
        generation and its authority and looks whether its window is over; every sum is checked. Nothing
        is allocated.""",
    "durable": """**With a durable record**: {lock:.0f} ns are the accounts under the lock, {make:.0f} ns
        make the record and pass it on, {push:.0f} ns are its bytes, their check and their copy into the
        mapped file.""",
    "threads": """**Two threads**: the books of a ledger have one lock, which an event of the engine holds
        from its first look at an account to its last. Two threads that do nothing but decide find it
        taken nearly always, and one that does goes to sleep in the kernel. Behind a lock that is held for
        an addition two threads reach {empty:.2f}x here, with nothing shared {own:.2f}x. An agent's thread
        spends its time in models and tools, and under Python's global lock two never decide at once.""",
    "busy": """**Two threads**: the second core was not free. Threads that share nothing reached {own:.2f}x,
        so this run says nothing of the lock; run it again on an idle machine.""",
    "start": """**A start after crashes**: the ledger's thread takes the journals of dead processes to the
        store before it asks for the first lease.""",
}


def reasons(rows: list[Row]) -> Iterator[str]:
    """Why a target is missed."""
    took = {row["decisions"]: row["p50"] for row in rows if "decisions" in row and "p50" in row}
    if took.get("local", 0) > 50:
        local, look = took["local"], took["look"]
        yield REASONS["memory"].format(local=local, each=local / 12, look=look, rest=local - look)
    if took.get("sqlite durable", 0) > 300:
        lock, record, all_of_it = took["sqlite"], took["sqlite records"], took["sqlite durable"]
        yield REASONS["durable"].format(lock=lock, make=record - lock, push=all_of_it - record)
    whole = of(rows, "threads", "engine with a ledger")
    own = of(rows, "threads", "engine with books of their own")
    empty = of(rows, "threads", "a lock and nothing behind it")
    if whole and own and empty and whole["ratio"] < 1.8:
        text = REASONS["busy" if own["ratio"] < 1.3 else "threads"]
        yield text.format(own=own["ratio"], empty=empty["ratio"])
    if any("start" in row and row["admitted"] > 2 for row in rows):
        yield REASONS["start"]


HEAD = """`make bench-ledger` measures what limits wider than a run cost and writes this page; no figure
    is typed in. Contenders first have to admit exactly as many calls as the bound has room for. Then each
    round times all of them in turn. `make bench` times a run's own decisions:
    [benchmarks](benchmarks.md)."""
MACHINE = """Commit {commit}, {date}; {cores} cores, {machine}, {system} {release}, Python {python}; load
    average {begin:.2f} when it began, {end:.2f} when it ended (the benchmark itself is 1 to 2 of it)."""
COLD = """Leases grow with use: the first {cold:,} calls of a process, made as fast as they can be, waited
    {cold_waits} times for SQLite and took {cold_ms:.0f} ms in all. In the rounds above there were {waits}
    waits in {count:,} calls."""
NOTES = {
    "In Rust": """Three processes, the one in the middle by its times. p50 and p99 are of blocks of 100
        calls, a call's share of its block; the next column is of calls timed one by one, with the timer
        in them. The host's reading of its clocks is in none. *Waits* are blocks that ran out of their
        lease and were timed anew.""",
    "From Python": """A call's waits for a lease are in its time. Nothing is written to the decision log
        (`log=None`). Redis runs on the same machine, over loopback.""",
    "Many accounts": """All are live: opened, leased from, used. Then each reports what it spent, 64 in a
        request. The lock is held for the request and for its answer; the store's part is not in it.""",
    "A start after crashes": """A journal is a ring of 4 MiB, so a million records are the journals of
        many dead processes.""",
}


def cold(rows: list[Row]) -> list[str]:
    """What the first calls of a process wait for."""
    row = of(rows, "python", "sqlite")
    return paragraph(COLD.format(**row)) if row else []


def paragraph(text: str) -> list[str]:
    """A paragraph of the page, after an empty line."""
    lines = textwrap.wrap(" ".join(text.split()), 116, break_long_words=False, break_on_hyphens=False)
    return ["", *lines]


def machine_of(commit: str, date: str, loads: list[float]) -> Row:
    """What a page says of where and when it was measured."""
    return {
        "commit": commit, "date": date, "cores": os.cpu_count(), "machine": platform.machine(),
        "system": platform.system(), "release": platform.release(), "python": platform.python_version(),
        "begin": loads[0], "end": loads[-1],
    }  # fmt: skip


def write(path: Path, rows: list[Row], *, commit: str, date: str, loads: list[float]) -> None:
    """The page, from the rows of one run."""
    machine = MACHINE.format(**machine_of(commit, date, loads))
    text = ["# Benchmarks of the ledger", *paragraph(HEAD), *paragraph(machine)]
    for title, headings, lines in tables(rows):
        text += ["", f"## {title}", "", "| " + " | ".join(headings) + " |"]
        text += ["|---|" + "---:|" * (len(headings) - 2) + "---|"]
        text += ["| " + " | ".join(line) + " |" for line in lines]
        kind = title.split(":")[0]
        text += paragraph(NOTES[kind]) if kind in NOTES else []
        text += cold(rows) if kind == "From Python" else []
        if title == "Targets":
            text += [line for reason in reasons(rows) for line in paragraph(reason)]
    path.write_text("\n".join([*text, ""]), encoding="utf-8")
