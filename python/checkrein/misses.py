"""Where a test failed, in words: what was expected there, what came instead, and how it came to that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checkrein import sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkrein.language import tree

DECIDED_MAX = 12
"""How many decisions about one call are listed at most: the first ones, and the last."""


@dataclass(frozen=True, slots=True)
class Miss:
    """Where a test failed: what was expected there, and what came instead.

    `decided` has what was decided about the call one after the other, if that was more than one thing.
    """

    file: str
    line: int
    column: int
    expected: str
    came: str
    decided: tuple[str, ...] = ()

    def __str__(self) -> str:
        first = f"{self.file}:{self.line}:{self.column}: expected {self.expected}; came {self.came}"
        return "\n".join([first, *(f"  {each}" for each in self.decided)])


def expectation(item: tree.Expect) -> str:
    """What an `expect` asks for."""
    link = {"allow": " on", "escalate": " to"}.get(item.kind, "")
    target = f"{link} `{item.target.text}`" if item.target else ""
    by = f" by `{item.by.text}`" if item.by else ""
    at = f" at call {item.at_call}" if item.at_call else ""
    return f"{'would ' * item.would}{item.kind}{target}{by}{at}"


def came(decision: Any, subject: str) -> str:
    """What a decision was."""
    if decision.outcome != "allow":
        return sentences.for_developer(decision, subject)
    on = f" on `{decision.model}`" if decision.model else ""
    if decision.event.endswith("error"):
        return f"{subject} failed{on}, and its error was passed on (`{decision.by}`)"
    return f"{subject} allowed{on}"


def one_by_one(decisions: Sequence[Any], subject: str) -> tuple[str, ...]:
    """What was decided about a call, attempt by attempt; nothing if that was one thing."""
    if len(decisions) < 2:
        return ()
    said = [f"{number}. {came(decision, subject)}" for number, decision in enumerate(decisions, 1)]
    left_out = len(said) - DECIDED_MAX
    if left_out > 0:
        half = DECIDED_MAX // 2
        said[half:-half] = [f"... {left_out} more"]
    return tuple(said)
