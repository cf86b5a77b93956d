"""What the rows of every section share: where facts and models stand, selectors, outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.language.lower.rows import outcome_row, selector_row
from checkrein.language.names import ordered

if TYPE_CHECKING:
    from checkrein.language.lower.tables import Tables
    from checkrein.language.tree import Outcome, Selector
    from checkrein.language.writer import Writer


class Sheet:
    """The tables and where they are written; each section's room adds a method for a row of it."""

    def __init__(self, tables: Tables, writer: Writer) -> None:
        self.t = tables
        self.w = writer
        self.fact_keys = sorted(tables.facts, key=lambda key: (key[0].encode(), *key[1:]))
        self.fact_index = {key: index for index, key in enumerate(self.fact_keys)}
        self.model_names = ordered(tables.names.models)

    def pair(self, pair: tuple[int, int]) -> None:
        self.w.number(pair[0])
        self.w.number(pair[1])

    def condition(self, condition: Any) -> None:
        index = None if condition is None else self.t.condition_of[id(condition)]
        self.w.maybe(index, self.w.number)

    def zone_index(self, name: str) -> int:
        return [zone.name for zone in self.t.zones].index(name)

    def selector(self, selector: Selector) -> None:
        self.selected(selector_row(self.t.names, selector))

    def selected(self, row: tuple[int, int | None]) -> None:
        kind, which = row
        self.w.byte(kind)
        if kind == 4:
            self.w.byte(which or 0)
        elif which is not None:
            self.w.number(which)

    def outcome(self, outcome: Outcome) -> None:
        kind, target = outcome_row(self.t.names, outcome)
        self.w.byte(kind)
        if outcome.text:
            target = self.t.template_of[id(outcome)]
        if target is not None:
            self.w.number(target)

    def otherwise(self, outcome: Outcome) -> None:
        self.outcome(outcome)
        self.w.maybe(outcome.reason, self.w.text)
