"""Random results: what a tool gives, and what it succeeds by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .facts import CHOICES, Fact, type_text

if TYPE_CHECKING:
    from .generate import Maker

FIELDS = {"rows": "count", "price": "money", "note": "text", "done": "flag"}


def succeeds(maker: Maker, tool: str, args: list[Fact]) -> list[str]:
    """The `result` and `succeeds when` of a tool, now and then."""
    chance = maker.chance
    maker.made.results[tool] = fields = []
    if chance.random() < 0.6:
        return []
    texts = []
    for name in chance.sample(sorted(FIELDS), chance.choice([0, 1, 2])):
        choices = tuple(CHOICES) if name == "note" and chance.random() < 0.5 else ()
        most = chance.choice([0, 0, 2])
        fact = Fact(f"result.{name}", FIELDS[name], chance.random() < 0.4, choices, most)
        unit = chance.choice(["", " in cents"]) if name == "price" else ""
        texts.append(f'"{name}" {type_text(fact, unit)}{" optional" * fact.optional}')
        fields.append(fact)
    maker.made.kinds.add("succeeds when")
    facts = [*fields, *fields, *fields, *args, Fact("call.attempt", "count"), Fact("step.kind", "text")]
    return [f"result {{ {' '.join(texts)} }}" if texts else "", f"succeeds when {maker.condition(facts, 2)}"]
