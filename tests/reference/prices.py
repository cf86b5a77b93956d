"""What tokens cost: the price that applies to a call, and the dearest that could."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from checkrein import prices
from checkrein.language import tree

MINUTE = 60 * 10**9
MILLION = 10**6


@dataclass(frozen=True)
class Used:
    """A usage as it was reported; input and output are all of it, the others parts of them."""

    kind: str
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


def tariffs_of(model: tree.Model, currency: str) -> tuple:
    """What a model costs by size and hour: as the policy says, else by the list prices; () is free."""
    if model.price == "free":
        return ()
    if model.price is None:
        return prices.tariffs(model.target.text, currency)
    rate_in, rate_out, *parts = (getattr(model.price, each) for each in tree.Price.__slots__)
    usual = (rate_in, rate_in, rate_out)
    parts = [whole if own is None else own for own, whole in zip(parts, usual, strict=True)]
    return (prices.Tariff(0, 0, 1440, rate_in, rate_out, *parts),)


def cost(tariffs: tuple, used: Used, wall: int) -> int:
    """The price of a usage in nano-units, rounded up once, for a call that was opened at this instant."""
    minute = wall // MINUTE % 1440
    applying = [each for each in tariffs if each.start <= minute < each.end and of_size(each, used.input)]
    if not applying:
        return 0
    rate = max(applying, key=lambda each: each.above)
    plain_in = used.input - used.cache_read - used.cache_write
    plain_out = used.output - used.reasoning
    parts = [(plain_in, rate.input), (used.cache_read, rate.cache_read), (used.cache_write, rate.cache_write)]
    parts += [(plain_out, rate.output), (used.reasoning, rate.reasoning)]
    return -(-sum(tokens * price for tokens, price in parts) // MILLION)


def worst(tariffs: tuple, most_in: int, most_out: int) -> int:
    """The most that a call of so many tokens can cost: any part of the dearest kind, at any hour."""
    possible = [each for each in tariffs if of_size(each, most_in)]
    dearest_in = max((max(each.input, each.cache_read, each.cache_write) for each in possible), default=0)
    dearest_out = max((max(each.output, each.reasoning) for each in possible), default=0)
    return -(-(most_in * dearest_in + most_out * dearest_out) // MILLION)


def of_size(tariff: Any, tokens: int) -> bool:
    return tariff.above == 0 or tokens > tariff.above
