"""The two engines behind one door: the compiled one, and the reference that walks the tree.

An event is a method name and its keyword arguments. Both answer with plain data, so that answers can
be compared field by field; a misuse answers `{"error": kind}`.
"""

from __future__ import annotations

from typing import Any

from checkrein import _core
from checkrein.errors import EngineError
from checkrein.language import compile_source, parse

from . import reference
from .reference.state import Misuse

Event = tuple[str, dict[str, Any]]

DECISION = (
    "number event outcome call attempt model output_cap timeout_ns wait_ns state tell_agent tell_user by"
    " kind line column reason undecided latched request queue expires_at reserved_tokens reserved_cost"
    " votes advice values skipped attempt_number"
).split()
SETTLEMENT = "input_tokens output_tokens cost tokens reserved_tokens reserved_cost".split()
LIMIT = "name dimension limit spent held".split()


class Compiled:
    """A run in the Rust engine."""

    def __init__(self, program: _core.Program, seed: int, now: int = 0) -> None:
        self.run = _core.Run(program, seed=seed, now=now)

    def do(self, event: Event) -> Any:
        """Apply one event; its answer as plain data."""
        method, arguments = event
        try:
            answer = getattr(self.run, method)(**arguments)
        except EngineError as error:
            return {"error": error.kind}
        if isinstance(answer, list):
            return [{field: row[field] for field in LIMIT} for row in answer]
        if answer is None or isinstance(answer, int):
            return answer
        fields = SETTLEMENT if method == "settle" else DECISION
        return {field: plain(getattr(answer, field)) for field in fields}

    def standing(self) -> dict[str, Any]:
        """What can be read of the run besides its answers."""
        return {
            "limits": self.do(("limits", {})),
            "in_flight": self.run.in_flight,
            "latched": self.run.latched,
        }


class Walked:
    """A run in the reference."""

    def __init__(self, policy: Any, seed: int, now: int = 0) -> None:
        self.run = reference.Run(policy, seed=seed, now=now)

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
        return {"limits": self.run.limits(), "in_flight": self.run.in_flight, "latched": self.run.latched}


def plain(value: Any) -> Any:
    """Lists of tuples whatever the engine calls them, so that equal means equal."""
    if isinstance(value, (list, tuple)):
        return [tuple(each) if isinstance(each, (list, tuple)) else each for each in value]
    return value


def load(source: str) -> tuple[Any, _core.Program]:
    """A policy text as a tree and as a loaded program."""
    policy, _ = parse(source, "case.rein")
    return policy, _core.Program.load(compile_source(source, "case.rein"))
