"""Random pairs of policies under random events: no verdict is refuted; and mistakes in it would be seen."""

from collections import Counter

import pytest

from checkrein.difference import rules, statements, terms
from checkrein.difference.verdict import STRICTER
from tests.seed import SEED

from .run import Wrong, pair


def test_no_event_refutes_a_verdict():
    assert many(SEED, 80)["pairs"] > 40


def test_every_verdict_is_reached():
    mix = many(11, 80)  # always the same: among others one may be missing
    assert mix["pairs"] > 50
    assert all(mix[f"policies {verdict}"] for verdict in ("equivalent", "stricter", "looser", "not decided"))
    assert mix["differences stricter"] + mix["differences looser"] > 15


FLAWS = {
    "bounds never differ": lambda m: m.setattr(terms, "limit_parts", lambda *_: []),
    "rules never differ": lambda m: m.setattr(rules, "uncovered", lambda *_: None),
    "what is removed is stricter": lambda m: m.setattr(statements, "LOOSER", STRICTER),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_mistake_would_be_seen(flaw, monkeypatch):
    FLAWS[flaw](monkeypatch)
    with pytest.raises(Wrong):
        many(12, 400)


def many(seed, pairs):
    mix = Counter()
    for number in range(pairs):
        pair(seed, number, mix)
    return mix
