"""What is found where two policies are compared: changes, the points that they are about, and verdicts."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checkrein.difference.examples import Example
    from checkrein.language.tree import Span

Verdict = Literal["equivalent", "stricter", "looser", "incomparable", "not decided"]
VERDICTS: tuple[Verdict, ...] = ("looser", "incomparable", "not decided", "stricter", "equivalent")
"""What wants to be looked at first stands first."""


class Sure(enum.IntEnum):
    """How sure it is that something happens."""

    NO = 0
    MAYBE = 1
    YES = 2


class Lean(NamedTuple):
    """Whether the new policy decides something more strictly than the old one, and something more loosely."""

    stricter: Sure
    looser: Sure

    @property
    def verdict(self) -> Verdict:
        """In one word: what is sure about it."""
        if self == ALIKE:
            return "equivalent"
        if self.looser is Sure.NO:
            return "stricter"
        if self.stricter is Sure.NO:
            return "looser"
        return "incomparable" if self == OTHER else "not decided"


ALIKE = Lean(Sure.NO, Sure.NO)
STRICTER = Lean(Sure.YES, Sure.NO)
LOOSER = Lean(Sure.NO, Sure.YES)
OTHER = Lean(Sure.YES, Sure.YES)
"""Neither is more: something else is decided."""
UNSURE = Lean(Sure.MAYBE, Sure.MAYBE)


def joined(leans: Iterable[Lean]) -> Lean:
    """What several changes come to together."""
    found = list(leans)
    return Lean(
        max((each.stricter for each in found), default=Sure.NO),
        max((each.looser for each in found), default=Sure.NO),
    )


def turned(lean: Lean) -> Lean:
    """The same change, made backwards."""
    return Lean(lean.looser, lean.stricter)


Spans = tuple["Span | None", "Span | None"]


class Point(NamedTuple):
    """A decision point: the calls of one tool, those that one model serves, or every model call."""

    kind: Literal["tool", "model", "models"]
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} `{self.name}`" if self.name else "every model call"


MODELS = Point("models")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is decided in another way, and where; `spans` are the statement, old and new."""

    kind: str
    name: str
    points: tuple[Point, ...]
    lean: Lean
    says: str
    spans: Spans = (None, None)
    example: Example | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """All that is known: the decision points of both policies, and what changed at which of them.

    `notes` tell what decides nothing, such as the words of a reason.
    """

    points: tuple[Point, ...]
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    def lean(self, point: Point) -> Lean:
        """How one point stands."""
        return joined(change.lean for change in self.changes if point in change.points)

    @property
    def whole(self) -> Lean:
        """How the policies stand to each other."""
        return joined(change.lean for change in self.changes)
