"""One full decision from Python beside the same rules written by hand in Python.

Each round times every contender in turn, so that a noisy machine disturbs all of them alike; answers
are compared first, since a fast wrong answer is worth nothing. A decision is that of a tool call or a
model call: facts read, rules, order, loop check, route, reservation on four levels (run, session, user,
organisation), fingerprint of the arguments. Its settlement is timed apart.

The engine is timed as the guard calls it, through `run.decide` and `run.settle`, and through them with
every decision written to the log, as it is unless `log=None` is given. By hand there is the same chain
with arguments hashed as JSON, hashed as a flat tuple, and with a line of JSON for each event.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import checkrein
from checkrein import _core
from checkrein.guard.usage import Usage
from tests.bench.by_hand import Books, ByHand, Recorded, by_json, by_pairs

HERE = Path(__file__).resolve().parent
ROUNDS = int(os.environ.get("ROUNDS", "40"))
CALLS = 500
FACTS = {
    "data.class": "public", "customer.tier": "plus", "customer.region": "eu", "ticket.age": 86_400,
    "ticket.reopened": 1, "ticket.language": "en", "risk.score": 0.1, "risk.flagged": False,
    "step.kind": "answer", "step.confidence": 0.9,
}  # fmt: skip
SCOPES = {"session": "session 1", "user": "user 1", "org": "org 1"}

ROWS = {
    "engine": "the engine alone",
    "guard": "run.decide, run.settle",
    "logged": "the same, with the log",
    "flat": "by hand, flat arguments",
    "hand": "by hand, any arguments",
    "recorded": "the same, with its log",
    "read": "reading the facts alone",
    "hash": "arguments' fingerprint alone",
    "timer": "the timer alone",
}
PARTS = ("tool call", "its settlement", "model call", "its settlement ")
Timed = dict[str, list[int]]
clock = time.perf_counter_ns


def no_times() -> Timed:
    """What a round fills: nanoseconds of each part."""
    return {part: [] for part in PARTS}


def engine_round(run: Any, first: int, args: list[dict[str, object]]) -> Timed:
    """The engine's decisions, as the guard asks for them."""
    took, now = no_times(), first
    tool, tool_settled, model, model_settled = (took[part].append for part in PARTS)
    tool_call, settle, model_call = run.tool_call, run.settle, run.model_call
    for number in range(CALLS):
        now += 1000
        if number % 2:
            begun = clock()
            decision = tool_call(now, 0, None, "refund", args[number], FACTS)
            decided = clock()
            settle(now, 0, decision.attempt, "exact")
            settled = clock()
            tool(decided - begun)
            tool_settled(settled - decided)
        else:
            begun = clock()
            decision = model_call(now, 0, None, "large", 900, 300, FACTS)
            decided = clock()
            settle(now, 0, decision.attempt, "exact", 800, 120)
            settled = clock()
            model(decided - begun)
            model_settled(settled - decided)
    return took


def guard_round(run: checkrein.Run, args: list[dict[str, object]]) -> Timed:
    """Decisions as a host asks for them."""
    took, used = no_times(), Usage("exact", 800, 120)
    tool, tool_settled, model, model_settled = (took[part].append for part in PARTS)
    for number in range(CALLS):
        if number % 2:
            begun = clock()
            decision = run.decide(tool="refund", args=args[number], facts=FACTS)
            decided = clock()
            run.settle(decision)
            settled = clock()
            tool(decided - begun)
            tool_settled(settled - decided)
        else:
            begun = clock()
            decision = run.decide(model="large", input_tokens=900, max_tokens=300, facts=FACTS)
            decided = clock()
            run.settle(decision, used)
            settled = clock()
            model(decided - begun)
            model_settled(settled - decided)
    return took


def hand_round(hand: ByHand | Recorded, first: int, args: list[dict[str, object]]) -> Timed:
    """The hand-written chain's decisions."""
    took, now = no_times(), first
    tool, tool_settled, model, model_settled = (took[part].append for part in PARTS)
    for number in range(CALLS):
        now += 1000
        if number % 2:
            begun = clock()
            hand.tool_call(now, "refund", args[number], FACTS)
            decided = clock()
            hand.settle_tool("refund")
            settled = clock()
            tool(decided - begun)
            tool_settled(settled - decided)
        else:
            begun = clock()
            decision = hand.model_call(now, "large", 900, 300, FACTS)
            decided = clock()
            hand.settle_model(decision, 800, 120)
            settled = clock()
            model(decided - begun)
            model_settled(settled - decided)
    return took


def part_round(part: Callable[[dict[str, object]], object], args: list[dict[str, object]]) -> Timed:
    """One part of a tool call's decision, and nothing else."""
    took = no_times()
    append = took["tool call"].append
    for each in args:
        begun = clock()
        part(each)
        append(clock() - begun)
    return took


def timer_round() -> Timed:
    """What asking the clock twice takes: it is in every figure."""
    took = no_times()
    append = took["tool call"].append
    for _ in range(CALLS):
        begun = clock()
        append(clock() - begun)
    return took


def same_answers(program: Any, fingerprint: Callable[..., int]) -> int:
    """Both contenders through a mixed sequence; the number of equal answers. Raises on a difference."""
    run = _core.Run(program, seed=1, now=0, ledger=_core.Ledger.memory(), **SCOPES)
    hand = ByHand(Books(), fingerprint)
    equal = 0
    for number in range(300):
        facts = {**FACTS, "risk.score": (number % 11) / 10, "ticket.reopened": number % 13}
        facts["step.kind"] = "classify" if number % 3 else "answer"
        if number % 5 == 0:
            ours = run.tool_call(number, 0, None, "search_kb", {"query": f"q{number}"}, facts)
            theirs = hand.tool_call(number, "search_kb", {"query": f"q{number}"}, facts)
        elif number % 2:
            arguments = {"order_id": f"o{number}", "amount": number * 61}
            ours = run.tool_call(number, 0, None, "refund", arguments, facts)
            theirs = hand.tool_call(number, "refund", arguments, facts)
        else:
            ours = run.model_call(number, 0, None, "large", 900, 300, facts)
            theirs = hand.model_call(number, "large", 900, 300, facts)
        if (ours.outcome, ours.by, ours.model) != (theirs["outcome"], theirs["by"], theirs["model"]):
            raise SystemExit(
                f"call {number} differs: {ours.outcome} {ours.by} {ours.model}, by hand {theirs}"
            )
        equal += 1
        if ours.outcome == "allow":
            if ours.event == "model call":
                run.settle(number, 0, ours.attempt, "exact", 800, 120)
                hand.settle_model(theirs, 800, 120)
            else:
                run.settle(number, 0, ours.attempt, "exact")
                hand.settle_tool("search_kb" if number % 5 == 0 else "refund")
    same_spending(run, hand)
    return equal


def same_spending(run: Any, hand: ByHand) -> None:
    """All four levels have spent the same. Raises on a difference."""
    ours = {(row["name"], row["dimension"]): row["spent"] for row in run.limits()}
    for name, account in zip(hand.names, hand.accounts, strict=True):
        theirs = {"cost": account.cost, "tool_calls": account.tool_calls}
        for dimension, spent in theirs.items():
            if ours[name, dimension] != spent:
                raise SystemExit(f"`{name}` has {dimension} {ours[name, dimension]}, by hand {spent}")


def main() -> None:
    """Check the answers, time the rounds, print the table."""
    program = checkrein.load(HERE / "policy.rein", log=None, store="memory:").program
    equal = sum(same_answers(program, fingerprint) for fingerprint in (by_json, by_pairs))
    with tempfile.TemporaryDirectory() as folder:
        show(time_all(Path(folder), ROUNDS), equal)


def time_all(folder: Path, rounds: int) -> dict[str, Timed]:
    """Nanoseconds of every part of every contender; logs go to the folder."""
    guard = checkrein.load(HERE / "policy.rein", log=None, store="memory:")
    logging = checkrein.load(HERE / "policy.rein", log=folder / "decisions.jsonl", store="memory:")
    program = guard.program
    run = _core.Run(program, seed=1, now=0, ledger=_core.Ledger.memory(), **SCOPES)
    looked = run.tool_call(1, 0, None, "search_kb", {"query": "x"}, FACTS)
    run.settle(1, 0, looked.attempt, "exact")
    hands: dict[str, Any] = {"hand": ByHand(), "flat": ByHand(fingerprint=by_pairs)}
    took: dict[str, Timed] = {name: no_times() for name in ROWS}
    with (folder / "by_hand.jsonl").open("w", encoding="utf-8") as file:
        hands["recorded"] = Recorded(ByHand(), file)
        for hand in hands.values():
            hand.tool_call(1, "search_kb", {"query": "x"}, FACTS)
            hand.settle_tool("search_kb")
        plain, logged = guard.run(**SCOPES), logging.run(**SCOPES)
        for each in (plain, logged):
            each.settle(each.decide(tool="search_kb", args={"query": "x"}, facts=FACTS))
        for number in range(rounds + 1):
            args = [{"order_id": f"o{number}-{n}", "amount": 5_000} for n in range(CALLS)]
            first = (number + 1) * 10_000_000
            samples = {
                "engine": engine_round(run, first, args), "guard": guard_round(plain, args),
                "logged": guard_round(logged, args),
                **{name: hand_round(hand, first, args) for name, hand in hands.items()},
                "read": part_round(lambda each: program.read("refund", each, FACTS), args),
                "hash": part_round(lambda each: _core.fingerprint("refund", each), args),
                "timer": timer_round(),
            }  # fmt: skip
            if number:  # the first round warms up
                for name, values in samples.items():
                    for part in PARTS:
                        took[name][part] += values[part]
    return took


def at(values: list[int], share: float) -> float:
    """Microseconds below which this share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] / 1000


def show(took: dict[str, Timed], equal: int) -> None:
    """The table: the median of each part, the slowest percent, and the ratio to the faster hand."""
    table = Table(
        title=f"a decision and its settlement, p50 and p99 in us; {equal} answers compared first",
    )
    table.add_column("what")
    for part in PARTS:
        table.add_column(part.strip(), justify="right")
    table.add_column("all, to by hand", justify="right")
    least = sum(at(took["flat"][part], 0.5) for part in PARTS)
    for name, label in ROWS.items():
        cells = [
            f"{at(values, 0.5):.2f} {at(values, 0.99):6.2f}" if values else "-"
            for values in took[name].values()
        ]
        whole = all(took[name].values())
        ratio = sum(at(took[name][part], 0.5) for part in PARTS) / least if whole else 0
        table.add_row(label, *cells, f"{ratio:.2f}x" if whole else "-")
    console = Console(width=120)
    console.print(table)
    console.print(
        f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores; timer overhead is in every figure"
    )


if __name__ == "__main__":
    main()
