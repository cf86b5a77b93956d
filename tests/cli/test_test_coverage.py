"""`checkrein test --cov`: what it prints, and when it fails."""

import json

import pytest


def test_what_is_covered_is_told(command, snapshot):
    printed = command("test", "--cov", "support.rein")
    assert (printed.exit_code, printed.stderr) == (0, "")
    snapshot("test_coverage", printed.stdout)


def test_several_policies_are_summed_up(command):
    printed = command("test", "--cov", "support.rein", "failing.rein")
    assert printed.exit_code == 1
    assert printed.stdout.count("% covered\n") == 2
    assert printed.stdout.endswith("\n66.6% covered in all\n")


@pytest.mark.parametrize(("least", "exit_code"), [(0, 0), (70, 0), (70.1, 1), (100, 1)])
def test_too_little_is_a_finding(command, least, exit_code):
    printed = command("test", "--fail-under", least, "support.rein")
    assert printed.exit_code == exit_code
    assert "support.rein: 70% covered" in printed.stdout
    said = f"error: the tests cover 70%, less than {least:g}%\n" if exit_code else ""
    assert printed.stderr == said


@pytest.mark.parametrize("least", ["101", "-1", "much"])
def test_a_share_is_from_0_to_100(command, least):
    assert command("test", "--fail-under", least, "support.rein").exit_code == 2


def test_coverage_as_json(command):
    printed = command("test", "--cov", "--format", "json", "support.rein", "mistakes.rein")
    found = json.loads(printed.stdout)
    assert found["percent"] == 70.0
    support, mistakes = found["files"]
    assert "coverage" not in mistakes
    coverage = support["coverage"]
    assert (coverage["covered"], coverage["total"], coverage["too_long"]) == (7, 10, [])
    assert coverage["statements"][0] == {
        "kind": "limit", "name": "per run", "file": "support.rein", "line": 12, "column": 1, "decisions": 0,
    }  # fmt: skip
    assert coverage["conditions"][-1] == {
        "text": "call.args.amount > $100", "file": "support.rein", "line": 25, "column": 42,
        "outcomes": {"true": True, "false": True, "unknown": False},
    }  # fmt: skip


def test_without_cov_nothing_is_measured(command):
    assert "covered" not in command("test", "support.rein").stdout
    assert "percent" not in json.loads(command("test", "--format", "json", "support.rein").stdout)


def test_the_project_says_how_much_is_enough(command, folder):
    (folder / "pyproject.toml").write_text("[tool.checkrein]\nfail-under = 80\n")
    assert command("test", "--cov", "support.rein").exit_code == 1
    assert command("test", "--cov", "--fail-under", "60", "support.rein").exit_code == 0
    assert command("test", "support.rein").exit_code == 0
    assert command("test", "--cov", "-k", "refund", "support.rein").exit_code == 0, "only a part was run"
    assert command("test", "--fail-under", "80", "-k", "refund", "support.rein").exit_code == 1


@pytest.mark.parametrize("value", ["101", "-1", '"80"', "true", "nan"])
def test_a_setting_that_is_no_share(command, folder, value):
    (folder / "pyproject.toml").write_text(f"[tool.checkrein]\nfail-under = {value}\n")
    printed = command("test", "--cov", "support.rein")
    assert printed.exit_code == 2
    assert "`fail-under` under `[tool.checkrein]` in `pyproject.toml` is not a number" in printed.stderr


def test_a_policy_without_conditions_is_covered_by_its_votes(command, folder):
    (folder / "bare.rein").write_text(
        'language 1 policy "bare" tool "t" { } test "t" { tool "t" { } expect allow }'
    )
    printed = command("test", "--fail-under", "100", "bare.rein")
    assert printed.exit_code == 0
    assert printed.stdout.endswith("bare.rein: 100% covered\n  0 of 0 statements decided something\n")
