"""The snapshot: made by its script alone, checked when it is read, and nothing in it that cannot be meant."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from checkrein import prices
from checkrein.errors import CheckreinError
from checkrein.prices.match import find_model, matches
from checkrein.prices.snapshot import Tariff, implausible, load, parse, read_raw, uncovered

ROOT = Path(__file__).resolve().parents[2]
DOLLAR = 10**9
GOOD = Tariff(0, 0, 1440, 2 * DOLLAR, 8 * DOLLAR, DOLLAR // 5, 5 * DOLLAR // 2, 8 * DOLLAR)


def test_the_script_writes_the_file_byte_for_byte():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "prices.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_file_is_small_and_says_where_it_comes_from():
    assert len(read_raw()) < 600_000
    notice = (files("checkrein.prices") / "NOTICE.txt").read_text()
    assert "MIT License" in notice
    assert "Copyright (c) Pydantic Services Inc." in notice
    assert json.loads(read_raw())["source"] in notice


def test_failure_27_the_id_names_source_day_and_content():
    source, version, day, digest = prices.SNAPSHOT_ID.split()
    assert (source, len(day), digest[:7], len(digest)) == ("genai-prices", 10, "sha256:", 19)
    raw = read_raw()
    assert parse(raw).id == prices.SNAPSHOT_ID
    assert parse(raw.replace(b'"gpt-5"', b'"gpt-9"', 1)).id != prices.SNAPSHOT_ID
    assert f"{source} {version}" == json.loads(raw)["source"]


def test_failure_27_importing_reads_no_file_and_opens_no_connection():
    code = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise AssertionError('a connection')\n"
        "socket.socket = socket.create_connection = refuse\n"
        "from checkrein import prices\n"
        "from checkrein.prices import snapshot\n"
        "assert snapshot.load.cache_info().currsize == 0\n"
        "assert prices.tariffs('openai/gpt-5', '$')\n"
        "assert snapshot.load.cache_info().currsize == 1\n"
        "assert 'genai_prices' not in sys.modules and 'lark' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# -- known, free and unknown -------------------------------------------------------------------------


def test_a_known_model_has_its_list_price():
    assert prices.tariffs("openai/gpt-4o", "$") == (
        Tariff(0, 0, 1440, 2_500_000_000, 10_000_000_000, 1_250_000_000, 2_500_000_000, 10_000_000_000),
    )


@pytest.mark.parametrize(
    "target", ["openai/no-such-model", "ollama/llama3", "nobody/gpt-5", "gpt-5", "openai/", "/", ""]
)
def test_failure_21_an_unknown_model_has_no_price_rather_than_none_to_pay(target):
    assert prices.tariffs(target, "$") is None


def test_another_currency_is_unknown():
    assert prices.tariffs("openai/gpt-4o", "EUR") is None


def test_failure_21_a_model_that_is_listed_without_a_price_or_at_zero_is_unknown():
    entries = [entry for place in load().providers for entry in place["models"]]
    reasons = {entry["reason"].partition(":")[0] for entry in entries if "reason" in entry}
    assert "it has no price" in reasons
    assert all(min(t[3:]) > 0 for e in entries for t in prices.snapshot.tariffs_of(e))
    free = [p for p in prices.search("openrouter :free") if not p.tariffs]
    assert free
    assert all(prices.tariffs(p.target, "$") is None for p in free)


def test_a_model_without_a_price_hides_a_looser_match():
    models = [
        {"id": "a-sound", "match": "=a-sound", "reason": "why"},
        {"id": "a", "match": "^a", "tariffs": [GOOD]},
    ]
    places = ({"id": "p", "models": models},)
    assert find_model(places, places[0], "a-9")["id"] == "a"
    assert find_model(places, places[0], "a-sound")["reason"] == "why"


def test_every_listed_target_means_itself():
    for price in prices.search():
        assert prices.price_of(price.target) == price


def test_search_finds_all_words_in_any_order():
    found = prices.search("5 openai/ GPT")
    assert found
    assert all("openai/" in p.target and "gpt" in p.target.lower() and "5" in p.target for p in found)
    assert found == sorted(found, key=lambda p: p.target)
    assert prices.search("no-such-model") == []


# -- what the file may not say -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"input": 2_001 * DOLLAR}, "outside"),
        ({"input": 2 * DOLLAR * 100_000}, "outside"),
        ({"output": 99_999}, "outside"),
        ({"cache_read": 0}, "outside"),
        ({"output": DOLLAR // 100, "reasoning": DOLLAR // 100}, "hundredth"),
        ({"output": 1_600 * DOLLAR}, "times input"),
        ({"cache_read": 3 * DOLLAR}, "reading from the cache"),
        ({"cache_write": 9 * DOLLAR}, "writing to the cache"),
    ],
)
def test_failure_24_rates_of_another_magnitude_are_refused(change, why):
    assert implausible(GOOD) is None
    assert why in implausible(GOOD._replace(**change))
    with pytest.raises(CheckreinError, match="snapshot of checkrein cannot be used"):
        parse(one_model(tariffs=[GOOD._replace(**change)]))


@pytest.mark.parametrize(
    "tariffs",
    [
        [],
        [GOOD._replace(end=1439)],
        [GOOD._replace(start=1)],
        [GOOD._replace(above=5)],
        [GOOD, GOOD],
        [GOOD, GOOD._replace(above=9, start=5)],
        [GOOD._replace(end=700), GOOD._replace(start=701)],
        [GOOD._replace(start=700), GOOD._replace(end=700)],
        [GOOD._replace(above=n) for n in range(65)],
    ],
    ids=range(9),
)
def test_tariffs_leave_no_call_and_no_hour_out(tariffs):
    assert uncovered(tuple(tariffs))
    with pytest.raises(CheckreinError, match="cannot be used"):
        parse(one_model(tariffs=tariffs))


def test_a_good_file_is_read():
    halves = [GOOD._replace(end=700), GOOD._replace(start=700), GOOD._replace(above=9)]
    assert parse(one_model(tariffs=halves)).id.startswith("made 1 2026-01-02 sha256:")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format":2}',
        b'{"format":1}',
        b'{"format":1,"source":"s","as_of":"d","providers":[{"id":"p"}]}',
    ],
)
def test_failure_28_a_file_of_another_kind_is_refused(raw):
    with pytest.raises(CheckreinError, match="cannot be used"):
        parse(raw)


@pytest.mark.parametrize(
    "entry",
    [
        {"tariffs": [GOOD], "reason": "both"},
        {},
        {"tariffs": [GOOD], "per_image": 5},
        {"tariffs": [(*GOOD[:-1], 8.0)]},
        {"tariffs": [GOOD[:-1]]},
        {"tariffs": [(*GOOD, 1)]},
    ],
    ids=range(6),
)
def test_failure_28_a_model_with_what_is_not_known_is_refused(entry):
    with pytest.raises(CheckreinError, match="cannot be used"):
        parse(one_model(**entry))


def one_model(**entry):
    model = {"id": "m", "match": "=m", **entry}
    place = {"id": "p", "models": [model]}
    return json.dumps({"format": 1, "source": "made 1", "as_of": "2026-01-02", "providers": [place]}).encode()


# -- matchers and costs ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matcher", "takes", "refuses"),
    [
        ("=ab", ["ab"], ["abc", "a", ""]),
        ("^ab", ["ab", "abc"], ["cab", "a"]),
        ("$ab", ["ab", "cab"], ["abc"]),
        ("*ab", ["ab", "cabc"], ["ba"]),
        ("#a-##", ["a-12"], ["a-1", "a-123", "a-1x", "a-²2"]),
        ("%a-#", ["a-1", "a-1b"], ["a-", "a-b"]),
        (["=a", "=b"], ["a", "b"], ["c"]),
        ({"and": ["^a", {"not": "$b"}]}, ["a", "ac"], ["ab", "c"]),
    ],
    ids=str,
)
def test_matchers(matcher, takes, refuses):
    assert [t for t in takes if not matches(matcher, t)] == []
    assert [t for t in refuses if matches(matcher, t)] == []


@pytest.mark.parametrize("matcher", ["ab", "", "?a", {"or": []}, {}])
def test_failure_28_a_matcher_of_an_unknown_kind_is_no_match_but_an_error(matcher):
    with pytest.raises(ValueError, match="unknown kind"):
        matches(matcher, "ab")


def test_a_cost_is_rounded_up_once():
    one = (Tariff(0, 0, 1440, 1, 1, 1, 1, 1),)
    assert prices.cost(one, 1, 1, cache_read=1) == 1
    assert prices.cost(one, 500_000, 500_001) == 2
    assert prices.cost(one, 0, 0) == 0


def test_the_step_that_a_call_crosses_prices_all_of_it():
    steps = (GOOD, GOOD._replace(above=1000, input=4 * DOLLAR))
    assert prices.cost(steps, 1000, 0) == 1000 * 2 * DOLLAR // 10**6
    assert prices.cost(steps, 1001, 0) == 1001 * 4 * DOLLAR // 10**6


@pytest.mark.parametrize(
    "parts", [{"cache_read": 11}, {"cache_read": 6, "cache_write": 5}, {"reasoning": 6}, {"cache_read": -1}]
)
def test_a_part_is_no_more_than_its_whole(parts):
    with pytest.raises(ValueError, match="part of"):
        prices.cost((GOOD,), 10, 5, **parts)
