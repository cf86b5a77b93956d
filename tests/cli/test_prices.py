"""`checkrein prices`: what is listed, found and compared is what the snapshot says."""

import json

import pytest

from checkrein import prices

CALL = ("--input", "10k", "--output", "1.5k")


def test_every_model_with_a_price_is_listed(command):
    printed = command("prices", "list")
    assert (printed.exit_code, printed.stderr) == (0, "")
    known = [p for p in prices.search() if p.tariffs]
    lines = printed.stdout.splitlines()
    assert lines[0].split() == "MODEL WHEN INPUT OUTPUT CACHE READ CACHE WRITE REASONING".split()
    assert lines[-1] == f"{len(known)} models, $ per 1M tokens; prices: {prices.SNAPSHOT_ID}"
    assert len(lines) == 2 + sum(len(p.tariffs) for p in known)


def test_a_provider_is_listed_alone_and_without_prices_on_demand(command):
    printed = command("prices", "list", "--provider", "openai", "--format", "json")
    listed = json.loads(printed.stdout)
    assert listed["snapshot"] == prices.SNAPSHOT_ID
    assert {model["target"].partition("/")[0] for model in listed["models"]} == {"openai"}
    gpt = next(model for model in listed["models"] if model["target"] == "openai/gpt-4o")
    assert gpt["tariffs"] == [
        {"above": 0, "start": 0, "end": 1440, "input": "2.5", "output": "10", "cache_read": "1.25"}
        | {"cache_write": "2.5", "reasoning": "10"}
    ]
    more = json.loads(command("prices", "list", "--provider", "openai", "--all", "--format", "json").stdout)
    without = [model for model in more["models"] if model not in listed["models"]]
    assert without
    assert all(model["reason"] and model["tariffs"] == [] for model in without)


def test_an_unknown_provider_is_answered_with_those_there_are(command):
    printed = command("prices", "list", "--provider", "nobody")
    assert (printed.exit_code, printed.stdout) == (2, "")
    assert "no provider is named `nobody`\n  help: anthropic, " in printed.stderr


def test_search_shows_steps_and_hours(command):
    printed = command("prices", "search", "anthropic/claude-sonnet-4-5")
    lines = printed.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("anthropic/claude-sonnet-4-5 "))
    assert lines[at].split()[1:] == ["3.00", "15.00", "0.30", "3.75", "15.00"]
    assert lines[at + 1].split() == ["above", "200,000", "6.00", "22.50", "0.60", "7.50", "22.50"]
    assert "00:30 to 16:30 UTC" in command("prices", "search", "deepseek-chat").stdout


def test_search_knows_what_a_target_means(command):
    printed = command("prices", "search", "openai/gpt-4o-2024-08-06")
    assert any(line.startswith("openai/gpt-4o ") for line in printed.stdout.splitlines())
    assert command("prices", "search", "no-such-model").stdout.startswith("0 models, ")


def test_a_call_is_compared_the_cheapest_first(command):
    printed = command(
        "prices", "compare", "anthropic/claude-sonnet-4-5", "openai/gpt-4o", *CALL, "--cache-read", "8k"
    )
    # (2,000 x $2.50 + 8,000 x $1.25 + 1,500 x $10) and (2,000 x $3 + 8,000 x $0.30 + 1,500 x $15), a million
    assert (printed.exit_code, printed.stdout) == (
        0,
        "   COST  TIMES  MODEL\n"
        "  $0.03   1.00  openai/gpt-4o\n"
        "$0.0309   1.03  anthropic/claude-sonnet-4-5\n"
        f"prices: {prices.SNAPSHOT_ID}\n",
    )


def test_a_comparison_takes_the_dearest_hour_or_the_one_given(command):
    def cost(*words):
        printed = command("prices", "compare", "deepseek/deepseek-chat", *CALL, "--format", "json", *words)
        return json.loads(printed.stdout)["models"][0]["cost"]

    assert cost() == cost("--at", "12:00") == "0.00435"
    assert cost("--at", "16:30") == "0.002175"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["openai/no-such-model", *CALL], "the price of `openai/no-such-model` is not known"),
        (["gpt-4o", *CALL], "write provider/model"),
        (["openai/gpt-realtime", *CALL], "has no price here: it is not priced by tokens of text alone"),
        (["openai/gpt-4o", *CALL, "--cache-read", "6k", "--cache-write", "6k"], "part of --input"),
        (["openai/gpt-4o", *CALL, "--reasoning", "2k"], "part of --output"),
        (["openai/gpt-4o", *CALL, "--at", "24:00"], "no time of the day"),
        (["openai/gpt-4o", "--input", "0.5", "--output", "1"], "no number of tokens"),
        (["openai/gpt-4o", "--input", "-1", "--output", "1"], "no number of tokens"),
        (["openai/gpt-4o", "--input", "9007199255M", "--output", "1"], "no number of tokens"),
        (["openai/gpt-4o", "--input", "1"], "--output"),
    ],
)
def test_what_cannot_be_compared_is_said(command, words, said):
    printed = command("prices", "compare", *words)
    assert (printed.exit_code, printed.stdout) == (2, "")
    assert said in " ".join(printed.stderr.split())


def test_what_is_printed_of_a_name_is_printable(command):
    printed = command("prices", "compare", "a/\x1b[31mred", *CALL)
    assert printed.exit_code == 2
    assert "\x1b" not in printed.stderr
