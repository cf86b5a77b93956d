"""The two engines behind one door: the compiled one, and the reference that walks the tree.

An event is a method name and its keyword arguments. Both answer with plain data, so that answers can
be compared field by field; a misuse answers `{"error": kind}`.
"""

from __future__ import annotations

import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from checkrein import _core
from checkrein.errors import EngineError
from checkrein.language import artifact_of, sound

from . import reference
from .reference.state import Misuse

Event = tuple[str, dict[str, Any]]

DECISION = (
    "number event outcome call attempt model output_cap timeout_ns wait_ns state tell_agent tell_user by"
    " kind file line column reason undecided latched request queue wants answered expires_at"
    " reserved_tokens reserved_cost votes would advice values skipped passed attempt_number wrap_up stayed"
    " may_be_sooner text template reused"
).split()
SETTLEMENT = (
    "input_tokens output_tokens cache_read_tokens cache_write_tokens reasoning_tokens cost tokens"
    " reserved_tokens reserved_cost"
).split()
LIMIT = "name dimension limit spent held free leased window soft".split()


class Compiled:
    """A run in the Rust engine; `world` is the ledger that it shares with others."""

    def __init__(
        self, program: _core.Program, world: Any, seed: int, now: int = 0, wall: int = 0,
        parent: Compiled | None = None, **whose: Any,
    ) -> None:  # fmt: skip
        above = parent.run if parent else None
        self.run = _core.Run(program, seed=seed, now=now, wall=wall, ledger=world, parent=above, **whose)
        self.begun = program, {"ledger": world, **whose}
        self.left = b""

    @staticmethod
    def world() -> Any:
        """A ledger without a store."""
        return _core.Ledger.memory()

    def resumed(self, now: int, wall: int, later: int) -> Compiled:
        """The run that goes on with what this one left."""
        program, whose = self.begun
        other = copy.copy(self)
        # Accounts that nobody uses any more are forgotten in their own time; the old run still uses them.
        other.left, other.before = b"", self.run
        other.run = _core.Run.resume(program, self.left, now=now, wall=wall, later=later, **whose)
        return other

    def do(self, event: Event) -> Any:
        """Apply one event; its answer as plain data."""
        method, arguments = event
        try:
            answer = getattr(self.run, method)(**arguments)
        except EngineError as error:
            return {"error": error.kind}
        if isinstance(answer, bytes):
            assert self.left in (b"", answer), "a run that is suspended again leaves the same"
            self.left = answer
            return None
        if isinstance(answer, list):
            return [{field: row[field] for field in LIMIT} for row in answer]
        if answer is None or isinstance(answer, int):
            return answer
        fields = SETTLEMENT if method in ("settle", "adjust") else DECISION
        return {field: plain(getattr(answer, field)) for field in fields}

    def standing(self) -> dict[str, Any]:
        """What can be read of the run besides its answers."""
        return {
            "limits": self.do(("limits", {})),
            "in_flight": self.run.in_flight,
            "latched": self.run.latched,
            "handed_over": self.run.handed_over,
        }


class Walked:
    """A run in the reference."""

    def __init__(
        self, policy: Any, world: Any, seed: int, now: int = 0, wall: int = 0,
        parent: Walked | None = None, **whose: Any,
    ) -> None:  # fmt: skip
        above = parent.run if parent else None
        self.run = reference.Run(policy, seed=seed, now=now, wall=wall, world=world, parent=above, **whose)

    @staticmethod
    def world() -> Any:
        """Accounts that nobody has taken from."""
        return reference.World()

    @property
    def left(self) -> Any:
        """What the run left, if it was suspended."""
        return self.run.left

    def resumed(self, now: int, wall: int, later: int) -> Walked:
        """The run that goes on with what this one left."""
        other = copy.copy(self)
        other.run = reference.resume(self.left, now, wall, later)
        return other

    def do(self, event: Event) -> Any:
        """Apply one event; its answer as plain data."""
        method, arguments = event
        try:
            answer = getattr(self.run, method)(**arguments)
        except Misuse as misuse:
            return {"error": misuse.kind}
        return {field: plain(each) for field, each in answer.items()} if isinstance(answer, dict) else answer

    def standing(self) -> dict[str, Any]:
        """What can be read of the run besides its answers."""
        kept = ("in_flight", "latched", "handed_over")
        return {"limits": self.run.limits(), **{each: getattr(self.run, each) for each in kept}}


def plain(value: Any) -> Any:
    """Lists of tuples whatever the engine calls them, so that equal means equal."""
    if isinstance(value, (list, tuple)):
        return [tuple(each) if isinstance(each, (list, tuple)) else each for each in value]
    return value


def load(source: str, files: tuple[tuple[str, str], ...] = ()) -> tuple[Any, _core.Program]:
    """A policy text as a tree and as a loaded program; `files` are names and texts that it may include."""
    with TemporaryDirectory() as folder:
        for name, text in files:
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        path = str(Path(folder, "case.rein"))
        policy = sound(source, "case.rein", path=path)
        return policy, _core.Program.load(artifact_of(policy))


class Hosted:
    """Runs with names that share a world, in one of the engines."""

    def __init__(self, kind: Any, policy: Any, runs: dict[str, dict], seed: int, now: int, wall: int) -> None:
        world = kind.world()
        self.runs: dict[str, Any] = {}
        for name, whose in runs.items():
            above = {"parent": self.runs[whose["parent"]]} if "parent" in whose else {}
            self.runs[name] = kind(policy, world, seed, now, wall, **{**whose, **above})

    def do(self, run: str, event: Event) -> Any:
        """Apply one event to one of the runs; one that is resumed takes the old one's place."""
        if event[0] != "resume":
            return self.runs[run].do(event)
        if not self.runs[run].left:
            return {"error": "not suspended"}
        self.runs[run] = self.runs[run].resumed(**event[1])
        return None

    def standing(self) -> dict[str, Any]:
        """How all runs stand."""
        return {name: run.standing() for name, run in self.runs.items()}
