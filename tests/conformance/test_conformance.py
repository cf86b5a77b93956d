"""Every hand-written case holds in both engines, which also agree wherever a case is silent."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from tests.both import Compiled, Hosted, Walked, load

from .cases import Case, all_cases, differences, steps

CASES = all_cases()


@cache
def loaded(policy: str, files: tuple[tuple[str, str], ...]):
    """A policy of the corpus, compiled once; many cases share one."""
    return load(policy, files)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.file}/{case.name}" for case in CASES])
def test_both_engines_answer_as_written(case: Case) -> None:
    policy, program = loaded(case.policy, case.files)
    walked = Hosted(Walked, policy, case.runs, case.seed, 0, case.wall)
    compiled = Hosted(Compiled, program, case.runs, case.seed, 0, case.wall)
    for place, line, run, event in steps(case):
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


def test_a_host_that_ends_no_call_does_not_switch_off_the_sight_of_idle_steps() -> None:
    """256 steps are waited for; with the next one the oldest counts, and so on."""
    case = next(case for case in CASES if case.name == "a-call-that-never-ends-takes-only-its-own-step-out")
    ask, look = case.events[:2]
    dropped = {"do": "tool", "tool": look["tool"], "expect": {"outcome": "allow"}}
    ask = ask | {"expect": {"outcome": "allow"}}
    stop = ask | {"expect": {"outcome": "stop", "by": "idle"}}
    events = [each for _ in range(256 + 2) for each in (ask, dropped)] + [stop]
    test_both_engines_answer_as_written(replace(case, events=events))
