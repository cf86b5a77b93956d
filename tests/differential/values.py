"""What random hosts send: values of every dimension, of none, and odd ones."""

from __future__ import annotations

import datetime
import enum
import math
import pathlib
import uuid
from decimal import Decimal
from typing import Any

VALUES: dict[str, list[Any]] = {
    "count": [0, 1, 2, 3, 4, 5, 3.0, -1, Decimal("2")],
    "money": [0, 0.5, "0.50", 10, 100, Decimal("100.25"), 100.25, "100.26", "-3", 50, 10025],
    "tokens": [0, 50, 51, 200, 1500, 200.0],
    "duration": [0, 0.5, 0.25, 2, 60, Decimal("1.999999999"), 7],
    "percent": [0, 0.25, 0.5, 0.875, 1, 1.0, 0.333333],
    "flag": [True, False],
    "text": ["red", "green", "né", "", "purple", "nearby", "spleen", "\U0001f600 ok"],
}
ILL_TYPED = [
    True, 1, 1.5, "x", "1e3", -7, 10**30, math.nan, math.inf, -math.inf, Decimal("NaN"), Decimal("1e-20"),
    0.1 + 0.2, [1], {"a": 1}, b"x", 2**53, "9007199.254740992", "\u0663", "1\n", object, Decimal("1e99999"),
]  # fmt: skip


class Colour(enum.Enum):
    """An enum among the arguments of a call."""

    RED = "red"


ODD_ARGUMENTS = [
    None, [1, 2.0, "x"], {"b": [], "a": {}, "\u00e9": 1}, (1, 2), {3, 1, 2}, b"bytes", Decimal("1.50"),
    Colour.RED, 1e21, -0.0, math.nan, 2**70, uuid.UUID(int=7), pathlib.PurePosixPath("/tmp/x"), object(),
    datetime.datetime(2026, 1, 2, 3, 4), "\u2028\x01\"\\/", 5e-324, {"\U0001f600": 1, "\ufb33": 2}, True,
    0.000001, 1e-7, 123456789012345680000.0, {1: "a", "b": None},
]  # fmt: skip
