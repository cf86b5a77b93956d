"""No run uses more than its worst case; and a worst case that forgets something is found out."""

from dataclasses import replace
from unittest import mock

import pytest

from checkrein.analysis import attempts, courses, problem, rows
from checkrein.language.tree import Require

from .run import Nearness, many, one_policy


def test_no_run_uses_more_than_its_bound():
    nearness, report = many(400, 1)
    assert report is None, report
    assert nearness.policies == 20
    # The adversary is worth its name: it gets nearly all of what a limit on the measure itself leaves.
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
    return real(policy, model) and all(courses._meets(model, each) for each in policy.of(Require))


def forgets_approvals(_outcome):
    return False


# A policy of this seed that shows it; where the random policies have changed meanwhile, others are tried.
SEED = 3
TRIED = 120
FLAWS = [
    (rows, "_raised", forgets_grants, 6),
    (rows, "_windows", forgets_windows, 4),
    (rows, "_windows", forgets_the_last_window, 42),
    (rows, "_why_loose", trusts_what_counts, 8),
    (courses, "_attempts", forgets_retries, 2),
    (courses, "_attempts", takes_the_fewest, 2),
    (problem, "model_courses", forgets_fallbacks, 16),
    (courses, "_reachable", forgets_the_host, 23),
    (courses, "_may_serve", requires_always, 12),
    (courses, "_may_pass", forgets_approvals, 57),
    (attempts, "_least", attempts._most, 29),
    (attempts, "_most", attempts._least, 30),
]


@pytest.mark.parametrize(
    ("where", "what", "flaw", "number"), FLAWS, ids=lambda each: getattr(each, "__name__", "")
)
def test_a_bound_with_a_flaw_is_found_out(where, what, flaw, number):
    with mock.patch.object(where, what, flaw):
        tried = ((each, one_policy(SEED, each, Nearness())) for each in (number, *range(TRIED)))
        found, report = next((each for each in tried if each[1]), (None, ""))
    assert "a run used more than its bound" in report
    assert one_policy(SEED, found, Nearness()) is None
