"""Each brief's policy decides its cases as they are wanted, in both engines, and passes every check."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from checkrein.cli.main import cli
from tests.conformance.cases import Case, cases_of
from tests.conformance.test_conformance import test_both_engines_answer_as_written as answer_as_written

FOLDER = Path(__file__).parent
BRIEFS = sorted(path.parent.name for path in FOLDER.glob("*/policy.rein"))


CASES = [
    case
    for brief in BRIEFS
    for case in cases_of(
        FOLDER / brief / "events.toml", brief, (FOLDER / brief / "policy.rein").read_text("utf-8")
    )
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.file}/{case.name}" for case in CASES])
def test_the_policy_decides_as_the_brief_wants(case: Case) -> None:
    answer_as_written(case)


@pytest.mark.parametrize("brief", BRIEFS)
@pytest.mark.parametrize("command", [["check"], ["fmt", "--check"], ["test", "--cov"], ["bound"]], ids=str)
def test_the_policy_passes(brief: str, command: list[str]) -> None:
    outcome = CliRunner().invoke(cli, [*command, str(FOLDER / brief / "policy.rein")], prog_name="checkrein")
    assert outcome.exit_code == 0, outcome.output


def test_every_brief_has_a_policy() -> None:
    assert sorted(path.parent.name for path in FOLDER.glob("*/brief.md")) == BRIEFS


@pytest.mark.parametrize("brief", BRIEFS)
def test_a_brief_tells_every_case(brief: str) -> None:
    told = re.findall(r"^\* `([a-z-]+)`:", (FOLDER / brief / "brief.md").read_text("utf-8"), re.MULTILINE)
    assert told == [case.name for case in CASES if case.file == brief]
