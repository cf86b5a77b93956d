"""One peer in its own environment: builds its policy, is compared with the oracle, is timed when asked.

    python -m tests.bench.field.worker KIND NAME

Says and hears lines of JSON. It is silent while another one is timed. It never times a peer whose answers are
wrong: a build says the first difference, and nothing but another build follows.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
import time
from collections.abc import Iterable
from typing import Any

from tests.bench.field.rules import Answer, Call, calls, goes_on, oracle

LONGEST_NS = 30_000_000
"""As long as one peer may take in a round."""
MOST_CALLS = 1_000
WARM_CALLS = 30


class Wrong(Exception):
    """An answer that is not the oracle's."""


class Subject:
    """What is timed: a peer with its policy of so many more rules."""

    def __init__(self, peer: Any) -> None:
        self.peer = peer
        self._after = getattr(peer, "after", None)
        self._asked: list[Call] = []
        self._count = self._next = 0

    def build(self, many: int) -> dict[str, Any]:
        """Build the policy, compare every answer; how long the building took."""
        self._count = 0
        asked = calls(many)
        begun = time.perf_counter()
        self.peer.build(many)
        took = time.perf_counter() - begun
        check = getattr(self.peer, "check", None)  # of what gives no answers to be compared
        check() if check else compare(self.peer, asked, many)
        self._asked = [call for call in asked if goes_on(call)]
        self._next = 0
        self._count = self._fitting()
        whole = time.perf_counter() - begun
        row = {"built_ms": took * 1000, "all_ms": whole * 1000}
        return row | {"compared": len(asked), "each_round": self._count}

    def _fitting(self) -> int:
        """So many calls that a round is not long."""
        took = sorted(self._timed(self._asked[:WARM_CALLS]))
        return max(5, min(MOST_CALLS, LONGEST_NS // (took[len(took) // 2] + 1)))

    def _timed(self, asked: Iterable[Call]) -> list[int]:
        took, clock, ask, after = [], time.perf_counter_ns, self.peer.ask, self._after
        for call in [self.peer.shape(call) for call in asked]:
            begun = clock()
            result = ask(call)
            took.append(clock() - begun)
            if after is not None:
                after(result)
        return took

    def close(self) -> None:
        """Let the peer put away what it has."""
        getattr(self.peer, "close", lambda: None)()

    def round(self) -> list[int]:
        """Nanoseconds of each decision of a round."""
        if not self._count:
            raise Wrong("nothing was built that answers rightly")
        number, self._next = self._next, self._next + self._count
        return self._timed(self._asked[at % len(self._asked)] for at in range(number, number + self._count))


def compare(peer: Any, asked: list[Call], many: int) -> None:
    """Every answer is the oracle's, or nothing is timed."""
    after = getattr(peer, "after", lambda _result: None)
    for call in asked:
        result = peer.ask(peer.shape(call))
        said: Answer = tuple(peer.read(result))
        after(result)
        right = oracle(call, many)
        if said != right:
            raise Wrong(f"{call} is {right} by the rules, and {said} by this peer")


def carried_out(subject: Subject, command: dict[str, Any]) -> dict[str, Any]:
    """The answer to one command."""
    if command["do"] == "build":
        try:
            return subject.build(command["many"])
        except Wrong as wrong:
            return {"wrong": str(wrong)}
    return {"took": subject.round()}


def main() -> None:
    """Serve until there is nothing more to hear."""
    begun = time.perf_counter()
    module = importlib.import_module(f"tests.bench.field.{sys.argv[1]}.{sys.argv[2]}")
    peer = module.Peer()
    loaded = time.perf_counter() - begun
    version = importlib.metadata.version(module.PACKAGE) if module.PACKAGE else ""
    out = sys.stdout
    sys.stdout = sys.stderr  # a peer that prints must not spoil the protocol
    answer: dict[str, Any] = {"import_ms": loaded * 1000, "version": version}
    subject = Subject(peer)
    while True:
        out.write(json.dumps(answer) + "\n")
        out.flush()
        line = sys.stdin.readline()
        if not line:
            subject.close()
            return
        answer = carried_out(subject, json.loads(line))


if __name__ == "__main__":
    main()
