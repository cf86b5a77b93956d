"""A log file says of every decision what a sink of the host's is told: the engine's lines and Python's.

The lines are compared as they stand, so also the order of their members, through all cases of the corpus.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from checkrein import _core
from checkrein.errors import EngineError
from checkrein.guard import Guard
from checkrein.guard.clock import VirtualClock
from checkrein.guard.usage import Usage
from checkrein.record import (
    adjustment_record,
    as_json,
    decision_record,
    head,
    read_log,
    settlement_record,
)
from checkrein.sentences import subject
from tests.both import Compiled, Event, Hosted

from .cases import Case, all_cases, steps
from .test_conformance import loaded

ENDS = ("settle", "adjust", "result", "error")
FILES: dict[str, list[Case]] = defaultdict(list)
for _case in all_cases():
    FILES[_case.file].append(_case)


@dataclass
class World:
    """What runs share: a ledger, a log, and what Python would have written to it."""

    log: Any
    ledger: Any = field(default_factory=_core.Ledger.memory)
    records: list[bytes] = field(default_factory=list)
    runs: int = 0


@dataclass(frozen=True)
class Failed:
    """As much of a failure as a record tells."""

    kind: str


class Recorded(Compiled):
    """A run whose events the engine writes to a log, and this class as Python does."""

    def __init__(
        self, program: _core.Program, world: World, seed: int, now: int = 0, wall: int = 0,
        parent: Recorded | None = None, **whose: Any,
    ) -> None:  # fmt: skip
        self.world_of, self.opened = world, {}
        world.runs += 1
        self.clock = VirtualClock(now, wall)
        names = {"user": 'Ann "é"\n', "session": world.runs}
        door = Guard(program, clock=self.clock).begin(id=f"run {world.runs}", names=names, **as_scopes(whose))
        self.door = door
        super().__init__(
            program, world.ledger, seed, now, wall, parent, records=(world.log, head(door)), **whose
        )

    def do(self, event: Event) -> Any:
        method, arguments = event
        if method in ENDS:
            arguments = {**arguments, "attempt": self.opened.get(arguments["attempt"], arguments["attempt"])}
        if method in ("result", "error"):
            arguments = {"subject": "tool `é\\n`", **arguments}
        try:
            before = self.run.limits()
        except EngineError:
            before = []
        answers: list[Any] = []
        seen, self.run = self.run, Heard(self.run, answers)
        try:
            said = super().do((method, arguments))
        finally:
            self.run = seen
        self.clock = self.door.clock = VirtualClock(wall=arguments.get("wall", 0))
        for answer in answers:
            self._write(method, arguments, answer, before)
        return said

    def _write(self, method: str, arguments: dict[str, Any], answer: Any, before: Any) -> None:
        ended = arguments.get("attempt")
        usage: Any = Usage(arguments.get("usage", "exact"))
        if method in ("settle", "adjust"):
            make = settlement_record if method == "settle" else adjustment_record
            self._keep(make(self.door, ended, usage, answer, self.run.limits()))
            return
        if not isinstance(answer, _core.Decision) or method == "held":
            return
        if method == "result":
            settled = self.run.settled(ended.attempt)
            self._keep(settlement_record(self.door, ended, usage, settled, self.run.limits()))
        named = arguments.get("subject") or subject(*method.split("_")[:1], arguments.get(method[:-5]))
        failure: Any = Failed(arguments["kind"]) if method == "error" else None
        self._keep(decision_record(self.door, answer, named, failure, before, self.run.limits()))
        if answer.attempt is not None:
            self.opened.setdefault(answer.attempt, answer)

    def _keep(self, record: dict[str, Any]) -> None:
        del record["program"]
        self.world_of.records.append(as_json(record))


class Heard:
    """A run whose answers are kept before they become plain data."""

    def __init__(self, run: Any, answers: list[Any]) -> None:
        self._run, self._answers = run, answers

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._run, name)
        if not callable(asked):
            return asked

        def heard(**arguments: Any) -> Any:
            self._answers.append(asked(**arguments))
            return self._answers[-1]

        return heard


def as_scopes(whose: dict[str, Any]) -> dict[str, Any]:
    """The ids of a case as a guard takes them, for the names in a record's head."""
    from checkrein.guard.scopes import Scopes

    words = {word: whose[word] for word in ("session", "user", "team", "org") if word in whose}
    return {"scopes": Scopes(**words, keys=whose.get("keys", {}))}


@pytest.mark.parametrize("file", FILES)
def test_the_engine_writes_what_python_would(file: str, tmp_path: Path) -> None:
    for number, case in enumerate(FILES[file]):
        _, program = loaded(case.policy, case.files)
        path = tmp_path / str(number)
        world = World(_core.Log(path))
        Recorded.world = staticmethod(lambda world=world: world)
        compiled = Hosted(Recorded, program, case.runs, case.seed, 0, case.wall)
        for _, _, run, event in steps(case):
            compiled.do(run, event)
        world.log.flush()
        if not world.records:
            continue
        first, *lines = path.read_bytes().splitlines()
        assert lines == world.records, case.name
        assert json.loads(first) == {
            "kind": "program", "digest": program.digest, "policy": program.policy, "file": program.file,
            "currency": program.currency, "statements": program.statements,
            **({"prices": program.prices} if program.prices else {}),
        }  # fmt: skip
        assert len(list(read_log(path))) == 1 + len(lines)
