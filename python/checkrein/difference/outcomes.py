"""What statements vote for, by how much it restricts; and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.difference.verdict import ALIKE, LOOSER, OTHER, STRICTER

if TYPE_CHECKING:
    from checkrein.difference.verdict import Lean
    from checkrein.language.tree import Outcome

STRENGTH = {"reuse": 1, "answer": 2, "escalate": 3, "deny": 4, "fail": 5, "stop": 6}


def effect(outcome: Outcome) -> Any:
    """What is decided, but for its words, which are for people.

    A text without one of its facts can't be given, and denies: so the facts of an answer count.
    """
    target = outcome.target.text if outcome.target else None
    return outcome.kind, target, outcome.wants, facts_told(outcome)


def facts_told(outcome: Outcome) -> tuple[str, ...]:
    """The facts that stand in the text of an answer."""
    return tuple(sorted({part.text for part in outcome.text if not isinstance(part, str)}))


def asks(outcome: Outcome) -> bool:
    """Whether a person may let the call pass."""
    return outcome.kind == "escalate" and outcome.wants == "approval"


def words(outcome: Outcome) -> str:
    """An outcome as it is written, without its words for people."""
    if outcome.kind == "escalate" and outcome.target:
        wants = "" if outcome.wants == "approval" else f" as {outcome.wants}"
        return f'escalate to "{outcome.target.text}"{wants}'
    return outcome.kind + (f' "{outcome.target.text}"' if outcome.target else "")


def compared(old: Outcome, new: Outcome) -> Lean:
    """How what comes out in the end compares: by kind; with another target it is something else."""
    if effect(old) == effect(new):
        return ALIKE
    by = STRENGTH[new.kind] - STRENGTH[old.kind]
    return OTHER if by == 0 else STRICTER if by > 0 else LOOSER
