"""The price snapshot as it lies in the package: read once, checked, and never fetched from anywhere.

`snapshot.json` is written by scripts/prices.py. Its models stand in the order in which they are matched.
A model without a price here has the reason instead, so that a looser match cannot give it another's price.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from checkrein.errors import CheckreinError

FORMAT = 1
"""The only layout of the file that is read."""

DAY = 1440
"""Minutes of a day, by UTC."""

RATE_MIN = 100_000
"""Billionths of the currency per million tokens: $0.0001. Less is a slip of a decimal point, or free."""
RATE_MAX = 2_000_000_000_000
"""$2,000 per million tokens. More is a price per thousand tokens, or per token."""
OUTPUT_SHARE_MIN = 100
"""Output may cost no less than this fraction of the input."""
OUTPUT_TIMES_MAX = 200
"""Output may cost no more than so many times the input."""
CACHE_WRITE_TIMES_MAX = 4
"""Writing to a cache may cost no more than so many times the input."""
TARIFFS_MAX = 64
"""As many tariffs as a program takes for one model."""


class Tariff(NamedTuple):
    """What tokens cost for calls with more than `above` input tokens, from minute `start` until `end`.

    The greatest `above` below a call's input prices the whole call. Rates are billionths of the currency
    per million tokens; minutes are those of the UTC day.
    """

    above: int
    start: int
    end: int
    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int


class Snapshot(NamedTuple):
    """The parsed file and what names it."""

    id: str
    providers: tuple[dict[str, Any], ...]


def implausible(tariff: Tariff) -> str | None:
    """Why the rates of `tariff` cannot be meant, or None."""
    for name in ("input", "output", "cache_read", "cache_write", "reasoning"):
        rate = getattr(tariff, name)
        if not RATE_MIN <= rate <= RATE_MAX:
            return f"{name.replace('_', ' ')} is outside $0.0001 to $2,000 per million tokens"
    if tariff.output * OUTPUT_SHARE_MIN < tariff.input:
        return "output costs less than a hundredth of input"
    if tariff.output > tariff.input * OUTPUT_TIMES_MAX:
        return f"output costs more than {OUTPUT_TIMES_MAX} times input"
    if tariff.cache_read > tariff.input:
        return "reading from the cache costs more than input"
    if tariff.cache_write > tariff.input * CACHE_WRITE_TIMES_MAX:
        return f"writing to the cache costs more than {CACHE_WRITE_TIMES_MAX} times input"
    return None


def uncovered(tariffs: tuple[Tariff, ...]) -> str | None:
    """Why `tariffs` leave a call or an hour without a price, or None."""
    if not tariffs or len(tariffs) > TARIFFS_MAX:
        return f"there are {len(tariffs)} tariffs"
    if list(tariffs) != sorted(tariffs, key=lambda t: (t.above, t.start)) or tariffs[0].above != 0:
        return "tariffs are not in order from 0 input tokens"
    for above in {t.above for t in tariffs}:
        at = 0
        for tariff in (t for t in tariffs if t.above == above):
            if tariff.start != at or tariff.end <= at:
                return "tariffs do not cover the day exactly once"
            at = tariff.end
        if at != DAY:
            return "tariffs do not cover the day exactly once"
    return None


def tariffs_of(entry: dict[str, Any]) -> tuple[Tariff, ...]:
    """The tariffs of a model of the file; empty if it has a reason instead."""
    return tuple(Tariff(*row) for row in entry.get("tariffs", ()))


def read_raw() -> bytes:
    """The bytes of the snapshot, with the line ends that it was written with."""
    return Path(__file__).with_name("snapshot.json").read_bytes().replace(b"\r\n", b"\n")


@functools.cache
def load() -> Snapshot:
    """The snapshot of this package. Raises `CheckreinError` if it is not one that can be trusted."""
    return parse(read_raw())


def parse(raw: bytes) -> Snapshot:
    """The snapshot in `raw`, with every rate checked."""
    try:
        data = json.loads(raw)
        found = data["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise _broken("it is no price snapshot") from error
    if found != FORMAT:
        raise _broken(f"it has format {found}, and this version reads {FORMAT}")
    try:
        for provider in data["providers"]:
            for entry in provider["models"]:
                _check(f"{provider['id']}/{entry['id']}", entry)
        name = f"{data['source']} {data['as_of']} sha256:{hashlib.sha256(raw).hexdigest()[:12]}"
        return Snapshot(name, tuple(data["providers"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise _broken("a part of it is missing or of the wrong type") from error


def _check(target: str, entry: dict[str, Any]) -> None:
    unknown = sorted(set(entry) - {"id", "match", "tariffs", "reason", "until", "audio"})
    if unknown:
        raise _broken(f"`{target}` has an unknown field `{unknown[0]}`")
    if ("tariffs" in entry) == ("reason" in entry):
        raise _broken(f"`{target}` needs either tariffs or the reason for having none")
    if "reason" in entry:
        return
    if any(type(value) is not int for row in entry["tariffs"] for value in row):
        raise _broken(f"`{target}` has a rate that is not a whole number")
    tariffs = tariffs_of(entry)
    why = uncovered(tariffs) or next((why for t in tariffs if (why := implausible(t))), None)
    if why:
        raise _broken(f"`{target}`: {why}")


def _broken(why: str) -> CheckreinError:
    return CheckreinError(
        f"the price snapshot of checkrein cannot be used: {why}\n"
        "  help: install checkrein again, or state prices: `price input $1 output $2 per 1M tokens`"
    )
