"""No run uses more than its worst case; and a worst case that forgets something is found out."""

from dataclasses import replace
from unittest import mock

import pytest

from checkrein.analysis import attempts, courses, problem, rows
from checkrein.language.tree import Require
from tests.differential.generate import Made
from tests.seed import SEED

from .run import Nearness, many, one_policy


def test_no_run_uses_more_than_its_bound():
    nearness, report = many(400, SEED)
    assert report is None, report
    assert nearness.policies == 20


def test_the_adversary_gets_nearly_all_of_what_a_limit_on_the_measure_itself_leaves():
    nearness, _ = many(400, 1)  # always the same: so few policies say little of others
    alone = [share for name, shares in nearness.shares.items() if "own limit" in name for share in shares]
    assert sum(share > 0.9 for share in alone) > len(alone) / 2 > 5
    others = [
        share for name, shares in nearness.shares.items() if "own limit" not in name for share in shares
    ]
    assert sum(share > 0.5 for share in others) > len(others) / 3 > 10


def forgets_grants(*_):
    return 0


def forgets_windows(window, time, real=rows._windows):
    return None if real(window, time) is None else 1


def forgets_the_last_window(window, time, real=rows._windows):
    windows = real(window, time)
    return windows and max(1, windows - 1)


def trusts_what_counts(limit, bound, windows, real=rows._why_loose):
    return None if windows and limit.basis and not limit.failure else real(limit, bound, windows)


def forgets_retries(_retries):
    return 1, ()


def takes_the_fewest(retries):
    return min([retry.attempts for retry in retries], default=1), ()


def forgets_fallbacks(policy, names, real=courses.model_courses):
    return [replace(course, goes_on=False) for course in real(policy, names)]


def forgets_the_host(route, names, real=courses._reachable):
    if route is None:
        return real(route, names)
    arms = {arm.model.text for arm in route.arms} | {after.text for _, after in route.fallbacks}
    return arms | {canary.model.text for canary in route.canaries}


def requires_always(policy, model, real=courses._may_serve):
    return real(policy, model) and all(courses.meets(model, each) for each in policy.of(Require))


def forgets_approvals(_outcome):
    return False


SMALL = (
    'model "small" is "x/s" { place edge window 400 tokens output 50 tokens'
    " price input $1 output $4 cache read $0.1 per 1M tokens }"
)
LARGE = (
    'model "large" is "x/l" { place cloud window 1k tokens output 120 tokens'
    " price input $2 output $8 per 1M tokens }"
)
BOTH = [SMALL, LARGE]
STEPS = 'limit "length" on run { steps <= 3 } else deny'
HOUR = 'limit "hour" on user each hour { model_calls <= 2 } else deny'
QUEUE = 'queue "q" { expires 1 min }'
FALLBACK = 'fallback "small" -> "large"'

FLAWS = {
    "grants": (rows, "_raised", forgets_grants, [
        SMALL, 'limit "length" on run { steps <= 3 } else escalate to "q"',
        'queue "q" { expires 1 min grants 2 at most 2 times }',
    ]),
    "windows": (rows, "_windows", forgets_windows, [
        SMALL, HOUR, 'limit "time" on run { wall_time <= 5 min } else deny',
    ]),
    "the last window": (rows, "_windows", forgets_the_last_window, [
        SMALL, HOUR, 'limit "time" on run { wall_time <= 5 min } else deny',
    ]),
    "what rolls": (rows, "_windows", forgets_the_last_window, [
        SMALL, HOUR.replace("each hour", "rolling 7 s"),
        'limit "time" on run { wall_time <= 10 s } else deny',
    ]),
    "what counts": (rows, "_why_loose", trusts_what_counts, [SMALL, STEPS.replace("}", "counts executed }")]),
    "retries": (courses, "_attempts", forgets_retries, [
        SMALL, STEPS, 'retry "r" on model any { attempts <= 3 } else deny',
    ]),
    "the more patient retry": (courses, "_attempts", takes_the_fewest, [
        SMALL, STEPS,
        'retry "r" on model any { when error.kind in ["timeout", "unavailable"] attempts <= 6 } else deny',
        'retry "s" on model any { when error.kind == "auth" attempts <= 2 } else deny',
    ]),
    "fallbacks": (problem, "model_courses", forgets_fallbacks, [
        *BOTH, STEPS, f'route "r" {{ to "small" {FALLBACK} }}',
    ]),
    "cascades": (problem, "model_courses", forgets_fallbacks, [
        *BOTH, STEPS, 'route "r" { to "small" then "large" when result.confidence < 70% }',
    ]),
    "the host's choice": (courses, "_reachable", forgets_the_host, [
        *BOTH, STEPS, 'route "r" { to "small" when step.kind == "red" }',
    ]),
    "conditions of requirements": (courses, "_may_serve", requires_always, [
        *BOTH, STEPS, 'require "r" place edge when step.kind == "red"',
    ]),
    "approvals": (courses, "may_pass", forgets_approvals, [
        SMALL, STEPS, 'rule "r" on model any then escalate to "q" because "Ask."', QUEUE,
    ]),
    "cheap tokens": (attempts, "_least", attempts._most, [
        SMALL, 'limit "money" on run { cost <= $0.001 } else deny',
    ]),
    "dear tokens": (attempts, "_most", attempts._least, [SMALL, STEPS]),
}  # fmt: skip


@pytest.mark.parametrize("forgotten", FLAWS, ids=str)
def test_a_bound_that_forgets_something_is_found_out(forgotten):
    where, what, flaw, statements = FLAWS[forgotten]
    made = Made(statements, ["small", "large"][: sum(each in BOTH for each in statements)])
    assert one_policy(made, "flaw", Nearness()) is None
    with mock.patch.object(where, what, flaw):
        report = one_policy(made, "flaw", Nearness())
    assert report is not None
    assert "a run used more than its bound" in report
