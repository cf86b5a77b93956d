"""Every model of the snapshot costs what genai-prices itself says that a call with it costs."""

import math
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from genai_prices import types as genai
from genai_prices.data import providers

from checkrein import prices
from checkrein.prices.match import find_model
from checkrein.prices.snapshot import load

AS_OF = date.fromisoformat(prices.SNAPSHOT_ID.split()[2])
PROVIDERS = {provider.id: provider for provider in providers}
NANO = 10**9

# input, output, cache read, cache write, reasoning
USAGES = [
    (0, 0, 0, 0, 0),
    (1, 1, 0, 0, 0),
    (12_345, 678, 0, 0, 0),
    (12_345, 678, 12_000, 0, 0),
    (12_345, 678, 7_001, 5_003, 0),
    (999_983, 65_521, 123_457, 98_765, 54_321),
]


def entries():
    return [(place, entry) for place in load().providers for entry in place["models"]]


def expected(provider, model, usage, minute):
    """Their price of a call, in billionths, exactly."""
    input, output, read, write, reasoning = usage
    counts = {"input_tokens": input, "output_tokens": output, "cache_read_tokens": read}
    counts |= {"cache_write_tokens": write, "output_reasoning_tokens": reasoning}
    at = datetime(AS_OF.year, AS_OF.month, AS_OF.day, tzinfo=UTC) + timedelta(minutes=minute)
    found = model.calc_price(genai.Usage(**counts), provider, genai_request_timestamp=at)
    return Fraction(found.total_price) * NANO


def rates(model):
    ladder = model.prices if isinstance(model.prices, list) else [model]
    for prices_ in (step.prices for step in ladder):
        for price in prices_.__dict__.values():
            if isinstance(price, genai.TieredPrices):
                yield from (price.base, *(tier.price for tier in price.tiers))
            elif price is not None:
                yield price


def usages(tariffs):
    """The grid, and calls at every step of the tariffs."""
    yield from USAGES
    for above in {tariff.above for tariff in tariffs} - {0}:
        yield from ((used, 1_000, used // 3, used // 7, 400) for used in (above, above + 1))


def minutes(tariffs):
    return {m for tariff in tariffs for m in (tariff.start, tariff.end - 1)}


@pytest.mark.parametrize("place", load().providers, ids=lambda place: place["id"])
def test_failure_22_every_model_costs_what_its_source_says(place):
    provider = PROVIDERS[place["id"]]
    assert [entry["id"] for entry in place["models"]] == [model.id for model in provider.models]
    for entry, model in zip(place["models"], provider.models, strict=True):
        tariffs = prices.snapshot.tariffs_of(entry)
        whole = all(Fraction(rate) * NANO % 1 == 0 for rate in rates(model))
        for usage in usages(tariffs) if tariffs else ():
            input, output, read, write, reasoning = usage
            parts = {"cache_read": read, "cache_write": write, "reasoning": reasoning}
            for minute in minutes(tariffs):
                true = expected(provider, model, usage, minute)
                ours = prices.cost(tariffs, input, output, minute=minute, **parts)
                where = f"{place['id']}/{model.id} {usage} at minute {minute}"
                if whole:
                    assert ours == math.ceil(true), where
                else:  # a rate of their data is no whole number of billionths; it is rounded up
                    assert -Fraction(1, 10**6) <= ours - true < 1 + Fraction(input + output, 10**6), where


def test_most_rates_are_whole_numbers():
    whole = [
        all(Fraction(rate) * NANO % 1 == 0 for rate in rates(model))
        for provider in providers
        for model in provider.models
    ]
    assert whole.count(False) < 30 < 2000 < whole.count(True)


def test_hours_and_steps_are_both_in_the_snapshot():
    tariffs = [prices.snapshot.tariffs_of(entry) for _place, entry in entries()]
    assert any(len({t.above for t in some}) > 1 for some in tariffs)
    assert any(len({t.start for t in some}) > 1 for some in tariffs)


# -- which model a target means ----------------------------------------------------------------------


def spelled(id):
    """Ways to name a model, some of which mean another or none."""
    yield from (id, id.upper(), f"{id}-2025-08-07", f"{id}-20250807", f"{id}-20250899", f"{id}-12345678")
    yield from (f"{id}-tts", f"{id}-latest", id.rpartition("/")[2], id[:-1], f"x-{id}")


@pytest.mark.parametrize("place", load().providers, ids=lambda place: place["id"])
def test_a_name_means_the_model_that_it_means_there(place):
    provider = PROVIDERS[place["id"]]
    served = [PROVIDERS[id] for id in provider.fallback_model_providers or ()]
    ids = [model.id for other in [provider, *served] for model in other.models]
    if len(ids) > 300:
        ids = ids[::4]
    names = {name for id in ids for name in spelled(id) if name}
    found = 0
    for name in sorted(names):
        wanted = provider.find_model(name, all_providers=providers)
        entry = find_model(load().providers, place, name)
        if wanted is None:  # the snapshot takes its own id of a model too, if that means nothing else
            assert entry is None or entry["id"].lower() == name.lower(), name
        else:
            assert entry["id"] == wanted.id, name
        found += entry is not None
    assert found


def test_a_provider_is_found_by_the_names_that_it_has_there():
    from genai_prices.data_snapshot import find_provider_by_id

    from checkrein.prices.match import find_provider

    names = [
        *PROVIDERS,
        "OpenAI",
        " aws ",
        "bedrock",
        "azure_openai",
        "google_vertexai",
        "google-genai",
        "gemini",
    ]
    names += [
        "vertex_ai",
        "anthropic-vertex",
        "mistralai",
        "xai",
        "together_ai",
        "fireworks_ai",
        "nobody",
        "onnx",
    ]
    for name in names:
        wanted = find_provider_by_id(providers, name)
        found = find_provider(load().providers, name)
        assert (found and found["id"]) == (wanted and wanted.id), name
