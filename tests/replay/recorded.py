"""Where the recorded runs of a real airline agent are, if this machine has them."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AIRLINE_POLICY = ROOT / "grammar" / "examples" / "airline.rein"
AIRLINE_RUNS = ROOT.parent / "shared" / "data" / "tau_bench_airline_gpt4o.jsonl"


def airline_runs():
    """The file of recorded runs; without it the test is skipped, and in CI it fails."""
    if not AIRLINE_RUNS.is_file():
        reason = f"the recorded airline runs are not at {AIRLINE_RUNS}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return AIRLINE_RUNS
