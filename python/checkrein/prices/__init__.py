"""What models cost, from a snapshot of public list prices that is part of this package.

    tariffs("openai/gpt-5", "$")  # the tariffs of the model, or None: unknown, which is never free
    SNAPSHOT_ID                   # names the snapshot, down to its bytes

No network, no clock: the same package gives the same prices for ever. docs/prices.md tells more.
"""

from __future__ import annotations

from typing import Any

from checkrein.frozen import Frozen
from checkrein.prices.match import find_model, find_provider
from checkrein.prices.snapshot import Tariff, load, tariffs_of

__all__ = ["SNAPSHOT_ID", "Price", "Tariff", "cost", "price_of", "search", "tariffs"]

SNAPSHOT_ID: str
"""Source, date and content of the snapshot; read when it is first asked for."""

CURRENCY = "$"
"""The one currency that the snapshot has prices in."""

_MILLION = 1_000_000


class Price(Frozen):
    """A model of the snapshot: its tariffs, or the reason for having none.

    `until` is the day on which its provider announced another price, "" if none is known. `audio` says
    that audio costs more than the tariffs say: they are for text.
    """

    provider: str
    model: str
    tariffs: tuple[Tariff, ...]
    reason: str = ""
    until: str = ""
    audio: bool = False

    @property
    def target(self) -> str:
        """How a policy names the model."""
        return f"{self.provider}/{self.model}"


def __getattr__(name: str) -> Any:
    if name == "SNAPSHOT_ID":
        return load().id
    raise AttributeError(f"module `{__name__}` has no `{name}`")


def tariffs(target: str, currency: str) -> tuple[Tariff, ...] | None:
    """The tariffs of `target` (`provider/model`), or None if its price in `currency` is not known.

    They are sorted by (above, start); for each `above` they cover the day exactly once.
    """
    price = price_of(target) if currency == CURRENCY else None
    return (price.tariffs or None) if price else None


def price_of(target: str) -> Price | None:
    """What the snapshot says of `target` (`provider/model`), or None if it knows no such model."""
    provider_name, slash, model_name = target.partition("/")
    if not slash or not model_name:
        return None
    providers = load().providers
    provider = find_provider(providers, provider_name)
    entry = find_model(providers, provider, model_name) if provider else None
    return _price(provider["id"], entry) if provider and entry else None


def search(words: str = "") -> list[Price]:
    """Every model whose target has all of `words` in it, sorted by target; also those without a price."""
    wanted = words.lower().split()
    found = [
        _price(provider["id"], entry)
        for provider in load().providers
        for entry in provider["models"]
        if all(word in f"{provider['id']}/{entry['id']}".lower() for word in wanted)
    ]
    return sorted(found, key=lambda price: price.target)


def cost(
    tariffs: tuple[Tariff, ...],
    input_tokens: int,
    output_tokens: int,
    *,
    cache_read: int = 0,
    cache_write: int = 0,
    reasoning: int = 0,
    minute: int = 0,
) -> int:
    """What one call costs, in billionths, rounded up once.

    `input_tokens` include those read from and written to a cache, `output_tokens` the reasoning.
    `minute` is the minute of the UTC day. Raises `ValueError` for a part that is more than its whole.
    """
    plain, answer = input_tokens - cache_read - cache_write, output_tokens - reasoning
    if min(plain, answer, cache_read, cache_write, reasoning) < 0:
        raise ValueError("cached tokens are part of the input, reasoning of the output, and none is negative")
    above = max(t.above for t in tariffs if t.above == 0 or t.above < input_tokens)
    tariff = next(t for t in tariffs if t.above == above and t.start <= minute < t.end)
    total = (
        plain * tariff.input
        + cache_read * tariff.cache_read
        + cache_write * tariff.cache_write
        + answer * tariff.output
        + reasoning * tariff.reasoning
    )
    return -(-total // _MILLION)


def _price(provider: str, entry: dict[str, Any]) -> Price:
    return Price(
        provider,
        entry["id"],
        tariffs_of(entry),
        entry.get("reason", ""),
        entry.get("until", ""),
        entry.get("audio", False),
    )
