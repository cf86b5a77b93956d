"""The matrix of docs/outcomes.md tells what the corpus shows: each outcome where it can be, and each pair."""

from collections import defaultdict
from functools import cache
from itertools import combinations
from pathlib import Path

from tests.both import Hosted, Walked, load
from tests.reference.state import RESTRICTIVE

from .cases import all_cases, steps

ROOT = Path(__file__).parents[2]
EVENTS = ["model call", "tool call", "model result", "tool result", "model error", "tool error"]
OUTCOMES = ["allow", *reversed(RESTRICTIVE)]


@cache
def shown():
    """For each event and outcome: the cases in which that is decided."""
    found = defaultdict(set)
    for case in all_cases():
        runs = Hosted(Walked, load(case.policy, case.files)[0], case.runs, case.seed, 0, case.wall)
        for _place, _line, run, event in steps(case):
            answer = runs.do(run, event)
            if isinstance(answer, dict) and "outcome" in answer:
                found[answer["event"], answer["outcome"]].add(f"{case.file}/{case.name}")
    return found


def matrix():
    """The cells of the page's matrix, by event and outcome."""
    page = (ROOT / "docs" / "outcomes.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    named = {row[0]: row[1:] for row in rows if row[0] in OUTCOMES}
    assert list(named) == OUTCOMES
    return {
        (event, name): cell
        for name, cells in named.items()
        for event, cell in zip(EVENTS, cells, strict=True)
    }


def test_every_cell_is_shown_by_its_case_or_is_refused_by_its_code():
    codes = {code.split(":")[0] for path in (ROOT / "grammar" / "rejects").glob("*.txt")
             for code in path.read_text().split("error ")[1:]}  # fmt: skip
    for place, cell in matrix().items():
        if cell.startswith("`"):
            assert cell.split("`")[1] in shown()[place], (place, cell)
        else:
            assert cell.startswith("no"), (place, cell)
            assert not shown().get(place), (place, "is possible", sorted(shown()[place])[:3])
            code = cell.partition(": ")[2].split(" ")[0]
            assert not code or code in codes, (place, cell)


def test_every_pair_of_outcomes_is_a_case():
    named = {case.name for case in all_cases() if case.file == "outcome_pairs"}
    pairs = set(combinations(OUTCOMES, 2))
    assert len(pairs) == 28
    assert {f"{less}-{more}" for less, more in pairs} <= named


def test_the_corpus_is_as_large_as_it_should_be():
    assert len(all_cases()) >= 500
