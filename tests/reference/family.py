"""What a run and the runs that it starts remember together."""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST = 256


@dataclass
class Family:
    """The latest tool calls of all of them, each with the steps of all of them so far."""

    steps: int = 0
    ring: list[tuple[int, int]] = field(default_factory=list)

    def note(self, mark: int) -> None:
        """A logical tool call was asked."""
        self.ring.append((mark, self.steps))
        del self.ring[:-LONGEST]
