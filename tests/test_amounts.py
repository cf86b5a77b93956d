"""Amounts as text: exact, with their unit, and never in scientific notation."""

import pytest

from checkrein import amounts


@pytest.mark.parametrize(
    ("nano", "currency", "text"),
    [
        (0, "$", "$0.00"),
        (500_000_000, "$", "$0.50"),
        (100_000, "$", "$0.0001"),
        (1, "$", "$0.000000001"),
        (-1_000_000_000, "$", "-$1.00"),
        (9_007_199_254_740_991, "$", "$9007199.254740991"),
        (5_250_000_000, "EUR", "EUR 5.25"),
    ],
)
def test_money(nano, currency, text):
    assert amounts.money(nano, currency) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 s"),
        (200_000_000, "0.2 s"),
        (3_000_000_000, "3 s"),
        (1, "0.000000001 s"),
        (600 * 10**9, "600 s"),
    ],
)
def test_duration(nanoseconds, text):
    assert amounts.duration(nanoseconds) == text


def test_the_unit_follows_the_dimension():
    assert amounts.amount("cost", 10**9, "EUR") == "EUR 1.00"
    assert amounts.amount("active_time", 10**9) == "1 s"
    assert amounts.amount("tokens", 200_000) == "200,000"
