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


def makes_up(other: Outcome, outcome: Outcome) -> bool:
    """Whether where the other one comes out no more is let through than by the first.

    An answer or a known result is given in place of a call; an approval lets the call itself pass.
    """
    if asks(other) and STRENGTH[outcome.kind] < STRENGTH["escalate"]:
        return False
    return STRENGTH[other.kind] >= STRENGTH[outcome.kind]


def words(outcome: Outcome) -> str:
    """An outcome as it is written, without its words for people."""
    if outcome.kind == "escalate" and outcome.target:
        wants = "" if outcome.wants == "approval" else f" as {outcome.wants}"
        return f'escalate to "{outcome.target.text}"{wants}'
    return outcome.kind + (f' "{outcome.target.text}"' if outcome.target else "")


def compared(old: Outcome, new: Outcome) -> Lean:
    """How what comes out in the end compares: by kind. With another target it is something else."""
    if effect(old) == effect(new):
        return ALIKE
    ways = makes_up(new, old), makes_up(old, new)
    return STRICTER if ways == (True, False) else LOOSER if ways == (False, True) else OTHER
