"""Some hundred random runs through both engines; and as many, always the same, reach most of the language."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.seed import SEED

from .limits import FEATURES
from .run import ALSO, OF_ORDERS, OUTCOMES, STATEMENTS, many, shares

KNOWN = 20261121
RUNS = 750
RARE = {"answer": 0.015, "reuse": 0.005, "wait": 0.03}
"""Outcomes that need more than one thing to come together, and how common they are at least."""


@pytest.fixture(scope="module")
def mix() -> Counter:
    found, report = many(RUNS, KNOWN, jobs=2)
    assert report is None, report
    return found


def test_the_engines_do_not_differ() -> None:
    found, report = many(RUNS, SEED, jobs=2)
    assert report is None, report
    assert found["runs"] == RUNS


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_is_common(mix: Counter, outcome: str) -> None:
    assert shares(mix)[f"outcome {outcome}"] >= RARE.get(outcome, 0.05)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_every_statement_is_common(mix: Counter, statement: str) -> None:
    assert shares(mix)[f"statement {statement}"] >= 0.10


@pytest.mark.parametrize("feature", FEATURES)
def test_every_part_of_limits_is_common(mix: Counter, feature: str) -> None:
    assert shares(mix)[f"statement {feature}"] >= 0.05


@pytest.mark.parametrize("part", OF_ORDERS)
def test_every_part_of_orders_is_common(mix: Counter, part: str) -> None:
    assert shares(mix)[f"statement {part}"] >= 0.10


@pytest.mark.parametrize("what", ALSO)
def test_what_is_rare_happens(mix: Counter, what: str) -> None:
    assert mix[what] >= mix["runs"] / 100


def test_runs_go_on_for_long(mix: Counter) -> None:
    assert mix["events"] / mix["runs"] >= 25
