"""Drives both policies of random pairs through the same events, and holds what comes to what was told.

    python -m tests.difference.run --pairs 2000 --seed 1

Up to the first event that they decide in two ways both runs are the same. That event has to be what the
comparison says of its decision point. Prints how often each verdict came; exit 1 if one was wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from random import Random
from typing import Any

from checkrein import _core
from checkrein.difference import Difference, compared
from checkrein.difference.verdict import MODELS, Lean, Point, Sure, joined
from checkrein.errors import PolicyError
from checkrein.language.emit import emit
from checkrein.language.lower import lower
from tests.both import Compiled
from tests.differential.hosts import Clock, Host

from .pairs import pair_of

RUNS = 6
EVENTS = 50
KEY = "error outcome model output_cap state queue wants timeout_ns wait_ns wrap_up expires_at".split()
DECIDED = ("model_call", "tool_call", "error", "result")
PEOPLE = 8
"""How many approvals one call is given, to see if it passes then."""


class Wrong(Exception):
    """A verdict that an event refutes; holds what happened."""


def pair(seed: int, number: int, mix: Counter) -> None:
    """One pair with some runs; raises `Wrong`."""
    made, old, new = pair_of(seed, number)
    try:
        found, *policies = compared(old, new, ("old.rein", "new.rein"))
    except PolicyError:
        mix["no policies"] += 1
        return
    mix["pairs"] += 1
    mix[f"policies {found.whole.verdict}"] += 1
    programs = [_core.Program.load(emit(lower(policy))) for policy in policies]
    for point in found.points:
        mix[f"points {found.lean(point).verdict}"] += 1
    for run in range(RUNS):
        try:
            one_run(Random(f"{seed} pair {number} run {run}"), made, programs, found, mix)
        except Wrong as wrong:
            raise Wrong(f"pair {number} of seed {seed}, run {run}\n{old}\n---\n{new}\n---\n{wrong}") from None


def one_run(chance: Random, made: Any, programs: list[Any], found: Difference, mix: Counter) -> None:
    """The same events for both, up to the first that is decided in two ways."""
    clock = Clock(chance, chance.choice([0, 10**9]))
    host = Host(chance, made, clock)
    whose = {each: f"{each}{chance.choice('12')}" for each in ("session", "user", "team", "org")}
    keys = {"acct.id": "acme", "acct.tier": "free"}
    runs = [
        Compiled(program, Compiled.world(), 7, clock.now, clock.wall, **whose, keys=keys, id="r")
        for program in programs
    ]
    for _ in range(EVENTS):
        if host.is_over:
            return
        clock.move()
        event = with_wall(host.next(), clock)
        at = point_of(host, event)
        answers = [run.do(event) for run in runs]
        mix["events"] += 1
        if event[0] in DECIDED and key(answers[0]) != key(answers[1]):
            hold(found, at, runs, event, answers, clock, mix)
            return
        host.saw(event, answers[0])


def with_wall(event: tuple[str, dict], clock: Clock) -> tuple[str, dict]:
    """Events say what the clock on the wall shows."""
    method, arguments = event
    return event if method == "tell_agent" else (method, {**arguments, "wall": clock.wall})


def point_of(host: Host, event: tuple[str, dict]) -> Point | None:
    """The decision point of an event; `MODELS` stands for all that is about models."""
    method, arguments = event
    if method == "tool_call":
        return Point("tool", arguments["tool"])
    flight = host.flights.get(arguments.get("attempt", 0))
    if method in ("error", "result") and flight and flight[1] == "tool_call":
        return Point("tool", flight[2]["tool"])
    return MODELS


def lean_at(found: Difference, at: Point) -> Lean:
    """What is told of an event: of a model call, all that is told of models."""
    if at == MODELS:
        return joined(found.lean(point) for point in found.points if point.kind != "tool")
    return found.lean(at)


def key(answer: dict) -> list[Any]:
    """What has to be the same for two decisions to be alike."""
    return [answer.get(each) for each in KEY]


def level(answer: dict, method: str, passes: bool) -> int:
    """How far a call is from going on: 0 it goes, 1 later or as a last one, 2 if people agree, 3 not."""
    outcome = answer["outcome"]
    if method == "error":
        return 0 if outcome == "wait" else 3
    if outcome == "allow":
        return 1 if answer["wrap_up"] else 0
    if outcome == "wait":
        return 0 if method == "result" else 1
    return 2 if outcome == "escalate" and passes else 3


def hold(found: Difference, at: Point, runs: list, event: tuple, answers: list, clock: Clock, mix: Counter):
    """Hold the first difference against the verdict of its point."""
    lean = lean_at(found, at)
    mix[f"differences {lean.verdict}"] += 1
    words = f"{event}\n{answers[0]}\n{answers[1]}\n{found.changes}"
    if lean.verdict == "equivalent":
        raise Wrong(f"{at} is told to be equivalent\n{words}")
    if any("error" in answer for answer in answers):
        return
    levels = [
        level(answer, event[0], answer["outcome"] == "escalate" and passes(run, event, answer, clock))
        for run, answer in zip(runs, answers, strict=True)
    ]
    is_wider = levels == [0, 0] and event[0].endswith("call") and width(answers[1]) > width(answers[0])
    is_narrower = levels == [0, 0] and event[0].endswith("call") and width(answers[0]) > width(answers[1])
    if lean.looser is Sure.NO and (levels[1] < levels[0] or (is_wider and not is_narrower)):
        raise Wrong(f"{at} is told to be never looser\n{words}")
    if lean.stricter is Sure.NO and (levels[1] > levels[0] or (is_narrower and not is_wider)):
        raise Wrong(f"{at} is told to be never stricter\n{words}")


def width(answer: dict) -> tuple[float, float] | tuple[()]:
    """How much an allowed call may take; calls of two models are not compared."""
    unbounded = float("inf")
    caps = [unbounded if answer[each] is None else answer[each] for each in ("output_cap", "timeout_ns")]
    return Width(answer["model"], *caps)


class Width:
    """Output and time of a call: more than another's if neither is less."""

    def __init__(self, model: str | None, cap: float, time: float) -> None:
        self.all = (model, cap, time)

    def __gt__(self, other: Width) -> bool:
        if self.all[0] != other.all[0] or self.all == other.all:
            return False
        return all(mine >= its for mine, its in zip(self.all[1:], other.all[1:], strict=True))


def passes(run: Compiled, event: tuple, answer: dict, clock: Clock) -> bool:
    """Whether the call goes on once every person who is asked says yes."""
    method, arguments = event
    for _ in range(PEOPLE):
        if answer["outcome"] != "escalate":
            return answer["outcome"] in ("allow", "wait")
        said = {"now": clock.now, "wall": clock.wall, "request": answer["request"]}
        refused = run.do(("answer", said | {"approve": True}))
        if isinstance(refused, dict) and "error" in refused:
            run.do(("answer", said | {"approve": "yes"}))
        again = {**arguments, "now": clock.now, "call": answer["call"]}
        answer = run.do((method, again))
        if "error" in answer:
            return False
    return True


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    begun, mix, wrong = time.monotonic(), Counter(), ""
    for number in range(options.pairs):
        try:
            pair(options.seed, number, mix)
        except Wrong as error:
            wrong = str(error)
            break
    for name, count in sorted(mix.items()):
        print(f"{name:28} {count:8,}")
    print(f"{'seconds':28} {time.monotonic() - begun:8.1f}")
    print(wrong or f"no verdict of {mix['pairs']:,} pairs was refuted")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
