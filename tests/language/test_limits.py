"""Limits beyond a run: what is read, what is refused, and what becomes of it in the tables."""

import pytest

from checkrein.language import check, compile_source, parse, tree
from checkrein.language.check.vocabulary import currency_of
from checkrein.language.lower import lower
from checkrein.language.lower.rows import BoundRow, bounds_row
from checkrein.language.names import Names
from checkrein.language.prices import tariffs_of

HEADER = 'language 1\npolicy "p"\n'
SECOND = 10**9
MODEL = 'model "m" is "x/m" { place cloud  window 8k tokens  output 1k tokens  price free }\n'
TOOLS = 'tool "a" { class act }\ntool "b" { }\n'


def read(body):
    policy, found = parse(HEADER + body, "p.rein")
    found += check(policy)
    assert [d.message for d in found if d.severity == "error"] == []
    return policy


def codes(body):
    policy, found = parse(HEADER + body, "p.rein")
    return [d.code for d in found + (check(policy) if policy else [])]


def limit(text, before=""):
    (found,) = read(before + text).of(tree.Limit)
    return found


# -- what is read ----------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["run", "session", "user", "team", "org"])
def test_the_scope_of_a_limit(word):
    found = limit(f'limit "l" on {word} {{ cost <= $1 }} else deny')
    assert (found.scope.text, found.window, found.basis, found.failure) == (word, None, None, None)


def test_a_fact_as_scope():
    assert (
        limit('limit "l" on tenant.id { cost <= $1 } else deny', "fact tenant.id text\n").scope.text
        == "tenant.id"
    )


@pytest.mark.parametrize("period", ["hour", "day", "week", "month"])
def test_a_calendar_window(period):
    window = limit(f'limit "l" on user each {period} {{ cost <= $1 }} else deny').window
    assert (window.period, window.zone) == (period, None)
    window = limit(f'limit "l" on user each {period} in "Europe/Rome" {{ cost <= $1 }} else deny').window
    assert window.zone.text == "Europe/Rome"


def test_a_rolling_window():
    assert limit('limit "l" on run rolling 90 min { cost <= $1 } else deny').window.duration == 5400 * SECOND


def test_everything_in_one_limit():
    body = """limit "l" on run {
      cost <= $1  input_tokens <= 9k tokens  output_tokens <= 2k tokens  attempts <= 9  retries <= 3
      escalations <= 2  wall_time <= 1 h  calls of tool "a" <= 5  calls of model any <= 4
      counts executed  wrap up 2 calls $0.25  at 80% warn "nearly"
    } else deny"""
    found = limit(body, TOOLS)
    assert [b.dimension for b in found.bounds] == [
        "cost", "input_tokens", "output_tokens", "attempts", "retries", "escalations", "wall_time",
        "calls of", "calls of",
    ]  # fmt: skip
    assert found.bounds[-2].selector.name.text == "a"
    assert (found.basis.text, found.wrap_up.calls, found.wrap_up.amount.value) == ("executed", 2, SECOND // 4)
    assert [t.text for t in found.thresholds] == ["nearly"]


def test_on_failure_is_said_in_bare_words():
    for word in ("spend", "deny", "allow"):
        assert limit(f'limit "l" on user {{ cost <= $1 on failure {word} }} else deny').failure.text == word
    assert codes('limit "l" on user { cost <= $1 on failure "deny" } else deny') == ["R0010"]


def test_a_queue_grants():
    body = 'queue "q" { expires 1 h  grants 20k tokens at most 3 times }\n'
    (queue,) = read(body + 'limit "l" on org { tokens <= 9k tokens } else escalate to "q"').of(tree.Queue)
    assert (queue.grants.amount.value, queue.grants.amount.dimension, queue.grants.times) == (
        20_000,
        "tokens",
        3,
    )


def test_whose_run_a_test_is():
    body = TOOLS + (
        'fact tenant.id text\ntest "t" { as user "u1" org "o" facts { tenant.id "x" } as team "t1"\n'
        'at time "2026-03-29T00:30:00.25Z" tool "b" { } expect allow at time "2026-03-29T01:00:00Z" }'
    )
    (test,) = read(body).of(tree.Test)
    assert [(word, name.text) for word, name in test.scopes] == [("user", "u1"), ("org", "o"), ("team", "t1")]
    assert [(name.text, value.value) for name, value in test.facts] == [("tenant.id", "x")]
    clocks = [item for item in test.items if isinstance(item, tree.Clock)]
    assert [c.wall for c in clocks] == [1_774_744_200 * SECOND + SECOND // 4, 1_774_746_000 * SECOND]
    assert [type(i) for i in test.items] == [tree.Clock, tree.Call, tree.Expect, tree.Clock]


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("on run each day { active_time <= 1 h }", "R0312"),
        ("on user { active_time <= 1 h }", "R0312"),
        ("on run rolling 1 h { wall_time <= 1 h }", "R0312"),
        ("on run { wall_time <= 1 h }", None),
        ("on run { cost <= $1 on failure deny }", "R0313"),
        ("on session { cost <= $1 on failure deny }", None),
        ("on run { retries <= 5 counts succeeded }", "R0314"),
        ("on run { retries <= 5 escalations <= 5 cost <= $1 counts attempted }", "R0314"),
        ("on user { calls of tool any <= 5 counts attempted }", None),
        ("on user rolling 1 s { cost <= $1 }", None),
        ("on user rolling 100 d { cost <= $1 }", None),
        ("on user rolling 999 ms { cost <= $1 }", "R0311"),
        ("on user rolling 100.1 d { cost <= $1 }", "R0311"),
        ("on run { calls of tool any <= 0 retries <= 0 escalations <= 0 }", None),
        ("on run { wall_time <= 0 s }", "R0303"),
        ("on run { calls of tool any <= 5 calls of tool class act <= 5 calls of model any <= 5 }", None),
        ("on run { calls of tool any <= 5 calls of tool any <= 6 }", "R0302"),
        ("on run { calls of tool \"none\" <= 5 }", "R0101"),
        ("on run { cost <= $1 wrap up 1 call $0.999999999 }", None),
        ("on run { cost <= $1 wrap up 1 call $1 }", "R0316"),
        ("on run { tokens <= 9k tokens wrap up 1 call 9k tokens }", "R0316"),
        ("on run { cost <= $1 attempts <= 2 wrap up 1 call $0.1 }", None),
        ("on run { cost <= $1 attempts <= 2 wrap up 2 calls $0.1 }", "R0316"),
        ("on run { cost <= $1 calls of model any <= 2 wrap up 2 calls $0.1 }", None),
        ("on run each day { cost <= $1 wrap up 1 call $0.1 }", "R0315"),
    ],
)  # fmt: skip
def test_what_a_limit_can_be(text, code):
    assert codes(TOOLS + f'limit "l" {text} else deny') == ([code] if code else [])


@pytest.mark.parametrize(
    ("bounds", "grants", "right"),
    [
        ("cost <= $1", "$1", True),
        ("cost <= $1 tokens <= 9k tokens steps <= 9", "9k tokens", True),
        ("cost <= $1 tokens <= 9k tokens steps <= 9", "9", True),
        ("calls of tool any <= 9", "9", True),
        ("escalations <= 9", "9", True),
        ("steps <= 9 calls of tool any <= 9", "9", False),
        ("steps <= 9", "$1", False),
        ("input_tokens <= 9k tokens", "9k tokens", False),
        ("cost <= $1", "1", False),
    ],
)
def test_an_approval_must_be_able_to_help(bounds, grants, right):
    body = f'queue "q" {{ expires 1 h grants {grants} at most 2 times }}\n'
    body += f'limit "l" on user {{ {bounds} }} else escalate to "q"\n'
    assert codes(TOOLS + body) == ([] if right else ["R0317"])


def test_a_queue_that_grants_is_for_limits_only():
    queue = 'queue "q" { expires 1 h grants $1 at most 2 times }\n'
    body = TOOLS + queue + 'limit "l" on user { cost <= $1 } else escalate to "q"\n'
    assert codes(body + 'rule "r" on tool any then escalate to "q" because "Ask."') == ["R0506"]
    assert codes(body + 'loop "r" on run { cycle <= 1 calls repeated >= 2 } else escalate to "q"') == [
        "R0506"
    ]
    assert codes(TOOLS + queue) == ["R0109"]


def test_what_is_left_is_left_of_limits_on_a_run():
    rule = 'rule "r" on tool any when run.{}.left < {} then deny because "No."\n'
    for name, value in (
        ("attempts", "3"),
        ("retries", "1"),
        ("wall_time", "5 s"),
        ("input_tokens", "9 tokens"),
    ):
        body = rule.format(name, value)
        assert codes(body) == ["R0111"]
        bound = f"{name} <= {value}"
        limit = f'limit "l" on run {{ {bound} }} else deny\n'
        again = 'retry "r" on tool any { attempts <= 2 } else deny\n'
        assert codes(body + limit + again) == []
    assert codes(rule.format("cost", "$1") + 'limit "l" on user { cost <= $1 } else deny') == ["R0111"]
    held = rule.replace("left", "held")
    assert codes(held.format("output_tokens", "9 tokens")) == []
    assert codes(held.format("attempts", "9")) == ["R0103"]


def test_a_test_says_for_whom_it_runs():
    body = TOOLS + 'fact tenant.id text\nlimit "l" on user { tool_calls <= 9 } else deny\n'
    assert codes(body + 'test "t" { tool "a" { } expect allow }') == ["R0611"]
    assert codes(body + 'test "t" { as org "o" tool "a" { } expect allow }') == ["R0611"]
    assert codes(body + 'test "t" { as user "u" tool "a" { } expect allow }') == []
    body += 'limit "m" on tenant.id { tool_calls <= 9 } else deny\n'
    assert codes(body + 'test "t" { as user "u" tool "a" { tenant.id "x" } expect allow }') == ["R0611"]
    assert codes(body + 'test "t" { as user "u" facts { tenant.id "x" } tool "a" { } expect allow }') == []


def test_a_shared_store_is_for_wider_limits():
    assert codes("store shared\n") == ["R0318"]
    assert codes('store shared\nlimit "l" on org { cost <= $1 } else deny\n') == []
    assert compile_source(HEADER + "store shared\n", "p.rein")


# -- prices ----------------------------------------------------------------------------------------


def test_rates_that_are_not_given_are_those_of_the_whole():
    policy = read('model "m" is "x/m" { place cloud window 8k tokens output 1k tokens '
                  "price input $1 output $2 cache read $0.1 per 1M tokens }")  # fmt: skip
    (tariff,) = tariffs_of(policy.of(tree.Model)[0], currency_of(policy))
    assert tariff == (0, 0, 1440, SECOND, 2 * SECOND, SECOND // 10, SECOND, 2 * SECOND)


def test_a_model_without_a_price_has_that_of_the_snapshot():
    from checkrein import prices

    policy = read(
        'model "m" is "openai/gpt-5" { place cloud window 8k tokens output 1k tokens }\n'
        + MODEL.replace('"m"', '"n"')
    )
    tables = lower(policy)
    assert tables.tariffs == {"m": prices.tariffs("openai/gpt-5", "$"), "n": ()}
    assert tables.prices == prices.SNAPSHOT_ID
    assert lower(read(MODEL)).prices == ""


def test_an_unknown_price_is_an_error():
    model = 'model "m" is "{}" {{ place cloud window 8k tokens output 1k tokens }}\n'
    assert codes(model.format("x/unheard-of")) == ["R0305"]
    assert codes(model.format("openai/gpt-5") + 'limit "l" on run { cost <= EUR 1 } else deny') == ["R0305"]


# -- what a wrap-up keeps back ---------------------------------------------------------------------


def rows(text):
    policy = read(TOOLS + MODEL + f'limit "l" on run {{ {text} }} else deny')
    return bounds_row(Names(policy), policy.of(tree.Limit)[0])


def test_bounds_are_sorted_by_measure_and_selector():
    found = rows(
        'calls of tool class act <= 1 calls of tool "b" <= 2 calls of tool "a" <= 3 calls of tool any <= 4 '
        'calls of model "m" <= 5 calls of model any <= 6 wall_time <= 7 s retries <= 8 cost <= $9'
    )
    assert [(row.measure, row.selector, row.most) for row in found] == [
        (0, None, 9 * SECOND), (8, None, 8), (11, None, 7 * SECOND),
        (12, (0, None), 6), (12, (1, 0), 5), (12, (2, None), 4), (12, (3, 0), 3), (12, (3, 1), 2),
        (12, (4, 3), 1),
    ]  # fmt: skip


def test_what_a_wrap_up_keeps_back():
    found = rows(
        "cost <= $3 tokens <= 10 tokens input_tokens <= 7 tokens output_tokens <= 1 tokens steps <= 9 "
        "model_calls <= 9 tool_calls <= 9 attempts <= 9 retries <= 9 escalations <= 9 active_time <= 9 s "
        'calls of model "m" <= 1 calls of tool "a" <= 9 wrap up 2 calls $1'
    )
    kept = [row.withheld for row in found]
    # A third, rounded up, of the other amounts; a call of each count that a model call takes one of.
    assert kept == [SECOND, 4, 3, 1, 2, 2, 0, 2, 0, 0, 0, 1, 0]
    assert rows("cost <= $3 tokens <= 10 tokens wrap up 1 call 3 tokens") == [
        BoundRow(0, None, 3 * SECOND, 9 * SECOND // 10),
        BoundRow(1, None, 10, 3),
    ]
    assert [row.withheld for row in rows("cost <= $3 tokens <= 10 tokens")] == [0, 0]
