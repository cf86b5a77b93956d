"""Drives adversaries against random policies and compares what they got with the worst case.

    python -m tests.bounds.run --runs 10000 --seed 1

Prints how near they came. Exit 1 if a run used more than its bound, with the policy and what to repeat.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from random import Random
from typing import Any

from checkrein import _core
from checkrein.analysis import Bounds, bound
from checkrein.language import compile_source, sound
from tests.differential.generate import Made, Maker

from .adversary import Adversary, Memory, over

RUNS_A_POLICY = 20
NEAR = (100, 90, 50, 10)
"""In per cent of the bound."""


class Plain(Maker):
    """Policies in which little but limits, retries and routes is in the way of a run, mostly with an end."""

    def policy(self) -> Made:
        made = super().policy()
        time = self._one(["5 s", "1 min", "5 min", "40 h", "10 d"])
        ends = {
            "length": f"steps <= {self._one('258')} tool_calls <= {self._one('258')}",
            "patience": f"{self._one(['wall_time', 'wall_time', 'active_time'])} <= {time}",
        }
        for name, bounds in ends.items():
            if self.chance.random() < 0.6:
                self.add(f'limit "{name}" on run {{ {bounds} }} else deny')
        if self.chance.random() < 0.3:
            self._retries()
        return made

    def _rule(self, name: str) -> None:
        if self.chance.random() < 0.15:
            super()._rule(name)

    def _retries(self) -> None:
        """Two that look at other errors, or at the same with another end."""
        when = self._one(["", 'when error.kind == "auth"', 'when error.kind in ["timeout", "billing"]'])
        end = self._one(["deny", 'answer "Nobody is there."'])
        self.add(f'retry "few" on model any {{ attempts <= 2 {when} }} else {end}')
        if self.chance.random() < 0.5:
            self.add('retry "many" on model any { when error.kind == "unavailable" attempts <= 5 } else deny')
        self.add('retry "some" on model any { attempts <= 4 } else deny')

    def otherwise(self, *given: Any, **named: Any) -> str:
        """Rarely anything that ends the run."""
        said = super().otherwise(*given, **named)
        return said if "stop" not in said or self.chance.random() < 0.1 else "else deny"

    def _order(self, _name: str) -> None:
        """None."""

    _breaker = _truth = _order

    def _loop(self, name: str) -> None:
        if self.chance.random() < 0.2:
            super()._loop(name)


def policy_of(seed: int, number: int) -> Made:
    """The policy of a number: of every second all statements are as usual as in the differential test."""
    return (Maker if number % 2 else Plain)(Random(f"{seed} bound {number}")).policy()


class Nearness:
    """How near the best of a policy's runs came to each figure."""

    def __init__(self) -> None:
        self.shares: dict[str, list[float]] = defaultdict(list)
        self.unbounded: Counter = Counter()
        self.policies = 0
        self.most: Counter = Counter()

    def add(self, bounds: Bounds, best: dict[str, int]) -> None:
        """Another policy."""
        self.policies += 1
        for figure in bounds.figures:
            if figure.most is None:
                self.unbounded[figure.measure] += 1
            elif figure.most > 0:
                name = f"{figure.measure}, by its own limit" if figure.is_alone else figure.measure
                self.shares[name].append(best.get(figure.measure, 0) / figure.most)

    def told(self) -> list[str]:
        """One line a measure."""
        lines = [f"{'policies':32} {self.policies:8,}"]
        for name, shares in sorted(self.shares.items()):
            shares.sort()
            near = " ".join(
                f"{sum(each * 100 >= percent for each in shares) / len(shares):4.0%} at {percent}%"
                for percent in NEAR
            )
            middle = shares[len(shares) // 2]
            lines.append(f"{name:32} {len(shares):8,} bounds, reached {near}, median {middle:.0%}")
        for name, times in sorted(self.unbounded.items()):
            lines.append(f"{name:32} {times:8,} without a bound")
        return lines


def one_policy(made: Made, seed: str, nearness: Nearness) -> str | None:
    """All runs of one policy; a report if one used more than its bound."""
    policy = sound(made.source, "random.rein")
    program = _core.Program.load(compile_source(made.source, "random.rein"))
    bounds, memory, best = bound(policy), Memory(), Counter()
    for place in range(RUNS_A_POLICY):
        adversary = Adversary(policy, program, made, memory, f"{seed} {place}")
        used = adversary.spend()
        told = over(bounds, used, adversary.latest_start)
        if told:
            head = f"a run used more than its bound ({seed}, run {place})"
            return "\n".join([head, *told, "", made.source])
        best |= Counter(used)
    nearness.add(bounds, best)
    return None


def many(runs: int, seed: int) -> tuple[Nearness, str | None]:
    """That many runs at least."""
    nearness = Nearness()
    for number in range(-(-runs // RUNS_A_POLICY)):
        report = one_policy(policy_of(seed, number), f"seed {seed}, policy {number}", nearness)
        if report:
            return nearness, report
    return nearness, None


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    begun = time.monotonic()
    nearness, report = many(options.runs, options.seed)
    print("\n".join(nearness.told()))
    print(f"{'seconds':32} {time.monotonic() - begun:8.1f}")
    print(report or f"no run of {nearness.policies * RUNS_A_POLICY:,} used more than its bound")
    return 1 if report else 0


if __name__ == "__main__":
    sys.exit(main())
