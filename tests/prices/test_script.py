"""`scripts/prices.py` stops at what it does not know, and leaves out what tokens of text do not price."""

import importlib.util
from datetime import UTC, date, time
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import types as genai

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "prices.py"
PLAIN = {"input_mtok": Decimal(2), "output_mtok": Decimal(8)}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("scripts_prices", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def model(prices, match=None):
    if isinstance(prices, dict):
        prices = genai.ModelPrice(**prices)
    return genai.ModelInfo(id="m", match=match or genai.ClauseEquals("M"), prices=prices)


def step(constraint=None, **changed):
    return genai.ConditionalPrice(constraint, prices=genai.ModelPrice(**{**PLAIN, **changed}))


def test_a_price_of_tokens_becomes_one_tariff(script):
    entry = script.model_entry(model({**PLAIN, "cache_read_mtok": Decimal("0.2")}))
    billion = 10**9
    rates = [2 * billion, 8 * billion, billion // 5, 2 * billion, 8 * billion]
    assert entry == {"id": "m", "match": "=m", "tariffs": [[0, 0, 1440, *rates]]}


@pytest.mark.parametrize("key", ["input_smell_mtok", "per_image", "OUTPUT_MTOK"])
def test_failure_28_an_unknown_unit_stops_the_script(script, key):
    with pytest.raises(SystemExit, match="does not know"):
        script.model_entry(model({**PLAIN, key: Decimal(1)}))


def test_failure_28_a_new_unit_in_their_data_stops_the_script(script, monkeypatch):
    monkeypatch.setattr(script, "unit_data", {**script.unit_data, "smell": {"price_key": "smell"}})
    with pytest.raises(SystemExit, match="see which are new"):
        script.build()


def test_failure_28_a_new_field_of_a_model_stops_the_script(script, monkeypatch):
    monkeypatch.setattr(script, "FIELDS_KNOWN", script.FIELDS_KNOWN - {"price_variants"})
    with pytest.raises(SystemExit, match="price_variants"):
        script.build()


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ({}, "it has no price"),
        ({"input_mtok": Decimal(1)}, "no price of output"),
        ({"input_mtok": Decimal(0), "output_mtok": Decimal(0)}, "at zero"),
        ({**PLAIN, "requests_kcount": Decimal(5)}, "not priced by tokens of text alone: requests_kcount"),
        (
            {**PLAIN, "output_image_mtok": Decimal(30)},
            "not priced by tokens of text alone: output_image_mtok",
        ),
        ({"input_mtok": Decimal(0), "output_mtok": Decimal(8)}, "implausible: input is outside"),
        ({**PLAIN, "input_mtok": Decimal(200_000)}, "implausible: input is outside"),
        ({**PLAIN, "cache_read_mtok": Decimal(3)}, "implausible: reading from the cache"),
    ],
)
def test_failures_21_and_24_what_is_not_priced_soundly_is_left_out(script, prices, reason):
    entry = script.model_entry(model(prices))
    assert reason in entry["reason"]
    assert "tariffs" not in entry


def test_steps_of_different_rates_are_put_together(script):
    into = genai.TieredPrices(
        base=Decimal(2), tiers=[genai.Tier(100, Decimal(4)), genai.Tier(300, Decimal(5))]
    )
    out = genai.TieredPrices(base=Decimal(8), tiers=[genai.Tier(200, Decimal(9))])
    entry = script.model_entry(model({"input_mtok": into, "output_mtok": out}))
    assert [(t[0], t[3] // 10**9, t[4] // 10**9) for t in entry["tariffs"]] == [
        (0, 2, 8), (100, 4, 8), (200, 4, 9), (300, 5, 9),
    ]  # fmt: skip


def test_hours_cut_the_day_also_over_midnight(script):
    night = genai.TimeOfDateConstraint(time(22, 0, tzinfo=UTC), time(6, 30, tzinfo=UTC))
    entry = script.model_entry(model([step(), step(night, input_mtok=Decimal(1))]))
    assert [(t[1], t[2], t[3] // 10**9) for t in entry["tariffs"]] == [
        (0, 390, 1),
        (390, 1320, 2),
        (1320, 1440, 1),
    ]


def test_the_price_of_the_day_counts_and_the_next_is_told(script):
    old = genai.StartDateConstraint(script.AS_OF)
    new = genai.StartDateConstraint(date(script.AS_OF.year + 1, 2, 3))
    entry = script.model_entry(
        model([step(), step(old, input_mtok=Decimal(3)), step(new, input_mtok=Decimal(4))])
    )
    assert [t[3] // 10**9 for t in entry["tariffs"]] == [3]
    assert entry["until"] == f"{script.AS_OF.year + 1}-02-03"


def test_a_price_that_changes_within_a_minute_stops_the_script(script):
    odd = genai.TimeOfDateConstraint(time(1, 0, 30, tzinfo=UTC), time(2, 0, tzinfo=UTC))
    with pytest.raises(SystemExit, match="no full minute"):
        script.model_entry(model([step(), step(odd)]))


@pytest.mark.parametrize(
    ("dollars", "nano"),
    [
        ("1.25", 1_250_000_000),
        ("0.0833333333333333", 83_333_334),
        ("0.18000000000000002", 180_000_000),
        ("1.0399999999999998", 1_040_000_000),
    ],
)
def test_rates_are_rounded_up_but_not_for_noise(script, dollars, nano):
    assert script.nano(Decimal(dollars)) == nano


@pytest.mark.parametrize(
    ("pattern", "matcher"),
    [
        (r"^gpt-5\.4-\d{4}-\d{2}-\d{2}$", "#gpt-5.4-####-##-##"),
        (r"^gemini-4-\d", "%gemini-4-#"),
        (r"^Composer\[fast=true\]$", "=composer[fast=true]"),
        (r"^opus[-@]\d{2}$", ["#opus-##", "#opus@##"]),
        (r"^(a/)?b(-\d)?$", ["#a/b-#", "#b-#", "=a/b", "=b"]),
        (r"^(?!.*-[tT][tT][sS](?:$|-))", {"not": ["$-tts", "*-tts-"]}),
        (r"^o", "^o"),
    ],
)
def test_an_expression_becomes_a_matcher(script, pattern, matcher):
    assert script.from_regex(pattern) == matcher


@pytest.mark.parametrize("pattern", ["gpt", "^gpt.*", "^a+", "^a|b", "^a*$", "^#"])
def test_failure_28_an_expression_that_is_no_matcher_stops_the_script(script, pattern):
    with pytest.raises(SystemExit, match="cannot be written as a matcher"):
        script.from_regex(pattern)
