"""Meters in Python: what a token loop counts on, and when it is told to stop."""

import ctypes
import os

import pytest

import checkrein
from checkrein import _core

from .artifact import Artifact

POLICY = """
language 1
policy "m"
model "small" is "m" { tier 1 place edge window 32k tokens output 500 tokens price free }
tool "look" {}
limit "l" on run { tokens <= 100k tokens } else deny because "no"
route "r" { to "small" }
"""


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "m.rein"
    path.write_text(POLICY)
    with checkrein.load(path, log=None, clock=checkrein.VirtualClock()).run() as run:
        yield run


def test_a_meter_counts_for_its_run_and_closes_with_the_attempt(run):
    decision = run.decide(input_tokens=10)
    meter = run.meter(decision)
    assert (meter.count(), meter.count(99), run.count(decision, 100), meter.count(0)) == (499, 400, 300, 300)
    assert run.meter(decision).handle == meter.handle
    with pytest.raises(checkrein.EngineError, match="2\\^53"):
        meter.count(2**53)
    settled = run.settle(decision, checkrein.guard.usage.Usage("at_least", 10, 5))
    assert settled.output_tokens == 200, "what was counted is charged"
    with pytest.raises(checkrein.EngineError) as over:
        meter.count()
    assert over.value.kind == "already_settled"


def test_only_open_attempts_of_models_have_one(run):
    tool = run.decide(tool="look")
    for attempt, kind in [(tool.attempt, "bad_value"), (99, "unknown_attempt")]:
        with pytest.raises(checkrein.EngineError) as refused:
            _core.Meter(run._core, attempt)
        assert refused.value.kind == kind


def test_a_run_that_is_gone_leaves_a_meter_that_says_so():
    program = _core.Program.load(bytes(Artifact(models=["small"])))
    core = _core.Run(program, seed=1, now=1)
    attempt = core.model_call(1, 1, None, "small", 1, None).attempt
    meter = _core.Meter(core, attempt)
    assert meter.count() > 0
    del core
    with pytest.raises(checkrein.EngineError) as over:
        meter.count()
    assert over.value.kind == "already_settled"


def test_the_capsule_is_found_by_its_name():
    assert "checkrein._core._C_API" in repr(_core._C_API)
    assert checkrein.get_include().endswith("include")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_run_knows_a_fork_that_a_library_made(tmp_path):
    path = tmp_path / "m.rein"
    path.write_text(POLICY.replace("on run", "on session"))
    program = checkrein.load(path, log=None).program
    core = _core.Run(program, seed=1, now=1, ledger=_core.Ledger.memory(), session="s")
    child = ctypes.PyDLL(None).fork()
    if child == 0:
        told = 1
        try:
            core.model_call(1, 1, None, None, 10, None)
        except checkrein.EngineError as error:
            told = 0 if error.kind == "forked" else 2
        finally:
            os._exit(told)
    assert os.waitpid(child, 0) == (child, 0)
    assert core.model_call(1, 1, None, None, 10, None).outcome == "allow"
