"""Limits: whose, when, what is bounded, and what happens then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.language.emit.sheet import Sheet
from checkrein.language.lower.codes import DIMENSIONS, KEY_SCOPE, PERIODS, SCOPES
from checkrein.language.lower.rows import basis_code, bounds_row, failure_code
from checkrein.language.tree import Calendar, Limit, Rolling
from checkrein.language.zones import zone_name

if TYPE_CHECKING:
    from checkrein.language.lower.tables import BoundRow

ADVICE = {"tell agent": 0, "warn": 1, "prefer lower tier": 2}


class Limits(Sheet):
    """A row for each limit, with its bounds and thresholds."""

    def limit(self, row: tuple[int, Limit]) -> None:
        index, limit = row
        self.w.number(index)
        self.scope(limit.scope.text)
        self.window(limit.window)
        self.w.sequence(bounds_row(self.t.names, limit), self.bound)
        self.w.byte(basis_code(limit))
        self.w.byte(failure_code(limit))
        self.w.number(limit.wrap_up.calls if limit.wrap_up is not None else 0)
        self.w.sequence(limit.thresholds, self.threshold)
        self.otherwise(limit.otherwise)

    def scope(self, scope: str) -> None:
        if scope in SCOPES:
            self.w.byte(SCOPES.index(scope))
        else:
            self.w.byte(KEY_SCOPE)
            self.w.number(self.fact_index[(scope, DIMENSIONS.index("text"), False)])

    def window(self, window: Calendar | Rolling | None) -> None:
        match window:
            case Calendar():
                self.w.byte(1)
                self.w.byte(PERIODS.index(window.period))
                self.w.number(self.zone_index(zone_name(window)))
            case Rolling():
                self.w.byte(2)
                self.w.number(window.duration)
            case None:
                self.w.byte(0)

    def bound(self, bound: BoundRow) -> None:
        self.w.byte(bound.measure)
        if bound.selector is not None:
            self.selected(bound.selector)
        self.w.number(bound.most)
        self.w.number(bound.withheld)

    def threshold(self, threshold: Any) -> None:
        self.w.number(threshold.percent.value)
        self.w.byte(ADVICE[threshold.advice])
        if threshold.advice != "prefer lower tier":
            self.w.text(threshold.text)
