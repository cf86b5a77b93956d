"""Amounts as people read them: the engine's integers with their unit."""

from __future__ import annotations

from decimal import Decimal

NANO = 1_000_000_000
"""Nano-units in a unit of the currency, and nanoseconds in a second."""

TIMES = frozenset({"active_time", "wall_time"})
"""The dimensions of limits that are measured, in nanoseconds."""


def money(nano: int, currency: str = "$") -> str:
    """Nano-units of `currency` as text: at least two decimals, none lost: `$0.50`, `EUR 0.0001`."""
    whole, part = divmod(abs(nano), NANO)
    decimals = f"{part:09}".rstrip("0").ljust(2, "0")
    sign = "-" if nano < 0 else ""
    gap = "" if currency == "$" else " "
    return f"{sign}{currency}{gap}{whole}.{decimals}"


def duration(nanoseconds: int) -> str:
    """Nanoseconds as seconds: `0.2 s`."""
    return f"{decimal(nanoseconds)} s"


def decimal(nano: int) -> str:
    """A number of billionths, exactly and without needless zeros: 1.5 for 1_500_000_000."""
    text = f"{Decimal(nano).scaleb(-9):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount(dimension: str, value: int, currency: str = "$") -> str:
    """A value of a limit's dimension (`cost`, `active_time`, a count) as text with its unit."""
    if dimension == "cost":
        return money(value, currency)
    if dimension in TIMES:
        return duration(value)
    return f"{value:,}"
