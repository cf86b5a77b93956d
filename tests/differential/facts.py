"""The facts of random policies: their types, and what conditions compare them with."""

from __future__ import annotations

from dataclasses import dataclass

from . import limits

LITERALS = {
    "count": ["0", "1", "2", "3", "5"],
    "money": ["$0", "$0.50", "$10", "$100.25"],
    "tokens": ["0 tokens", "50 tokens", "200 tokens", "1.5k tokens"],
    "duration": ["0 s", "500 ms", "2 s", "1 min", "12 h"],
    "percent": ["0%", "25%", "50%", "87.5%", "100%"],
    "flag": ["true", "false"],
    "text": ['"red"', '"green"', '"né"', '""'],
}
CHOICES = ["public", "internal", "pii"]
KINDS = [
    "timeout",
    "rate_limited",
    "unavailable",
    "auth",
    "tool_failure",
    "unknown",
    "cancelled",
    "denied",
    "billing",
]
RUN_FACTS = {"step.index": "count", "run.cost.held": "money"} | {
    f"run.{measure}.held": "tokens" for measure in ("tokens", "input_tokens", "output_tokens")
}


@dataclass(frozen=True)
class Fact:
    """A fact that a condition may read; `choices` as they are written."""

    name: str
    dimension: str
    optional: bool = False
    choices: tuple[str, ...] = ()
    most: int = 0
    """Of a list: how many elements it may have."""


def type_text(fact: Fact, unit: str = "") -> str:
    """The type of a fact or argument as it is written."""
    one = "one of " + ", ".join(f'"{choice}"' for choice in fact.choices)
    single = one if fact.choices else fact.dimension + unit
    return f"list of {single} at most {fact.most}" if fact.most else single


def dimension_of(bound: str) -> str:
    """The dimension of what is left of a bound."""
    if bound.endswith("tokens"):
        return "tokens"
    return {"cost": "money", "active_time": "duration", "wall_time": "duration"}.get(bound, "count")


RUN_FACTS |= {f"run.{measure}.spent": dimension_of(measure) for measure in limits.SIZES}
