"""Random orders: of tools and classes, about the same things or any, until something changes or for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .generate import Maker


def order(maker: Maker, name: str) -> None:
    """Add an order to the policy that is made."""
    made, chance = maker.made, maker.chance
    first, other = chance.sample(sorted(made.tools), 2)
    before, after, sides = f'"{first}"', f'"{other}"', [[first], [other]]
    kind, earlier = made.classes[other], made.classes[first]
    if kind and kind != earlier and chance.random() < 0.5:
        after, sides[1] = f"class {kind}", members(maker, kind)
    if earlier and kind != earlier and chance.random() < 0.3:
        before, sides[0] = f"class {earlier}", members(maker, earlier)
    made.orders.append((sides[0], sides[1]))
    same = shared(maker, [*sides[0], *sides[1]])
    matching = again = ""
    if same and chance.random() < 0.7:
        made.kinds.add("matching")
        matching = f"matching {listed(chance.sample(same, min(len(same), chance.choice([1, 1, 2]))))}"
    if chance.random() < 0.45:
        changing = chance.sample(sorted(made.tools), chance.choice([1, 1, 2]))
        if not set(sides[0]) <= set(changing):
            made.kinds.add("again after")
            again = f"again after {listed(changing)}"
    otherwise = maker.otherwise(escalates=True)
    maker.add(f'order "{name}" {{ {before} before {after} {matching} within run {again} }} {otherwise}')


def members(maker: Maker, kind: str) -> list[str]:
    """The tools of a class."""
    return [tool for tool, known in maker.made.classes.items() if known == kind]


def shared(maker: Maker, tools: list[str]) -> list[str]:
    """The arguments that all of these tools declare with one type."""
    known = [
        {(fact.name[10:], fact.dimension) for fact in maker.made.tools[tool] if not fact.most}
        for tool in tools
    ]
    return sorted(name for name, _ in set.intersection(*known))


def listed(names: list[str]) -> str:
    """Names as a policy lists them."""
    return ", ".join(f'"{name}"' for name in names)
