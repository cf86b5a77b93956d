"""Failures 21 to 28 of docs/failures.md: prices that were unknown, wrong, or read in two ways."""

import importlib.util
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import types as genai

import checkrein
from checkrein import prices
from checkrein.errors import CheckreinError, PolicyError, Stopped
from checkrein.guard.usage import Usage
from checkrein.prices.snapshot import parse, read_raw
from tests.prices.test_dialects import PARTLY, WHOLE

from .conftest import CENT, figures, reply, row, use, use_up

ROOT = Path(__file__).resolve().parents[2]
RUN = 'limit "run" on run { cost <= $1 tokens <= 1M tokens } else stop "over"'


def model(target, price=""):
    return f'model "listed" is "{target}" {{ place cloud window 100k tokens output 10k tokens {price} }}'


def listed(run, usage):
    """One call of the model under test that reports `usage`."""
    return run.model(lambda model, max_tokens: usage, model="listed", input_tokens=20_000, max_tokens=1000)


def test_failure_21_an_unknown_price_is_no_free_price(load):
    for target in ("openai/no-such-model", "ollama/llama3", "openrouter/some/model:free", "mine"):
        with pytest.raises(PolicyError, match="price"):
            load(model(target), RUN)
    for target, price, spent in (
        ("openai/gpt-4o", "", 10_000 * 2_500 + 800 * 10_000),
        ("mine", "price input $1 output $2 per 1M tokens", 10_000 * 1_000 + 800 * 2_000),
        ("mine", "price free", 0),
    ):
        with load(model(target, price), RUN).run() as run:
            listed(run, {"usage": {"prompt_tokens": 10_000, "completion_tokens": 800}})
            assert figures(run, "run") == (spent, 0)


def test_failure_22_a_call_without_usage_costs_its_hold(load, records):
    guard = load(RUN)
    with guard.run() as run:
        use(run, 50_000, call=lambda model, max_tokens: {"text": "no usage"})
        assert figures(run, "run") == (50 * CENT, 0)
        assert records.of("settlement")[-1]["usage"] == "unknown"
        use(run, 50_000, call=lambda model, max_tokens: reply(20_000)(model, max_tokens))
        assert figures(run, "run") == (70 * CENT, 0)
        assert records.of("settlement")[-1]["usage"] == "exact"
        decision = run.decide(model="large", input_tokens=29_999, max_tokens=1)
        run.settle(decision)
        assert row(run, "run")["free"] == 0
        with pytest.raises(Stopped):
            use(run)
    # The provider's bill comes later: what it says is then charged, once.
    run.adjust(decision, Usage("exact", 1_999, 1))
    assert figures(run, "run") == (72 * CENT, 0)


def test_failure_23_a_free_model_passes_an_exhausted_budget(load):
    guard = load(
        'limit "money" on user { cost <= $0.05 } else deny',
        'limit "rest" on user { tokens <= 20k tokens model_calls <= 12 } else deny',
    )
    with guard.run(user="ann") as run:
        for billed in (1000, 1000, 1000, 1000, 3000):
            use(run, call=reply(billed))
        made, refused = use_up(run, 1)
        assert (made, refused.decision.by, row(run, "money")["free"]) == (0, "money", -2 * CENT)
        for _ in range(5):
            use(run, 1000, model="small")
        assert figures(run, "money") == (7 * CENT, 0)
        assert figures(run, "rest", "tokens") == (12_000, 0)
        for _ in range(2):
            use(run, 4000, model="small")
        with pytest.raises(checkrein.Denied) as refused:
            use(run, 1, model="small")
        assert refused.value.decision.by == "rest"
        assert figures(run, "rest", "model_calls") == (12, 0)


def test_failure_24_implausible_prices_are_refused(script):
    raw = read_raw()
    data = json.loads(raw)
    priced = [entry for place in data["providers"] for entry in place["models"] if "tariffs" in entry]
    assert len(priced) > 1000, "the table as it is, is read"
    tariff = next(e["tariffs"][0] for e in priced if e["id"] == "gpt-4o")
    was = list(tariff)
    rates = slice(3, 8)
    for wrong in (
        [rate * 1_000 for rate in was[rates]],  # a price of a thousand tokens, or of one
        [rate // 100_000 for rate in was[rates]],
        [was[3], was[3] * 201, *was[5:7], was[3] * 201],
        [was[3], was[3] // 101, *was[5:7], was[3]],
        [*was[3:5], was[3] + 1, *was[6:]],  # the cache dearer than without it
        [*was[3:6], was[3] * 5, was[7]],
    ):
        tariff[rates] = wrong
        with pytest.raises(CheckreinError, match="cannot be used"):
            parse(json.dumps(data).encode())
    tariff[:] = was
    parse(json.dumps(data).encode())
    assert "tariffs" in script.model_entry(entry_of(input_mtok=Decimal(2), output_mtok=Decimal(8)))
    entry = script.model_entry(entry_of(input_mtok=Decimal(2), output_mtok=Decimal(8_000)))
    assert "implausible" in entry["reason"]


# 10,000 tokens in, of which 6,000 were read from a cache and 1,000 written to it, and 800 tokens out. What a
# dialect does not tell apart has the price of input: then the call costs less by WRITTEN, or more by READ.
PRICE = "price input $3 output $15 cache read $0.30 cache write $3.75 reasoning $15 per 1M tokens"
COST = 26_550_000
WRITTEN, READ = 1_000 * (3_750 - 3_000), 6_000 * (3_000 - 300)


@pytest.mark.parametrize("dialect", [*WHOLE, *PARTLY])
def test_failure_25_one_call_costs_the_same_in_every_dialect(load, dialect):
    report = WHOLE[dialect] if dialect in WHOLE else PARTLY[dialect][0]
    untold = {} if dialect in WHOLE else PARTLY[dialect][1]
    expected = COST - WRITTEN * ("cache_write_tokens" in untold) + READ * ("cache_read_tokens" in untold)
    with load(model("mine", PRICE), RUN).run() as run:
        listed(run, report)
        assert figures(run, "run") == (expected, 0)
        assert figures(run, "run", "tokens") == (10_800, 0)


def test_failure_26_reasoning_is_counted_once(load):
    price = "price input $1 output $10 cache read $1 cache write $1 reasoning $40 per 1M tokens"
    inside = {"prompt_tokens": 100, "completion_tokens": 800}
    inside["completion_tokens_details"] = {"reasoning_tokens": 300}
    beside = {**inside, "completion_tokens": 500, "total_tokens": 900}
    thoughts = {"promptTokenCount": 100, "candidatesTokenCount": 500, "thoughtsTokenCount": 300}
    thoughts["totalTokenCount"] = 900
    for report in ({"usage": inside}, {"usage": beside}, {"usageMetadata": thoughts}):
        with load(model("mine", price), RUN).run() as run:
            listed(run, report)
            assert figures(run, "run") == (100 * 1_000 + 500 * 10_000 + 300 * 40_000, 0)
            assert figures(run, "run", "tokens") == (900, 0)


OFFLINE = """
import json, sys

def refuse(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.")):
        raise AssertionError(f"{event}: the network was used")

sys.addaudithook(refuse)
import checkrein

records = []
class Sink:
    write = records.append

guard = checkrein.load(sys.argv[1], log=Sink(), store=sys.argv[2])
with guard.run(user="ann") as run:
    run.model(lambda model, max_tokens: {"usage": {"prompt_tokens": 10, "completion_tokens": 5}},
              model="listed", input_tokens=20, max_tokens=10)
guard.close()
print(json.dumps([[record.get("prices") for record in records if record["kind"] == "settlement"],
                  guard.program.prices]))
"""


def test_failure_27_no_network_and_the_id_of_the_prices_in_every_record(compiled, store):
    policy = compiled(model("openai/gpt-5"), 'limit "user" on user { cost <= $1 } else deny')
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, policy.with_suffix(".rein"), store], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[prices.SNAPSHOT_ID], prices.SNAPSHOT_ID]
    stored = []
    checkrein._core.Operator.open(store).records(stored.extend)
    rates = prices.tariffs("openai/gpt-5", "$")
    assert [(r["prices"], r["cost"]) for r in stored] == [(prices.SNAPSHOT_ID, prices.cost(rates, 10, 5))]


@pytest.fixture(scope="module")
def script():
    """scripts/prices.py, which makes the table."""
    spec = importlib.util.spec_from_file_location("scripts_prices", ROOT / "scripts" / "prices.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entry_of(**rates):
    return genai.ModelInfo(id="m", match=genai.ClauseEquals("m"), prices=genai.ModelPrice(**rates))


def test_failure_28_an_unknown_unit_fails_the_build_of_the_table(script, monkeypatch):
    rates = {"input_mtok": Decimal(2), "output_mtok": Decimal(8), "cache_write_mtok": Decimal(3)}
    assert script.model_entry(entry_of(**rates))["tariffs"][0][6] == 3 * 10**9
    with pytest.raises(SystemExit, match="cache_smell_mtok"):
        script.model_entry(entry_of(**rates, cache_smell_mtok=Decimal(1)))
    monkeypatch.setattr(script, "unit_data", {**script.unit_data, "smell": {"price_key": "smell"}})
    with pytest.raises(SystemExit, match="see which are new"):
        script.build()
