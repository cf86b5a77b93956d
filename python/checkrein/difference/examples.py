"""An event that two policies decide in two ways: found by search, decided by the engine under both."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from checkrein import _core
from checkrein.amounts import duration, money
from checkrein.errors import EngineError
from checkrein.language.check.vocabulary import currency_of
from checkrein.language.facts import ARG_PREFIX, BUILT_IN, HOST_BUILT_IN
from checkrein.language.meaning.cells import Odd

if TYPE_CHECKING:
    from checkrein._core import Program
    from checkrein.difference.cases import Gap
    from checkrein.difference.sides import Sides
    from checkrein.difference.verdict import Point
    from checkrein.language.meaning.cells import Value
    from checkrein.language.meaning.search import Witness

SCALE = {"money": -9, "duration": -9, "percent": -6}
"""Powers of ten from the engine's integers to what a host sends."""
ERROR = ("error",)
"""What came out where no such call can be made: an id that names no account, say."""
SCOPES = ("session", "user", "team", "org")


@dataclass(frozen=True, slots=True)
class Example:
    """The first call of a run: what is asked, and what each policy decides about it.

    `decided` is empty where the facts are not those of a first call, or where both decide alike since
    other statements decide it.
    """

    facts: tuple[tuple[str, str], ...]
    event: dict[str, Any]
    decided: tuple[str, ...] = ()


class Engines:
    """The engine with either policy."""

    def __init__(self, sides: Sides, programs: tuple[Program, Program]) -> None:
        self._sides = sides
        self._programs = programs
        self._currency = currency_of(sides.old.policy)

    def example(self, point: Point, gap: Gap) -> Example:
        """The facts of a gap as an event, put to the engine where it can be a run's first."""
        witness = gap.witness or {}
        event = self._event(point, witness)
        facts = tuple((name, self._shown(point, name, value)) for name, value in sorted(witness.items()))
        if not gap.is_first:
            return Example(facts, event)
        programs = self._programs
        decided = [decide(program, event) for program in programs]
        if decided[0][0] == decided[1][0] or ERROR in (decided[0][0], decided[1][0]):
            return Example(facts, event)
        return Example(facts, event, tuple(said for _, said in decided))

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
        if isinstance(value, Odd):
            return {}
        dimension, unit = self._unit(point, name)
        scale = SCALE.get(dimension)
        if scale is None:
            return value
        number = Decimal(value).scaleb(scale + (2 if unit == "cents" else 0))
        return int(number) if number == number.to_integral_value() else str(number)

    def _shown(self, point: Point, name: str, value: Value) -> str:
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


def decide(program: Program, event: dict[str, Any]) -> tuple[Any, str]:
    """What a policy decides about a run's first call: what came out, and that in words."""
    whose = dict.fromkeys(SCOPES, "somebody") | event["whose"]
    keys = {name: str(event["facts"].get(name, "somebody")) for name in program.scopes if "." in name}
    facts = event["facts"]
    try:
        run = _core.Run(program, seed=0, now=0, wall=0, ledger=_core.Ledger.memory(), keys=keys, **whose)
        if "tool" in event:
            decision = run.tool_call(0, 0, None, event["tool"], event["args"], facts)
        else:
            asked = event["model"], event["input_tokens"]
            decision = run.model_call(0, 0, None, *asked, None, facts, [], [])
    except EngineError as error:
        return ERROR, str(error)
    target = decision.state or decision.queue or decision.model
    by = f" by {decision.kind} `{decision.by}`" if decision.by and decision.kind else ""
    words = decision.outcome + (f" `{target}`" if target else "")
    return (decision.outcome, target), words + by
