"""One policy and a clock that only moves when it is told to."""

import pytest

import checkrein

POLICY = """
language 1 policy "guard"
model "large" is "test/large" { place cloud window 100k tokens output 1k tokens
  price input $1 output $4 per 1M tokens }
model "small" is "test/small" { place edge window 8k tokens output 500 tokens price free }
tool "search" { class retrieve args { "query" text } }
tool "refund" { class act once args { "amount" money in cents } }
tool "quick" { may repeat timeout 50 ms }
fact data.class one of "public", "pii" default "public"
limit "per run" on run { cost <= $1 tokens <= 50k tokens tool_calls <= 30 model_calls <= 20
  at 80% tell agent "wrap up" } else stop "over_limit"
retry "tools" on tool any { when error.kind in ["timeout", "unavailable"] attempts <= 3 within 20 s
  backoff 200 ms .. 2 s } else fail "tool_unavailable"
require "private" place edge when data.class == "pii"
order "look first" { "search" before class act within run } else deny because "look it up first"
loop "stuck" on run { same call >= 3 within 10 steps } else stop "stuck"
rule "big refunds" on tool "refund" when call.args.amount > $100
  then escalate to "leads" because "big refunds need a person"
queue "leads" { expires 30 min default deny }
state "over_limit" tell user "over"
state "stuck" tell user "stuck"
state "tool_unavailable" tell agent "not available"
"""


@pytest.fixture
def clock():
    """Starts at zero and moves when something sleeps on it."""
    return checkrein.VirtualClock()


@pytest.fixture
def make_guard(tmp_path, clock):
    """A guard over the policy and more statements, with the given parts replaced."""
    path = tmp_path / "policy.rein"

    def make(*statements, **parts):
        path.write_text("\n".join([POLICY, *statements]))
        return checkrein.load(path, **{"log": None, "clock": clock, **parts})

    return make


@pytest.fixture
def guard(make_guard):
    """The usual guard."""
    return make_guard()
