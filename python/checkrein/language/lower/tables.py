"""A policy as plain tables: what lowering makes and emitting writes down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from checkrein.language.names import Names
    from checkrein.language.tree import Policy
    from checkrein.language.zones import Zone
    from checkrein.prices import Tariff

Constant = tuple[int, "str | bool | int"]
"""(dimension, value)"""
Key = tuple[str, int, bool]
"""(fact, dimension, is a list): what an entry of the fact table is known by."""


@dataclass(slots=True)
class FactEntry:
    """One row of the fact table. `presence` is 0 required, 1 optional, 2 default, 3 default empty list."""

    source: int
    presence: int
    default: Constant | None = None
    choices: tuple[str, ...] = ()
    most: int = 0


class BoundRow(NamedTuple):
    """One bound; `selector` only of `calls of`, `withheld` is what a wrap-up keeps back."""

    measure: int
    selector: tuple[int, int | None] | None
    most: int
    withheld: int


@dataclass(slots=True)
class Tables:
    """A policy without names to resolve; `emit/` writes it down as it stands."""

    policy: Policy
    names: Names
    currency: str
    tariffs: dict[str, tuple[Tariff, ...]]
    """Of every model, by its name; none if it is free."""
    prices: str
    """The price snapshot that one of them is from; empty if none is."""
    zones: list[Zone] = field(default_factory=list)
    """Ascending by name: the index is what windows refer to."""
    clock: str | None = None
    """The zone of the clock, if a fact is read from it."""
    facts: dict[Key, FactEntry] = field(default_factory=dict)
    statements: list[tuple[int, Any]] = field(default_factory=list)
    """(kind, node), ascending by name and kind: the index is what other rows refer to."""
    conditions: list[list[tuple[Any, ...]]] = field(default_factory=list)
    """Operations refer to facts by key; `emit/` knows their indices."""
    templates: list[list[str | Key]] = field(default_factory=list)
    """The texts of answers: literals, and facts by key."""
    template_of: dict[int, int] = field(default_factory=dict)
    """`id` of an outcome's node in the tree to its text's index."""
    matched: dict[int, set[Key]] = field(default_factory=dict)
    """`id` of an order's node in the tree to the facts that it compares."""
    condition_of: dict[int, int] = field(default_factory=dict)
    """`id` of a condition's node in the tree to its index."""
