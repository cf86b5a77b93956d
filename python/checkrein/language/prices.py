"""What a model costs: the price that the policy gives, else the one of the price snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein import prices
from checkrein.language.tree import Price

if TYPE_CHECKING:
    from checkrein.language.tree import Model
    from checkrein.prices import Tariff

__all__ = ["snapshot_id", "tariffs_of", "why_unknown"]

DAY = 1440
"""Minutes of a day."""


def tariffs_of(model: Model, currency: str) -> tuple[Tariff, ...] | None:
    """The tariffs of a model, none if it is free; None if nobody knows them."""
    if isinstance(model.price, Price):
        return (_written(model.price),)
    if model.price == "free":
        return ()
    return prices.tariffs(model.target.text, currency)


def snapshot_id() -> str:
    """Which snapshot prices are taken from."""
    return prices.SNAPSHOT_ID


def why_unknown(model: Model, currency: str) -> str:
    """Why the snapshot does not tell what a model costs."""
    found = prices.price_of(model.target.text)
    if found is None or not (found.reason or found.tariffs):
        return "the price snapshot does not know it"
    if found.reason:
        return f"the price snapshot has none: {found.reason}"
    return f"the price snapshot knows it in `{prices.CURRENCY}` only, this file counts in `{currency}`"


def _written(price: Price) -> Tariff:
    """A rate that is not given is that of the kind of tokens it is a part of."""

    def rate(own: int | None, whole: int) -> int:
        return whole if own is None else own

    return prices.Tariff(
        0,
        0,
        DAY,
        price.input,
        price.output,
        rate(price.cache_read, price.input),
        rate(price.cache_write, price.input),
        rate(price.reasoning, price.output),
    )
