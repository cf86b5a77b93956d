"""Conditions, an operation each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.language.emit.sheet import Sheet

if TYPE_CHECKING:
    from checkrein.language.lower.tables import Key

JUMPS = {"jump_if_false": 8, "jump_if_true": 9}
JOINTS = {"not": 5, "and": 6, "or": 7}
AFFIXES = {"starts": 3, "ends": 4}
EACH = 10


class Conditions(Sheet):
    """Postfix operations with the facts that they read."""

    def conditions(self) -> None:
        self.w.sequence(self.t.conditions, lambda operations: self.w.sequence(operations, self.operation))

    def templates(self) -> None:
        self.w.sequence(self.t.templates, lambda parts: self.w.sequence(parts, self.part))

    def part(self, part: str | Key) -> None:
        if isinstance(part, str):
            self.w.byte(0)
            self.w.text(part)
        else:
            self.w.byte(1)
            self.w.number(self.fact_index[part])

    def operation(self, operation: tuple[Any, ...]) -> None:
        w, word = self.w, operation[0]
        if word in JOINTS:
            w.byte(JOINTS[word])
        elif word in JUMPS:
            w.byte(JUMPS[word])
            w.number(operation[1])
        elif word == "each":
            w.byte(EACH)
            w.byte(operation[1])
            self.operation(operation[2])
        elif word == "compare":
            w.byte(0)
            w.number(self.fact_index[operation[1]])
            w.byte(operation[2])
            w.constant(operation[3])
        elif word == "member":
            w.byte(1)
            w.number(self.fact_index[operation[1]])
            w.sequence(operation[2], w.constant)
        elif word == "has":
            w.byte(2)
            w.number(self.fact_index[operation[1]])
        else:
            w.byte(AFFIXES[word])
            w.number(self.fact_index[operation[1]])
            w.text(operation[2])
