"""The recorded runs of a real airline agent under `grammar/examples/airline.rein`."""

import pytest
from tests.replay.recorded import AIRLINE_POLICY, airline_runs

import checkrein
from checkrein import testing
from checkrein.replay import Problem, replay


@pytest.fixture(scope="module")
def runs():
    program = checkrein.load(AIRLINE_POLICY, log=None).program
    with airline_runs().open("rb") as lines:
        return list(replay(lines, program))


def stopped_by(runs, statement):
    return {(r.task, r.trial) for r in runs if r.stop and r.stop.by == statement}


def test_the_policy_passes_its_own_tests():
    assert not [str(r) for r in testing.run_file(AIRLINE_POLICY) if not r.passed]


def test_every_line_is_replayed(runs):
    assert len(runs) == 100
    assert not [r for r in runs if isinstance(r, Problem)]


def test_the_loop_rule_stops_the_two_runs_that_turn_in_circles(runs):
    assert stopped_by(runs, "same call again") == {("13", "0"), ("8", "1")}


def test_the_limit_stops_the_runs_that_go_on_and_on(runs):
    assert stopped_by(runs, "per run") == {("33", "0"), ("2", "1")}


def test_no_run_that_was_rewarded_is_stopped(runs):
    assert not [(r.task, r.trial) for r in runs if r.reward == 1 and r.stop]


def test_nobody_is_let_change_what_was_not_looked_up(runs):
    assert all(v.by != "look before you change" for r in runs for v in r.verdicts)


@pytest.mark.parametrize(
    ("steps", "stopped"),
    [
        (2, {("3", "0"), ("13", "0"), ("32", "0"), ("3", "1"), ("15", "1"), ("23", "1")}),
        (4, {("13", "0"), ("23", "1")}),
        (8, set()),
    ],
)
def test_no_run_that_was_rewarded_is_without_progress(steps, stopped, tmp_path):
    source = AIRLINE_POLICY.read_text().partition("\ntest ")[0]
    path = tmp_path / "idle.rein"
    path.write_text(source.replace("same call >= 3 within 30 steps", f"no progress >= {steps} steps"))
    with airline_runs().open("rb") as lines:
        found = list(replay(lines, checkrein.load(path, log=None).program))
    by_idle = [run for run in found if run.stop and run.stop.kind == "loop"]
    assert {(run.task, run.trial) for run in by_idle} == stopped
    assert not [run for run in by_idle if run.reward == 1]


def test_a_single_agent_repeats_little(tmp_path):
    source = AIRLINE_POLICY.read_text().partition("\ntest ")[0]
    path = tmp_path / "context.rein"
    path.write_text(f'{source}\nloop "told before" on run {{ repeated_context >= 20% }} else deny\n')
    with airline_runs().open("rb") as lines:
        found = list(replay(lines, checkrein.load(path, log=None).program))
    repeats = [run for run in found for verdict in run.verdicts if verdict.by == "told before"]
    assert [run.reward for run in repeats] == [0]
