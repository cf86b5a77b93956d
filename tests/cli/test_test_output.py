"""What `checkrein test` prints and writes for others: chosen tests, JSON, JUnit XML."""

import json
from xml.etree import ElementTree

import pytest

from checkrein import testing


def test_tests_are_chosen_by_a_part_of_their_names(command):
    printed = command("test", "-k", "FAILING search", "support.rein", "failing.rein")
    assert printed.exit_code == 0
    assert printed.stdout.splitlines() == [
        "ok    support.rein:51  a failing search is tried three times",
        "1 test, none failed",
    ]


def test_no_test_of_that_name_is_no_success(command):
    printed = command("test", "-k", "nowhere", "support.rein")
    assert (printed.exit_code, printed.stdout) == (2, "")
    assert "there is no `test` block with `nowhere` in its name" in printed.stderr


def test_tests_are_chosen_in_python_too(folder):
    names = [result.name for result in testing.run_file(folder / "support.rein", only="Refund")]
    assert names == ["a big refund needs a person"]


def test_results_as_json(command):
    printed = command("test", "--format", "json", "failing.rein", "support.rein", "mistakes.rein")
    assert printed.exit_code == 1
    failing, support, mistakes = json.loads(printed.stdout)["files"]
    assert [each["passed"] for each in failing["tests"]] == [False, False, True]
    assert failing["tests"][0]["misses"][0] == {
        "file": "failing.rein", "line": 15, "column": 3,
        "expected": "deny by `per run`", "came": "tool `search` allowed (call 1)", "decided": [],
    }  # fmt: skip
    assert (support["file"], support["mistakes"], len(support["tests"])) == ("support.rein", None, 3)
    assert mistakes["tests"] == []
    assert "error R0101" in mistakes["mistakes"]


def test_results_as_junit_xml(command, folder):
    printed = command("test", "failing.rein", "mistakes.rein", "support.rein", "--junit", "report.xml")
    assert printed.exit_code == 1
    suites = list(ElementTree.parse(folder / "report.xml").getroot())
    counts = [(s.get("name"), s.get("tests"), s.get("failures"), s.get("errors")) for s in suites]
    assert counts == [
        ("failing.rein", "3", "2", "0"), ("mistakes.rein", "1", "0", "1"), ("support.rein", "3", "0", "0"),
    ]  # fmt: skip
    case = suites[0][0]
    assert (case.get("name"), case.get("file"), case.get("line")) == (
        "what came is said", "failing.rein", "13",
    )  # fmt: skip
    assert case[0].tag == "failure"
    assert case[0].get("message") == "expected deny by `per run`; came tool `search` allowed (call 1)"
    assert case[0].text.count("failing.rein:") == 5, "every miss, and where its statement is"
    assert "error R0101" in suites[1][0][0].text


def test_junit_xml_holds_any_name(command, folder):
    policy = 'language 1 policy "p" tool "t" { } test "a < b & \\"c\\" é" { tool "t" { } expect deny }\n'
    (folder / "odd.rein").write_text(policy)
    command("test", "odd.rein", "--junit", "report.xml")
    (suite,) = ElementTree.parse(folder / "report.xml").getroot()
    assert suite[0].get("name") == 'a < b & "c" é'


def test_a_report_that_cannot_be_written(command):
    printed = command("test", "support.rein", "--junit", "nowhere/report.xml")
    assert printed.exit_code == 2
    assert "cannot write `nowhere/report.xml`" in printed.stderr


@pytest.mark.parametrize("given", ["support.rein", "."])
def test_junit_xml_is_never_written_over_a_policy(command, folder, given):
    before = (folder / "support.rein").read_bytes()
    printed = command("test", given, "--junit", "support.rein")
    assert (printed.exit_code, "is the policy itself" in printed.stderr) == (2, True)
    assert (folder / "support.rein").read_bytes() == before


def test_a_share_that_is_no_number_is_refused(command, folder):
    printed = command("test", "support.rein", "--fail-under", "nan")
    assert (printed.exit_code, printed.stdout) == (2, "")
