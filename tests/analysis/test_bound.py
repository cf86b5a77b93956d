"""Worst cases that were worked out by hand: what counts, what does not, and what multiplies."""

import pytest

from checkrein.analysis import bound, problem, unbounded
from checkrein.language import sound

SMALL = (
    'model "small" is "x/s" { place edge window 1k tokens output 100 tokens'
    " price input $1 output $10 per 1M tokens }"
)
LARGE = (
    'model "large" is "x/l" { place cloud window 2k tokens output 200 tokens'
    " price input $5 output $20 per 1M tokens }"
)
FREE = 'model "free" is "x/f" { place edge window 500 tokens output 50 tokens price free }'
SEARCH = 'tool "search" { class retrieve }'
PAY = 'tool "pay" { class act once }'
STEPS = 'limit "length" on run { steps <= 10 } else deny'
RETRY = 'retry "again" on model any { attempts <= 3 } else deny'
MILLI = 1_000_000


def bounds_of(*statements):
    return bound(sound('language 1 policy "p"\n' + "\n".join(statements), "p.rein"))


def most(measure, *statements):
    return bounds_of(*statements).of(measure).most


# The dearest call: 900 tokens in at $1, 100 out at $10; of the large one 1,800 at $5 and 200 at $20.
SMALL_COST, LARGE_COST = 900_000 + 1_000_000, 9_000_000 + 4_000_000

CASES = {
    "a step is one call": ("model_calls", 10, [SMALL, STEPS]),
    "of the dearest model": ("cost", 10 * LARGE_COST, [SMALL, LARGE, STEPS]),
    "retries multiply": ("cost", 30 * SMALL_COST, [SMALL, STEPS, RETRY]),
    "steps are attempted calls": ("steps", 10, [SMALL, STEPS, RETRY]),
    # Two more of each model, since a call that is asked again may be served by another; then the last one.
    "retries on several models": ("model_calls", 50, [SMALL, LARGE, STEPS, RETRY]),
    "a limit on retries": (
        "model_calls", 13, [SMALL, STEPS, RETRY, 'limit "r" on run { retries <= 3 } else deny'],
    ),
    "a retry that is for one model": (
        "cost",
        30 * SMALL_COST,
        [SMALL, STEPS, 'retry "s" on model "small" { attempts <= 3 } else deny'],
    ),
    "the fewest attempts hold where both are about all errors": (
        "model_calls", 20, [SMALL, STEPS, RETRY, 'retry "b" on model any { attempts <= 2 } else deny'],
    ),
    "the most where they are about some": (
        "model_calls",
        30,
        [SMALL, STEPS, RETRY.replace("{", '{ when error.kind == "timeout"'),
         'retry "b" on model any { when error.kind == "auth" attempts <= 2 } else deny'],
    ),
    "the most where only some of them are about an error": (
        "model_calls",
        40,
        [SMALL, STEPS, RETRY.replace("3", "4"),
         'retry "b" on model any { when error.kind in ["timeout", "unknown"] attempts <= 9 } else deny'],
    ),
    "the most for errors that nobody else is about": (
        "model_calls",
        90,
        [SMALL, STEPS, RETRY.replace("3", "4"),
         'retry "b" on model any { when not error.kind == "timeout" attempts <= 9 } else deny'],
    ),
    "what depends on more than the error restricts nothing for sure": (
        "model_calls",
        90,
        [SMALL, STEPS, 'retry "a" on model any { when error.kind == "auth" attempts <= 9 } else deny',
         'retry "b" on model any { when error.kind == "auth" and step.kind == "x" attempts <= 2 } else deny'],
    ),
    "what holds for sure does": (
        "model_calls",
        20,
        [SMALL, STEPS, 'retry "a" on model any { when error.kind == "auth" attempts <= 9 } else deny',
         'retry "b" on model any { when error.kind == "auth" or step.kind == "x" attempts <= 2 } else deny'],
    ),
    "who answers in the end restricts nobody who waits": (
        "model_calls",
        30,
        [SMALL, STEPS, RETRY, 'retry "b" on model any { attempts <= 2 } else answer "No."'],
    ),
    "a fallback is one more": (
        "cost",
        10 * (LARGE_COST + SMALL_COST),
        [SMALL, LARGE, STEPS, 'route "r" { to "large" fallback "large" -> "small" }'],
    ),
    "a fallback after retries": (
        "model_calls",
        60,
        [SMALL, LARGE, STEPS, 'route "r" { to "large" fallback "large" -> "small" }',
         RETRY.replace("else deny", 'else fail "over" state "over" tell user "Sorry."')],
    ),
    "retries that deny leave nobody to fall back from, but where they are about other errors": (
        "model_calls",
        30,
        [SMALL, LARGE, STEPS, 'route "r" { to "small" fallback "small" -> "large" }',
         'retry "s" on model any { when error.kind == "timeout" attempts <= 2 } else deny'],
    ),
    "a cascade pays both": (
        "cost",
        10 * (SMALL_COST + LARGE_COST),
        [SMALL, LARGE, STEPS, 'route "r" { to "small" then "large" when result.confidence < 70% }'],
    ),
    "no other model can be asked where the last arm is for all": (
        "cost", 10 * SMALL_COST, [SMALL, LARGE, STEPS, 'route "r" { to "small" }'],
    ),
    "the host may choose where it is not": (
        "cost",
        10 * (SMALL_COST + LARGE_COST),
        [SMALL, LARGE, STEPS, 'route "r" { to "small" when step.kind == "x" }'],
    ),
    "a canary is a candidate": (
        "cost",
        10 * (SMALL_COST + LARGE_COST),
        [SMALL, LARGE, STEPS, 'route "r" { canary 1% by run.id to "large" to "small" }'],
    ),
    "what is always required": (
        "cost", 10 * SMALL_COST, [SMALL, LARGE, STEPS, 'require "edge" place edge'],
    ),
    "what is required now and then": (
        "cost",
        10 * LARGE_COST,
        [SMALL, LARGE, STEPS, 'require "edge" place edge when step.kind == "x"'],
    ),
    "what a rule always denies": (
        "cost", 10 * SMALL_COST, [SMALL, LARGE, STEPS, 'rule "no" on model "large" then deny because "No."'],
    ),
    "what people may approve": (
        "cost",
        10 * LARGE_COST,
        [SMALL, LARGE, STEPS, 'rule "ask" on model "large" then escalate to "q" because "Ask."',
         'queue "q" { expires 1 min }'],
    ),
    "what people may answer is not sent": (
        "cost",
        10 * SMALL_COST,
        [SMALL, LARGE, STEPS, 'rule "ask" on model "large" then escalate to "q" as question because "Ask."',
         'queue "q" { expires 1 min }'],
    ),
    "calls of one model": (
        "cost",
        2 * LARGE_COST + 8 * SMALL_COST,
        [SMALL, LARGE, STEPS, 'limit "l" on run { calls of model "large" <= 2 } else deny'],
    ),
    "tokens at the dearest rate, output while there is any": (
        "cost",
        2_000 * 20_000 + 2_000 * 5_000,
        [SMALL, LARGE, STEPS, 'limit "t" on run { tokens <= 4k tokens } else deny'],
    ),
    "money is enough of a bound on what is never cheaper": (
        "output_tokens", 100, [SMALL, STEPS, 'limit "c" on run { cost <= $0.001 } else deny'],
    ),
    "free tokens cost nothing": (
        "output_tokens",
        10 * 50,
        [FREE, STEPS, 'limit "c" on run { cost <= $0.001 } else deny'],
    ),
    "what is cached may be cheaper": (
        "input_tokens",
        5_000,
        ['model "m" is "x/m" { place edge window 9k tokens output 100 tokens'
         " price input $1 output $10 cache read $0.2 per 1M tokens }",
         STEPS, 'limit "c" on run { cost <= $0.001 } else deny'],
    ),
    "and dearer, when it is written": (
        "cost",
        10 * (900 * 2_000 + 100 * 10_000),
        [SMALL.replace("output $10 per", "output $10 cache write $2 per"), STEPS],
    ),
    "a cost is rounded up for each call": (
        "cost",
        # A token costs a third of a billionth more or less: 900 / 3 and one, at most.
        10 * 301,
        ['model "m" is "x/m" { place edge window 901 tokens output 1 tokens'
         " price input $0.000333 output $0.000333 per 1M tokens }", STEPS],
    ),
    "what only succeeds is no bound": (
        "steps", None, [SMALL, STEPS.replace("}", "counts succeeded }")],
    ),
    "what is executed is none either": (
        "model_calls", None, [SMALL, 'limit "l" on run { model_calls <= 9 counts executed } else deny'],
    ),
    "amounts are counted whatever counts": (
        "cost", 5 * MILLI,
        [SMALL, 'limit "l" on run { cost <= $0.005 steps <= 9 counts succeeded } else deny'],
    ),
    "a day begins anew": (
        "cost", None, [SMALL, 'limit "d" on run each day { cost <= $1 } else deny'],
    ),
    "but not for ever": (
        "cost",
        2 * 1_000 * MILLI,
        [SMALL, 'limit "d" on run each day { cost <= $1 } else deny',
         'limit "w" on run { wall_time <= 5 min } else deny'],
    ),
    "a day and a half": (
        "cost",
        3 * 1_000 * MILLI,
        [SMALL, 'limit "d" on run each day { cost <= $1 } else deny',
         'limit "w" on run { wall_time <= 36 h } else deny'],
    ),
    "an hour may be skipped": (
        "cost",
        3 * 1_000 * MILLI,
        [SMALL, 'limit "d" on run each hour in "Europe/Rome" { cost <= $1 } else deny',
         'limit "w" on run { wall_time <= 5 min } else deny'],
    ),
    "what rolls": (
        "cost",
        2 * 1_000 * MILLI,
        [SMALL, 'limit "d" on run rolling 3 min { cost <= $1 } else deny',
         'limit "w" on run { wall_time <= 5 min } else deny'],
    ),
    "wider limits bound a run too": (
        "cost", 1_000 * MILLI, [SMALL, 'limit "u" on user { cost <= $1 } else deny'],
    ),
    "but for those that let calls pass": (
        "cost", None, [SMALL, 'limit "u" on user { cost <= $1 on failure allow } else deny'],
    ),
    "what people grant": (
        "cost",
        5 * 1_000 * MILLI,
        [SMALL, 'limit "l" on run { cost <= $1 } else escalate to "q"',
         'queue "q" { expires 1 min grants $2 at most 2 times }'],
    ),
    "what people grant of a count": (
        "steps",
        11,
        [SMALL, 'limit "l" on run { cost <= $1 steps <= 5 } else escalate to "q"',
         'queue "q" { expires 1 min grants 3 at most 2 times }'],
    ),
    "and leaves the money alone": (
        "cost",
        11 * SMALL_COST,
        [SMALL, 'limit "l" on run { cost <= $1 steps <= 5 } else escalate to "q"',
         'queue "q" { expires 1 min grants 3 at most 2 times }'],
    ),
    "tools without a limit": ("tool_calls", None, [SEARCH, STEPS]),
    "tools by name": (
        "tool_calls",
        7,
        [SEARCH, PAY, 'limit "l" on run { calls of tool "search" <= 4 calls of tool class act <= 3 }'
         " else deny"],
    ),
    "tools among the attempts": (
        "tool_calls", 6, [SEARCH, SMALL, 'limit "l" on run { attempts <= 6 } else deny'],
    ),
    "steps among the attempts": (
        "steps", 6, [SEARCH, SMALL, 'limit "l" on run { attempts <= 6 } else deny'],
    ),
    "a tool that nobody may use": (
        "tool_calls",
        4,
        [SEARCH, PAY, 'limit "l" on run { calls of tool "search" <= 4 } else deny',
         'rule "no" on tool class act then deny because "No."'],
    ),
    "models alone": ("attempts", 10, [SMALL, STEPS]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_worst_case(case):
    measure, expected, statements = CASES[case]
    assert most(measure, *statements, "loop off") == expected


def test_a_larger_prompt_has_other_rates():
    tiered = bounds_of('model "m" is "openrouter/qwen/qwen3-coder-flash" '
                       "{ place cloud window 1M tokens output 1k tokens }", STEPS)  # fmt: skip
    # The dearest of all sizes: $1.60 and $9.60 by the snapshot would be another test's business.
    least = bounds_of('model "m" is "openrouter/qwen/qwen3-coder-flash" '
                      "{ place cloud window 20k tokens output 1k tokens }", STEPS)  # fmt: skip
    assert tiered.of("cost").most > 60 * least.of("cost").most


def test_many_models_are_no_less_when_they_are_taken_together(monkeypatch):
    route = 'route "r" { to "large" fallback "large" -> "small" }'
    statements = [
        SMALL,
        LARGE,
        FREE,
        STEPS,
        RETRY,
        route,
        'limit "t" on run { tokens <= 9k tokens } else deny',
    ]
    alone = {figure.measure: figure.most for figure in bounds_of(*statements).figures}
    monkeypatch.setattr(problem, "MANY", 1)
    together = {figure.measure: figure.most for figure in bounds_of(*statements).figures}
    assert all(together[measure] >= most for measure, most in alone.items())
    assert together["model_calls"] == alone["model_calls"]
    monkeypatch.setattr(problem, "MANY", 16)
    assert most("cost", SMALL, LARGE, STEPS, RETRY) == 10 * (3 * LARGE_COST + 2 * SMALL_COST)
    monkeypatch.setattr(problem, "MANY", 1)
    assert most("cost", SMALL, LARGE, STEPS, RETRY) == 10 * 5 * LARGE_COST


def test_attempts_of_tools():
    found = bounds_of(SEARCH, PAY, 'retry "t" on tool any { attempts <= 4 } else deny')
    assert {tool.name: (tool.attempts, len(tool.because)) for tool in found.tools} == {
        "pay": (1, 0),
        "search": (4, 1),
    }


def test_active_time():
    time = 'limit "t" on run { active_time <= 2 min } else deny'
    assert bounds_of(time, 'limit "w" on run { wall_time <= 1 min } else deny').time.most == 60 * 10**9
    assert bounds_of(time).time.most == 120 * 10**9
    assert bounds_of(SMALL, STEPS).time is None


def test_what_it_would_be_without_the_limit():
    figure = bounds_of(SMALL, STEPS, 'limit "c" on run { cost <= $0.01 } else deny').of("cost")
    assert (figure.most, figure.without, figure.is_alone) == (10 * MILLI, 10 * SMALL_COST, True)
    assert not bounds_of(SMALL, STEPS).of("cost").is_alone


def test_what_is_missing_is_named():
    def missing(*statements):
        return [(each.code, each.message.split(",")[0]) for each in unbounded(bounds_of(*statements))]

    of = "nothing bounds the `{}` of a run".format
    assert missing(SMALL, SEARCH) == [("R0560", of(each)) for each in ("active_time", "steps", "tool_calls")]
    assert missing(SMALL, STEPS) == [("R0560", of("active_time"))]
    assert missing(STEPS, 'limit "t" on run { active_time <= 1 s } else deny') == []


def test_why_a_limit_is_none():
    found = unbounded(bounds_of(SMALL, 'limit "d" on user each day { steps <= 9 } else deny'))[1]
    assert "wall_time" in found.related[0].message
    found = unbounded(bounds_of(SMALL, STEPS.replace("}", "counts executed }")))[1]
    assert "counts executed" in found.related[0].message
