"""An event that two policies decide in two ways: found by search, decided by the engine under both."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from checkrein.amounts import duration, money
from checkrein.difference.cases import harmless
from checkrein.difference.stories import CALLS_MAX, SCOPES, Story, parted
from checkrein.difference.verdict import STRICTER
from checkrein.language.check.vocabulary import currency_of
from checkrein.language.facts import ARG_PREFIX, BUILT_IN, HOST_BUILT_IN
from checkrein.language.meaning.cells import Odd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkrein._core import Program
    from checkrein.difference.cases import Gap
    from checkrein.difference.sides import Sides
    from checkrein.difference.verdict import Change, Point
    from checkrein.language.meaning.cells import Value
    from checkrein.language.meaning.search import Budget, Witness

SCALE = {"money": -9, "duration": -9, "percent": -6}
"""Powers of ten from the engine's integers to what a host sends."""
INPUT = 1_000
"""The tokens of a prompt, where it does not matter how many."""
POINTS_MAX = 3
"""At how many of the points of a change a run is looked for."""


@dataclass(frozen=True, slots=True)
class Example:
    """A call that two policies decide in two ways, the last one of its story; and what each decides.

    `decided` is empty where it is not known how a run comes to these facts, or where other statements
    decide such a call.
    """

    facts: tuple[tuple[str, str], ...]
    story: Story
    decided: tuple[str, ...] = ()


class Engines:
    """The engine with either policy."""

    def __init__(self, sides: Sides, programs: tuple[Program, Program]) -> None:
        self._sides = sides
        self._programs = programs
        self._currency = currency_of(sides.old.policy)

    def example(self, point: Point, gap: Gap) -> Example:
        """The facts of a gap as an event, put to the engine."""
        witness = gap.witness or {}
        event = self._event(point, witness)
        facts = tuple((name, self._shown(point, name, value)) for name, value in sorted(witness.items()))
        for first in self._firsts(point) if gap.is_first else ():
            found = parted(self._programs, Story(event, first))
            if found is not None:
                return Example(facts, *found)
        return Example(facts, Story(event))

    def _firsts(self, point: Point) -> tuple[tuple[str, ...], ...]:
        """What may have succeeded before: nothing, or every other tool."""
        return (), tuple(name for name in self._sides.tools if name != point.name)

    def course(self, change: Change, points: Sequence[Point], budget: Budget) -> Example | None:
        """A run: one call is made again and again until the statement decides it (on the stricter side).

        Or until less output is left to it. None if it does not come to that.
        """
        stricter = 1 if change.lean == STRICTER else 0
        by = f" by {change.kind} `{change.name}`"
        for point in points[:POINTS_MAX]:
            witness = self._harmless(point, budget)
            if witness is None:
                continue
            event = self._event(point, witness)
            if "input_tokens" in event:
                event["input_tokens"] = event["input_tokens"] or INPUT
            facts = tuple((name, self._shown(point, name, value)) for name, value in sorted(witness.items()))
            for first, varied in itertools.product(self._firsts(point), (True, False)):
                found = parted(self._programs, Story(event, first, CALLS_MAX, varied))
                if found is not None and (found[1][stricter].endswith(by) or _is_narrower(change, found[1])):
                    return Example(facts, *found)
        return None

    def _harmless(self, point: Point, budget: Budget) -> Witness | None:
        """Facts for which no rule says anything about a first call."""
        sides = self._sides
        rules = [(side, rule) for side in (sides.old, sides.new) for rule in side.rules_at(point)]
        if point.kind == "model":
            rules += [(side, rule) for side in (sides.old, sides.new) for rule in side.rules_of_models(None)]
        conditions = [side.condition(rule.when) for side, rule in rules]
        if any(sides.doubt(each, point) for each in conditions) or None in conditions:
            return None
        return harmless(sides, point, [each for each in conditions if each is not None], budget)

    def _event(self, point: Point, witness: Witness) -> dict[str, Any]:
        """What a host sends: the arguments of a call, its facts, and whose run it is."""
        event: dict[str, Any] = {"facts": {}, "whose": {}}
        if point.kind == "tool":
            event |= {"tool": point.name, "args": {}}
        else:
            name = point.name or next(iter(self._sides.models), None)
            asked = witness.get("call.model", name)
            event |= {"model": None if isinstance(asked, Odd) else asked, "input_tokens": 0}
        for name, value in witness.items():
            if value is Odd.MISSING:
                if name.removesuffix(".id") in SCOPES:
                    event["whose"][name.removesuffix(".id")] = None
                continue
            sent = self._sent(point, name, value)
            if name.startswith(ARG_PREFIX):
                event["args"][name.removeprefix(ARG_PREFIX)] = sent
            elif name == "call.input_tokens":
                event["input_tokens"] = sent
            elif name.removesuffix(".id") in SCOPES:
                event["whose"][name.removesuffix(".id")] = sent
            elif name == "run.id":
                event["whose"]["id"] = sent
            elif name in HOST_BUILT_IN or name not in BUILT_IN:
                event["facts"][name] = sent
        return event

    def _unit(self, point: Point, name: str) -> tuple[str, str | None]:
        """The dimension of a fact, and the unit in which hosts send its money."""
        if name.startswith(ARG_PREFIX) and point.kind == "tool":
            args = self._sides.old.names.tools[point.name].args
            found = next((arg.type for arg in args if ARG_PREFIX + arg.name.text == name), None)
        else:
            fact = self._sides.old.names.facts.get(name) or self._sides.new.names.facts.get(name)
            found = fact.type if fact else None
        if found is None:
            return (BUILT_IN[name].dimension if name in BUILT_IN else "text"), None
        return found.dimension, found.unit

    def _sent(self, point: Point, name: str, value: Value) -> Any:
        if isinstance(value, tuple):
            return [self._sent(point, name, element) for element in value]
        if isinstance(value, Odd):
            return {}
        dimension, unit = self._unit(point, name)
        scale = SCALE.get(dimension)
        if scale is None:
            return value
        number = Decimal(value).scaleb(scale + (2 if unit == "cents" else 0))
        return int(number) if number == number.to_integral_value() else str(number)

    def _shown(self, point: Point, name: str, value: Value) -> str:
        if isinstance(value, tuple):
            return "[" + ", ".join(self._shown(point, name, element) for element in value) + "]"
        if isinstance(value, Odd):
            return value.value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return f'"{value}"'
        dimension, _ = self._unit(point, name)
        if dimension == "money":
            return money(value, self._currency)
        if dimension == "duration":
            return duration(value)
        return f"{Decimal(value).scaleb(-4).normalize():f}%" if dimension == "percent" else str(value)


def _is_narrower(change: Change, said: tuple[str, str]) -> bool:
    """Whether both let the call through, and a limit leaves it less output."""
    return change.kind == "limit" and all(each.startswith("allow ") for each in said)
