"""Linear programs in exact numbers: the most of a sum under limits, and the proof that it is the most.

    maximise  sum of objective[j] * x[j]    with  sum of row[j] * x[j] <= most  for each row,  all x[j] >= 0

No `most` is negative, so nothing at all is always a solution and one phase is enough. The proof are prices
of the rows: no combination can be worth more than what its limits cost at these prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Optimum", "Row", "is_proved", "maximise"]

Row = tuple["Mapping[int, int]", int]
"""Coefficients by variable, and the most that they may come to."""
NOTHING = Fraction(0)
PATIENCE = 30
"""Steps without a gain before the slow rule that always ends."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """The most, how it comes about (`levels` by variable), and one price for each row: its proof."""

    value: Fraction
    levels: dict[int, Fraction]
    prices: tuple[Fraction, ...]


def maximise(objective: Mapping[int, int | Fraction], rows: Sequence[Row]) -> Optimum | None:
    """The optimum; None if there is no most."""
    lines = _Lines(objective, rows)
    while (entering := lines.entering()) is not None:
        leaving = lines.leaving(entering)
        if leaving is None:
            return None
        lines.pivot(leaving, entering)
    return lines.optimum()


def is_proved(optimum: Optimum, objective: Mapping[int, int | Fraction], rows: Sequence[Row]) -> bool:
    """Whether the prices prove the value: nothing is worth more than what it uses, at these prices.

    It uses nothing of how the optimum was found.
    """
    paid: dict[int, Fraction] = {}
    for price, (coefficients, _most) in zip(optimum.prices, rows, strict=True):
        for variable, coefficient in coefficients.items():
            paid[variable] = paid.get(variable, NOTHING) + price * coefficient
    is_dear_enough = all(paid.get(each, NOTHING) >= objective.get(each, 0) for each in {**paid, **objective})
    whole = sum((price * most for price, (_, most) in zip(optimum.prices, rows, strict=True)), NOTHING)
    return all(price >= 0 for price in optimum.prices) and is_dear_enough and whole == optimum.value


class _Lines:
    """The equations, solved for the variables that are in the basis: each is `most` less what others take.

    The slack of row i is the variable -1 - i.
    """

    def __init__(self, objective: Mapping[int, int | Fraction], rows: Sequence[Row]) -> None:
        self.size = len(rows)
        self.most = {-1 - i: Fraction(most) for i, (_, most) in enumerate(rows)}
        self.takes = {
            -1 - i: {each: Fraction(of) for each, of in row.items() if of} for i, (row, _) in enumerate(rows)
        }
        self.worth = {each: Fraction(of) for each, of in objective.items() if of}
        self.value = NOTHING
        self.stuck = 0

    def entering(self) -> int | None:
        """A variable that is worth having: the one that is worth most.

        After many steps in a row that gained nothing, the first one: so it never goes in a circle for ever.
        """
        good = [each for each, worth in self.worth.items() if worth > 0]
        if not good:
            return None
        return min(good) if self.stuck > PATIENCE else max(good, key=lambda each: (self.worth[each], each))

    def leaving(self, entering: int) -> int | None:
        """The variable that is used up first; None if none ever is."""
        rates = (
            (self.most[basic] / takes[entering], basic)
            for basic, takes in self.takes.items()
            if takes.get(entering, NOTHING) > 0
        )
        return min(rates, default=(NOTHING, None))[1]

    def pivot(self, leaving: int, entering: int) -> None:
        """The one variable takes the place of the other."""
        most, takes = self.most.pop(leaving), self.takes.pop(leaving)
        rate = takes.pop(entering)
        most /= rate
        takes = {each: of / rate for each, of in takes.items()}
        takes[leaving] = 1 / rate
        for basic, others in self.takes.items():
            share = others.pop(entering, None)
            if share is not None:
                self.most[basic] -= share * most
                _add(others, takes, -share)
        share = self.worth.pop(entering)
        self.stuck = self.stuck + 1 if most == 0 else 0
        self.value += share * most
        _add(self.worth, takes, -share)
        self.most[entering], self.takes[entering] = most, takes

    def optimum(self) -> Optimum:
        """What was found."""
        levels = {each: most for each, most in self.most.items() if each >= 0 and most}
        prices = tuple(-self.worth.get(-1 - i, NOTHING) for i in range(self.size))
        return Optimum(self.value, levels, prices)


def _add(into: dict[int, Fraction], row: Mapping[int, Fraction], times: Fraction) -> None:
    for each, of in row.items():
        total = into.get(each, NOTHING) + of * times
        if total:
            into[each] = total
        else:
            into.pop(each, None)
