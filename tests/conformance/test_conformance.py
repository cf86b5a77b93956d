"""Every hand-written case holds in both engines, which also agree wherever a case is silent."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from tests.both import Compiled, Hosted, Walked, load

from .cases import Case, all_cases, differences, event_of, nanoseconds, nanoseconds_since_1970

CASES = all_cases()


@cache
def loaded(policy: str):
    """A policy of the corpus, compiled once; many cases share one."""
    return load(policy)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.file}/{case.name}" for case in CASES])
def test_both_engines_answer_as_written(case: Case) -> None:
    policy, program = loaded(case.policy)
    now, first = 0, next(iter(case.runs))
    walked = Hosted(Walked, policy, case.runs, case.seed, now, case.wall)
    compiled = Hosted(Compiled, program, case.runs, case.seed, now, case.wall)
    # How far the monotonic clock of the process that a run is in is ahead of the case's time.
    ahead = dict.fromkeys(case.runs, 0)
    # When it was suspended last, by a clock that all processes see.
    left = dict.fromkeys(case.runs, 0)
    for place, line in enumerate(case.events, start=1):
        now = nanoseconds(line["at"]) if "at" in line else now
        wall = nanoseconds_since_1970(line["wall"]) if "wall" in line else case.wall + now
        run = line.get("run", first)
        if "clock" in line:
            ahead[run] = nanoseconds(line["clock"]) - now
        event = event_of(line, now + ahead[run], wall, now - left[run])
        if line["do"] == "suspend":
            left[run] = now
        answers = {"reference": walked.do(run, event), "engine": compiled.do(run, event)}
        for who, answer in answers.items():
            wrong = differences(line, answer)
            assert not wrong, f"the {who}, at event {place} ({line['do']}): " + "; ".join(wrong)
        assert answers["engine"] == answers["reference"], f"at event {place} ({line['do']})"
        assert compiled.standing() == walked.standing(), f"after event {place} ({line['do']})"


def test_the_corpus_is_large_and_its_names_are_unique() -> None:
    counts = Counter(case.name for case in CASES)
    assert [name for name, count in counts.items() if count > 1] == []
    assert len(CASES) >= 300
