"""The targets of the benchmark, and what holds one that was missed: all of it from measured rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.bench.bench_decide import PARTS
from tests.bench.profile import DECISION, LOAD, OTHERS, SETTLEMENT

Row = dict[str, Any]
LIVE_TARGET = "a live run in Rust, itself and what it holds"
NAMED = 4
# What only tells how the machine itself holds two threads up.
NUMBER = "one number in common"
RUST_TARGET = "a decision in Rust, all on, p50 of the slower kind, without the timer"
TOOL, MODEL = PARTS[0], PARTS[2]


def one(rows: list[Row], kind: str, name: object) -> Row:
    """The row of one kind that has a name; an empty one if it was not measured."""
    return next((row for row in rows if row.get(kind) == name), {})


def slower(row: Row) -> float:
    """The p50 of the slower kind of call, microseconds."""
    return float(max(row[TOOL][0], row[MODEL][0]))


def targets(rows: list[Row]) -> list[tuple[str, ...]]:
    """What is asked for, what was measured, and whether it is enough."""
    lines: list[tuple[str, ...]] = []

    def add(what: str, target: str, measured: str, is_met: bool) -> None:
        lines.append((what, target, measured, "met" if is_met else "**missed**"))

    logged, engine, hand = (one(rows, "decide", name) for name in ("logged", "engine", "flat"))
    if logged and engine and hand:
        add(
            "`run.decide` from Python, all on, p50 of the slower kind", "1 us",
            f"{slower(logged):.2f} us; its engine alone {slower(engine):.2f} us", slower(logged) <= 1,
        )  # fmt: skip
        add(
            "not slower than the chain by hand, both kinds",
            "1x",
            f"{logged[TOOL][0] / hand[TOOL][0]:.2f}x a tool call, {logged[MODEL][0] / hand[MODEL][0]:.2f}x a "
            "model call",
            all(logged[part][0] <= hand[part][0] for part in (TOOL, MODEL)),
        )
    add_engine(rows, add)
    add_others(rows, add)
    add_starts(rows, add)
    return lines


def add_engine(rows: list[Row], add: Any) -> None:
    """The engine in Rust, its growth and its runs."""
    timed = [row for row in rows if "decision" in row and row["log"]]
    if timed:
        timer = next(row["timer"]["p50"] for row in rows if "timer" in row)
        row = max(timed, key=lambda row: row["decision"]["p50"])
        p50 = row["decision"]["p50"] - timer
        alone = max(row["decision"]["p50"] for row in rows if "decision" in row and not row["log"]) - timer
        add(
            RUST_TARGET, "200 ns",
            f"{p50:,.0f} ns, {row['pair']['p50']:,.0f} with its settlement; without the log {alone:,.0f}",
            p50 <= 200,
        )  # fmt: skip
    asked = [row for row in rows if row.get("speed") and "allocations" in row]
    if asked:
        most = max(row["asked"] / row["calls"] for row in asked)
        add("allocations of a decision", "0", f"{most:g}", most == 0)
    for name, label in (("engine", "the engine"), ("checkrein", "`run.decide`")):
        grown = sorted((row["many"], row["p50"]) for row in rows if row.get("field") == name and "p50" in row)
        grown = [pair for pair in grown if pair[0]]
        if len(grown) > 1:
            (few, first), (many, last) = grown[0], grown[-1]
            add(
                f"from {few:,} to {many:,} rules, {label}",
                "1.3x",
                f"{last / first:.2f}x",
                last <= first * 1.3,
            )
    for row in rows:
        if row.get("speed") and "ratio" in row and row["threads"] != NUMBER:
            add(
                f"two threads to one in Rust, {row['threads']}",
                "1.8x",
                f"{row['ratio']:.2f}x",
                row["ratio"] >= 1.8,
            )
    for row in rows:
        if "bytes" in row and isinstance(row["bytes"], dict):
            add(
                LIVE_TARGET,
                "1,024 bytes",
                f"{row['bytes']['begun']:,} bytes",
                row["bytes"]["begun"] <= 1024,
            )
    past = [row["p50"] for row in rows if "history" in row]
    if past:
        add("a decision after 100,000 calls, to one after 1,000", "1.3x", f"{past[-1] / past[0]:.2f}x",
            past[-1] <= past[0] * 1.3)  # fmt: skip


def add_others(rows: list[Row], add: Any) -> None:
    """Batches, and the door for C."""
    for has_texts, what in ((False, "numbers"), (True, "texts and numbers")):
        decided = [row["millions"] for row in rows if row.get("ours") and row["texts"] == has_texts]
        if decided:
            add(f"many calls at once, columns of {what}", "50 M/s", f"{min(decided):,.0f} M/s",
                min(decided) >= 50)  # fmt: skip
    if row := one(rows, "door", "a token counted"):
        add("a token through the door for C", "10 ns", f"{row['ns']:.1f} ns", row["ns"] <= 10)


def add_starts(rows: list[Row], add: Any) -> None:
    """What starting and loading take."""
    for name, most in (("compile 1,000 rules", 1_000), ("load and verify 1,000 rules", 1)):
        if row := one(rows, "takes", name):
            add(name, f"{most:,} ms", f"{row['ms']:,.2f} ms", row["ms"] <= most)
    if row := one(rows, "starts", "import checkrein"):
        add("`import checkrein` over bare Python", "50 ms", f"{row['over']:.0f} ms", row["over"] <= 50)
    if row := next((row for row in rows if "wheel_mb" in row), None):
        add("the wheel", "5 MB", f"{row['wheel_mb']:.2f} MB", row["wheel_mb"] <= 5)


PYTHON = """**From Python**: of the {whole:.2f} us of a tool call, {read:.2f} us read its facts and
    {hash:.2f} us write and hash its arguments (each measured alone, its call from Python included).
    The engine with both takes {engine:.2f} us, `run.decide` around it {face:.2f} us more, the log
    {log:.2f} us more. Asking the clock twice is {timer:.2f} us of every figure. A profile is at the end of
    this page."""
RUST = """**In Rust**: of the {both:,} instructions of a decision and its settlement, {most}.
    The profiles are at the end of this page."""
LOADING = """**Loading**: {most} of {both:,} instructions; the profile is at the end of this page."""
LIVE = """**A live run**: {own:,} of its {begun:,} bytes are the run itself, the others what
    it has asked for when it begins: accounts of four levels, and what statements remember."""
GROWTH = """**Growth**: with {many:,} rules a decision takes {ratio:.1f} times as long as with {few:,}:
    {each:.1f} ns more a rule, so rules are still walked that cannot hold."""
THREADS = """**Two threads** of one organisation reach {common:.2f}x: its accounts are behind one lock,
    which is held for a whole event, and that lock, what is behind it and each account are memory that goes
    from one core to the other with every call. Threads that have nothing in common but one number, to which
    each decision and each settlement adds, reach {number:.2f}x here: what any accounts of both could reach
    at most, since they are several numbers. With nothing in common at all, {nothing:.2f}x are what the
    machine gave them. [What was tried instead](ARCHITECTURE.md#decisions-taken-while-building) was no
    better. An agent's thread waits for models and tools most of its time."""
BUSY = """The machine was busy while this was measured (load average {load:.1f} on {cores} cores):
    times of a wall clock are longer than on a quiet one, and two threads had no two cores to themselves.
    Counts stand; a ratio of few rounds moves."""


def most(*profiles: Row) -> Row:
    """All instructions of some profiles, and the files that have the most of them."""
    both = sum(row["instructions"] for row in profiles)
    counted: Counter[str] = Counter()
    for row in profiles:
        counted.update({file: count for file, count, _ in row["files"] if file != OTHERS})
    named = [f"{count / both:.0%} are of `{file}`" for file, count in counted.most_common(NAMED)]
    return {"both": both, "most": " and ".join([", ".join(named[:-1]), named[-1]])}


def reasons(rows: list[Row]) -> Iterator[str]:
    """What holds a target that was missed."""
    missed = {line[0] for line in targets(rows) if line[3] != "met"}
    logged, guard, engine = (one(rows, "decide", name) for name in ("logged", "guard", "engine"))
    if any("from Python" in what or "by hand" in what for what in missed):
        read, hashed, timer = (one(rows, "decide", name)[TOOL][0] for name in ("read", "hash", "timer"))
        yield PYTHON.format(
            whole=logged[TOOL][0], read=read, hash=hashed, timer=timer, engine=engine[TOOL][0],
            face=guard[TOOL][0] - engine[TOOL][0], log=logged[TOOL][0] - guard[TOOL][0],
        )  # fmt: skip
    profiled = {row["profile"]: row for row in rows if "profile" in row}
    if RUST_TARGET in missed and {DECISION, SETTLEMENT} <= profiled.keys():
        yield RUST.format(**most(profiled[DECISION], profiled[SETTLEMENT]))
    if LIVE_TARGET in missed:
        yield LIVE.format(**next(row["bytes"] for row in rows if isinstance(row.get("bytes"), dict)))
    if "load and verify 1,000 rules" in missed and LOAD in profiled:
        yield LOADING.format(**most(profiled[LOAD]))
    grown = sorted((row["many"], row["p50"]) for row in rows if row.get("field") == "engine" and "p50" in row)
    grown = [pair for pair in grown if pair[0]]
    if any("rules, the engine" in what for what in missed):
        (few, first), (many, last) = grown[0], grown[-1]
        yield GROWTH.format(few=few, many=many, ratio=last / first, each=(last - first) * 1000 / (many - few))
    if any(what.startswith("two threads") for what in missed):
        names = {"common": "one organisation", "number": NUMBER, "nothing": "nothing in common"}
        yield THREADS.format(**{key: one(rows, "threads", name)["ratio"] for key, name in names.items()})
    load = next((row for row in rows if "load" in row), None)
    if load and load["load"] > load["cores"]:
        yield BUSY.format(**load)
