"""One full decision from Python beside the same rules written by hand in Python.

Each round times every contender in turn, so that a noisy machine disturbs all of them alike; answers
are compared first, since a fast wrong answer is worth nothing. A decision here is a tool call or a
model call and its settlement: facts read, rules, order, loop check, route, reservation over the
limits, settlement. The engine also makes the decision's record (which values decided, which
statements voted); the hand-written chain keeps a reason.

The engine is timed three ways: called as the guard calls it, through `run.decide` and `run.settle`, and
through them with every decision written to a log, as it is unless `log=None` is given.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

import checkrein
from checkrein import _core
from checkrein.guard.usage import Usage
from tests.bench.by_hand import ByHand

HERE = Path(__file__).resolve().parent
ROUNDS = int(os.environ.get("ROUNDS", "40"))
CALLS = 500
FACTS = {
    "data.class": "public", "customer.tier": "plus", "customer.region": "eu", "ticket.age": 86_400,
    "ticket.reopened": 1, "ticket.language": "en", "risk.score": 0.1, "risk.flagged": False,
    "step.kind": "classify", "step.confidence": 0.9,
}  # fmt: skip


ROWS = {
    "engine": "the engine alone",
    "guard": "run.decide and run.settle",
    "logged": "the same, and its log lines",
    "hand": "the same rules by hand in Python",
    "read": "reading the facts alone",
    "hash": "canonical arguments and fingerprint alone",
}


def engine_round(run: object, first: int, args: list[dict[str, object]]) -> list[int]:
    """Nanoseconds of each engine decision with its settlement."""
    took = []
    now, tool_call, settle, model_call = first, run.tool_call, run.settle, run.model_call
    clock = time.perf_counter_ns
    for number in range(CALLS):
        now += 1000
        begun = clock()
        if number % 2:
            decision = tool_call(now, 0, None, "refund", args[number], FACTS)
            settle(now, 0, decision.attempt, "exact")
        else:
            decision = model_call(now, 0, None, "large", 900, 300, FACTS)
            settle(now, 0, decision.attempt, "exact", 800, 120)
        took.append(clock() - begun)
    return took


def guard_round(run: checkrein.Run, args: list[dict[str, object]]) -> list[int]:
    """Nanoseconds of each decision with its settlement as a host asks for it."""
    took = []
    used = Usage("exact", 800, 120)
    clock = time.perf_counter_ns
    for number in range(CALLS):
        begun = clock()
        if number % 2:
            run.settle(run.decide(tool="refund", args=args[number], facts=FACTS))
        else:
            decision = run.decide(model="large", input_tokens=900, max_tokens=300, facts=FACTS)
            run.settle(decision, used)
        took.append(clock() - begun)
    return took


def hand_round(hand: ByHand, first: int, args: list[dict[str, object]]) -> list[int]:
    """Nanoseconds of each hand-written decision with its settlement."""
    took = []
    now = first
    clock = time.perf_counter_ns
    for number in range(CALLS):
        now += 1000
        begun = clock()
        if number % 2:
            hand.tool_call(now, "refund", args[number], FACTS)
            hand.settle_tool("refund")
        else:
            decision = hand.model_call(now, "large", 900, 300, FACTS)
            hand.settle_model(decision, 800, 120)
        took.append(clock() - begun)
    return took


def read_round(program: object, args: list[dict[str, object]]) -> list[int]:
    """Nanoseconds of reading the same facts across the border, and nothing else."""
    took = []
    clock = time.perf_counter_ns
    for number in range(CALLS):
        begun = clock()
        program.read("refund", args[number], FACTS)
        took.append(clock() - begun)
    return took


def hash_round(args: list[dict[str, object]]) -> list[int]:
    """Nanoseconds of the arguments' canonical form and fingerprint alone."""
    took = []
    clock = time.perf_counter_ns
    for number in range(CALLS):
        begun = clock()
        _core.fingerprint("refund", args[number])
        took.append(clock() - begun)
    return took


def same_answers(program: object) -> int:
    """Both contenders through a mixed sequence; the number of equal answers. Raises on a difference."""
    run, hand = _core.Run(program, seed=1, now=0), ByHand()
    equal = 0
    for number in range(300):
        facts = {**FACTS, "risk.score": (number % 11) / 10, "ticket.reopened": number % 13}
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
    return equal


def main() -> None:
    """Check the answers, time the rounds, print the table."""
    with tempfile.TemporaryDirectory() as folder:
        time_all(Path(folder) / "decisions.jsonl")


def time_all(log: Path) -> None:
    """Check the answers, time the rounds, print the table; decisions are logged to `log`."""
    guard = checkrein.load(HERE / "policy.rein", log=None)
    program = guard.program
    equal = same_answers(program)
    run, hand = _core.Run(program, seed=1, now=0), ByHand()
    looked = run.tool_call(1, 0, None, "search_kb", {"query": "x"}, FACTS)
    run.settle(1, 0, looked.attempt, "exact")
    hand.tool_call(1, "search_kb", {"query": "x"}, FACTS)
    hand.settle_tool("search_kb")
    plain, logged = guard.run(), checkrein.load(HERE / "policy.rein", log=log).run()
    for each in (plain, logged):
        each.settle(each.decide(tool="search_kb", args={"query": "x"}, facts=FACTS))
    took: dict[str, list[int]] = {name: [] for name in ROWS}
    for round_number in range(ROUNDS):
        args = [{"order_id": f"o{round_number}-{n}", "amount": 5_000} for n in range(CALLS)]
        first = (round_number + 1) * 10_000_000
        samples = {
            "engine": engine_round(run, first, args), "hand": hand_round(hand, first, args),
            "guard": guard_round(plain, args), "logged": guard_round(logged, args),
            "read": read_round(program, args), "hash": hash_round(args),
        }  # fmt: skip
        if round_number:  # the first round warms up
            for name, values in samples.items():
                took[name] += values
    show(took, equal)


def show(took: dict[str, list[int]], equal: int) -> None:
    """The table, with ratios to the hand-written chain of the same run."""

    def at(name: str, share: float) -> float:
        values = sorted(took[name])
        return values[min(len(values) - 1, int(len(values) * share))] / 1000

    table = Table(
        title=f"a decision and its settlement, {len(took['engine']):,} timed; {equal} answers compared first"
    )
    for heading in ("what", "p50 us", "p99 us", "p50 to by hand"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for name, label in ROWS.items():
        table.add_row(
            label, f"{at(name, 0.5):.2f}", f"{at(name, 0.99):.2f}", f"{at(name, 0.5) / at('hand', 0.5):.2f}x"
        )
    console = Console(width=110)
    console.print(table)
    console.print(
        f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores; timer overhead is in every figure"
    )


if __name__ == "__main__":
    main()
