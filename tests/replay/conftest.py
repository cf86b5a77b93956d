"""Replays traces under the small policy."""

from pathlib import Path

import pytest
from tests.replay.traces import Trace

import checkrein
from checkrein.replay import replay


@pytest.fixture(scope="session")
def program():
    """The small policy, compiled."""
    return checkrein.load(Path(__file__).with_name("data") / "small.rein", log=None).program


@pytest.fixture
def trace():
    """Begins a trace."""
    return Trace


@pytest.fixture
def replayed(program):
    """Replays lines (or traces) under the small policy."""

    def run(*lines, **options):
        raw = [line.line() if isinstance(line, Trace) else line for line in lines]
        return list(replay(raw, program, **options))

    return run
