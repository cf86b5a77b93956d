"""Amounts, accounts and windows of a ledger, as the commands about it print and read them.

A ledger does not know the policy's currency: money is printed and read as a plain number of its units.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from checkrein import amounts
from checkrein.errors import CheckreinError
from checkrein.sentences import printable

_NUMBER_MAX = 2**53 - 1
_UNITS = {
    "d": 86_400 * amounts.NANO, "h": 3_600 * amounts.NANO, "min": 60 * amounts.NANO, "s": amounts.NANO,
    "ms": amounts.NANO // 1_000,
}  # fmt: skip
_FACTORS = {"k": 1_000, "M": 1_000_000}


def amount_of(measure: str, value: int, *, signed: bool = False) -> str:
    """An amount of a measure: `0.50` of cost, `12 s` of a time, `1,200` of anything else."""
    sign = "-" if value < 0 else "+" if signed else ""
    value = abs(value)
    if measure == "cost":
        return sign + amounts.money(value, "").strip()
    return sign + amounts.amount(measure, value)


def parse_amount(measure: str, text: str) -> int:
    """An amount as people write it: `0.50` or `$0.50` of cost, seconds of a time, `200k` of anything else.

    Raises `CheckreinError` for one that can't be meant.
    """
    number = text.strip().replace("$", "", 1).replace(",", "").replace("_", "")
    scale = 9 if measure == "cost" or measure in amounts.TIMES else 0
    try:
        factor = _FACTORS.get(number[-1:], 1)
        value = (Decimal(number[:-1] if factor > 1 else number) * factor).scaleb(scale)
    except InvalidOperation:
        raise CheckreinError(f"`{printable(text)}` is no amount of {measure}; {_example(measure)}") from None
    if not value.is_finite() or value != value.to_integral_value() or abs(value) > _NUMBER_MAX:
        raise CheckreinError(f"`{printable(text)}` is no amount of {measure}; {_example(measure)}")
    return int(value)


def _example(measure: str) -> str:
    return "write it like 0.50" if measure == "cost" else "write it like 200 or 200k"


def place_of(account: Mapping[str, Any]) -> str:
    """An account's name for people: whose it is, the limit, the measure, the window."""
    parts = [f"{account['scope']}:{account['id']}", account["limit"], account["measure"]]
    parts += [_window(account["window"])] if account["window"] else []
    return printable(" · ".join(parts))


def is_meant(wanted: str, account: Mapping[str, Any]) -> bool:
    """Whether every word of `wanted` is in the account's name."""
    return all(word in place_of(account) for word in wanted.split())


def _window(window: str) -> str:
    """The window as a policy writes it: `day Europe/Rome`, `rolling 1 min`."""
    kind, _, length = window.partition(" ")
    if kind != "rolling" or not length.isdigit():
        return window
    for unit, size in _UNITS.items():
        if int(length) % size == 0:
            return f"rolling {int(length) // size} {unit}"
    return window


def when(window: str, start: int, *, seconds: bool = False) -> str:
    """Which window it is: the beginning of a period, always the time just past, or the only one."""
    if start:
        form = "%Y-%m-%d %H:%M:%SZ" if seconds else "%Y-%m-%d %H:%MZ"
        return datetime.fromtimestamp(start / 1e9, UTC).strftime(form)
    return "until now" if window else "for ever"
