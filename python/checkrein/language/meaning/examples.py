"""The facts that a search found, written as a policy writes them: what a finding shows as its example."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.amounts import duration, money
from checkrein.diagnostics import Example, visible
from checkrein.frozen import replace
from checkrein.language.check.vocabulary import currency_of
from checkrein.language.meaning.cells import Odd
from checkrein.language.meaning.places import domains, search
from checkrein.language.meaning.search import FALSE, TRUE, Undecided
from checkrein.language.tree import And, Or

if TYPE_CHECKING:
    from checkrein.language.meaning.cells import Value
    from checkrein.language.meaning.places import Place
    from checkrein.language.meaning.search import Budget, Witness
    from checkrein.language.names import Names

OPPOSITE = {FALSE: TRUE, TRUE: FALSE}


def written(value: Value, dimension: str, currency: str) -> str:
    """A value as a literal of its dimension; `missing` or `ill-typed` if it is none."""
    if isinstance(value, tuple):
        return "[" + ", ".join(written(element, dimension, currency) for element in value) + "]"
    if isinstance(value, Odd):
        return value.value
    match dimension:
        case "text":
            escaped = visible(str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
            return f'"{escaped}"'
        case "flag":
            return "true" if value else "false"
        case "money":
            return money(int(value), currency)
        case "duration":
            return duration(int(value))
        case "percent":
            from decimal import Decimal

            return f"{(Decimal(int(value)) / 10_000).normalize():f}%"
        case "tokens":
            return f"{value} tokens"
    return str(value)


def example_of(names: Names, witness: Witness, shows: str, *places: Place) -> Example:
    """The example that facts of these places make; `shows` says what they show."""
    known, currency = domains(names, *places), currency_of(names.policy)
    facts = ((name, written(value, known[name].dimension, currency)) for name, value in witness.items())
    return Example(tuple(facts), shows)


def of_the_other_truth(names: Names, place: Place, missed: int, budget: Budget) -> Example | None:
    """Facts for which a condition is what it always is: telling ones, for which a part of it is not."""
    goal = OPPOSITE[missed]
    parts = place.condition.operands if isinstance(place.condition, And | Or) else ()
    try:
        tries = [search(names, budget, place, replace(place, condition=part)) for part in parts]
        telling = (each.find(goal, missed) for each in tries)
        found = next((each for each in telling if each is not None), None)
        found = search(names, budget, place).find(goal) if found is None else found
    except Undecided:
        return None
    shows = f"it is {'true' if goal == TRUE else 'false'}"
    return None if found is None else example_of(names, found, shows, place)
