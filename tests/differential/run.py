"""Holds the two engines against each other over random policies and events, and reports what differs.

    python -m tests.differential.run --runs 100000 --seed 1 --jobs 2 --resume differential.json

Prints the mix of what was tried. Exit 1 on a difference, with the smallest policy and events found.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

from tests.both import Compiled, Event, Hosted, Walked, load

from .generate import Made, Maker
from .limits import FEATURES
from .minimise import Minimiser, Scene
from .party import Party

RUNS_A_POLICY = 5
EVENTS_MAX = 60
BATCH = 20
OUTCOMES = ("allow", "reuse", "answer", "wait", "escalate", "deny", "fail", "stop")
STATEMENTS = (
    "model tool queue state fact define clock limit retry breaker require route order loop truth rule test"
    " store observe".split()
)

OF_ORDERS = ("matching", "again after")
ALSO = (
    "wrapped up", "parties", "children", "adjusted", "resumed", "kept", "loop at a model", "climbed",
    "stayed", "sooner", "observed",
)  # fmt: skip


class Difference(Exception):
    """The engines differ; holds the text that reports it."""


def policy_of(seed: int, number: int) -> Made:
    """The policy of a number, the same for the same seed."""
    return Maker(Random(f"{seed} policy {number}")).policy()


def first_difference(walked: Hosted, compiled: Hosted, run: str, event: Event) -> tuple[Any, str | None]:
    """The reference's answer to an event of a run, and how the compiled engine's differs, if it does."""
    ours, theirs = walked.do(run, event), compiled.do(run, event)
    told = difference_of(ours, theirs) or difference_of(walked.standing(), compiled.standing())
    return ours, told


def difference_of(ours: Any, theirs: Any) -> str | None:
    """The first field in which two answers differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        for field, value in ours.items():
            if value != theirs[field] or type(value) is not type(theirs[field]):
                return f"{field}: the reference says {value!r}, the engine {theirs[field]!r}"
        return None
    return None if ours == theirs else f"the reference says {ours!r}, the engine {theirs!r}"


# -- one run --------------------------------------------------------------------------------------


def one_run(made: Made, loaded: tuple, seed: int, number: int, mix: Counter) -> None:
    """Drive both engines through one random run; raises Difference at the first one."""
    chance = Random(f"{seed} run {number}")
    run_seed = chance.getrandbits(64)
    begun = chance.choice([0, 1_800_000_000 * 10**9])
    party, events = Party(chance, made, begun), []
    scene = Scene(party.runs, run_seed, begun, party.wall)
    walked, compiled = scene.play(Walked, loaded[0]), scene.play(Compiled, loaded[1])
    for _ in range(EVENTS_MAX + 20 * (len(party.runs) - 1)):
        run, event = party.next()
        events.append((run, event))
        answer, told = first_difference(walked, compiled, run, event)
        if told:
            report = Minimiser(first_difference, scene).report(made.statements, events, told)
            raise Difference(f"the engines differ (seed {seed}, run {number})\n{report}")
        count_answer(mix, event, answer)
        party.hosts[run].saw(event, answer)
        if party.is_over:
            break
    mix["runs"] += 1
    mix["parties"] += len(party.runs) > 1
    mix["children"] += any("parent" in whose for whose in party.runs.values())


def count_answer(mix: Counter, event: Event, answer: Any) -> None:
    """Add an answer to the mix."""
    mix["events"] += 1
    if answer is None and event[0] == "resume":
        mix["resumed"] += 1
    elif answer is None and event[0] == "suspend":
        mix["kept"] += bool(event[1]["keep"])
    if not isinstance(answer, dict):
        return
    if "error" in answer:
        mix["misuses"] += 1
    elif event[0] == "adjust":
        mix["adjusted"] += 1
    elif "outcome" in answer:
        mix["decisions"] += 1
        mix[f"outcome {answer['outcome']}"] += 1
        kind = answer["kind"]
        mix["by " + (f"built-in: {answer['by']}" if kind == "built-in" else kind or "nothing")] += 1
        mix["loop at a model"] += kind == "loop" and answer["event"] == "model call"
        mix["undecided"] += answer["undecided"]
        mix["with advice"] += bool(answer["advice"])
        mix["wrapped up"] += answer["wrap_up"]
        mix["observed"] += bool(answer["would"])
        mix["stayed"] += answer["stayed"]
        mix["climbed"] += answer["event"] == "model result" and answer["outcome"] == "wait"
        mix["sooner"] += answer["may_be_sooner"]


def batch(seed: int, first: int, count: int) -> tuple[Counter, str | None]:
    """Some policies with all their runs: the mix, and a report if the engines differ."""
    mix: Counter = Counter()
    for number in range(first, first + count):
        made = policy_of(seed, number)
        loaded = load(made.source)
        mix["policies"] += 1
        mix.update(f"statement {kind}" for kind in made.kinds)
        for run in range(RUNS_A_POLICY):
            try:
                one_run(made, loaded, seed, number * RUNS_A_POLICY + run, mix)
            except Difference as difference:
                return mix, str(difference)
    return mix, None


# -- many runs ------------------------------------------------------------------------------------


def many(runs: int, seed: int, jobs: int, resume: Path | None = None) -> tuple[Counter, str | None]:
    """That many runs at least, over `jobs` processes; a resumed file holds what was done before."""
    mix, done = resumed(resume, seed)
    policies = -(-runs // RUNS_A_POLICY)
    starts = [(first, min(BATCH, policies - first)) for first in range(done, policies, BATCH)]
    with ProcessPoolExecutor(jobs) as pool:
        for group in range(0, len(starts), jobs * 4):
            chosen = starts[group : group + jobs * 4]
            for part, report in pool.map(batch, [seed] * len(chosen), *zip(*chosen, strict=True)):
                mix.update(part)
                if report:
                    pool.shutdown(cancel_futures=True)
                    return mix, report
            if resume:
                done = chosen[-1][0] + chosen[-1][1]
                resume.write_text(json.dumps({"seed": seed, "policies": done, "mix": mix}), "utf-8")
    return mix, None


def resumed(file: Path | None, seed: int) -> tuple[Counter, int]:
    """What an earlier, interrupted command with this seed has done already."""
    if file is None or not file.exists():
        return Counter(), 0
    kept = json.loads(file.read_text("utf-8"))
    return (Counter(kept["mix"]), kept["policies"]) if kept["seed"] == seed else (Counter(), 0)


def shares(mix: Counter) -> dict[str, float]:
    """The outcomes as shares of the decisions, the statements as shares of the policies."""
    outcomes = {f"outcome {each}": mix[f"outcome {each}"] / max(1, mix["decisions"]) for each in OUTCOMES}
    policies = max(1, mix["policies"])
    kinds = [*STATEMENTS, *FEATURES, *OF_ORDERS, "succeeds when"]
    return outcomes | {f"statement {each}": mix[f"statement {each}"] / policies for each in kinds}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", type=Path)
    options = parser.parse_args()
    begun = time.monotonic()
    mix, report = many(options.runs, options.seed, options.jobs, options.resume)
    elapsed = time.monotonic() - begun
    for name in ("policies", "runs", "events", "decisions", "misuses", "undecided", "with advice", *ALSO):
        print(f"{name:24} {mix[name]:10,}")
    for name, share in shares(mix).items():
        print(f"{name:24} {share:10.1%}")
    for name in sorted(name for name in mix if name.startswith("by ")):
        print(f"{name:27} {mix[name] / mix['decisions']:7.1%}")
    print(f"{'seconds':24} {elapsed:10.1f}")
    print(report or "no difference")
    return 1 if report else 0


if __name__ == "__main__":
    sys.exit(main())
