"""Policies of several files in the commands: folders, findings told once, fixes, tests, and what is kept."""

import json

import pytest

import checkrein
from checkrein.cache import cache_folder

HEAD = 'language 1\npolicy "p"\nloop off\ninclude "parts/common.rein"\n'
RULE = 'rule "r" on tool "search" then stop "over" because "No."\n'
TEST = 'test "t" {\n  tool "search" { }\n  expect stop "over" by "r"\n}\n'
COMMON = 'tool "search" { class retrieve }\nstate "over" tell user "Done."\n'
WRONG = 'limit "l" on run { steps <= 5 && tool_calls <= 5 } else stop "over"\n'


@pytest.fixture
def folder(folder):
    """Two policies that include one file, and nothing else."""
    for path in folder.iterdir():
        path.unlink()
    (folder / "parts").mkdir()
    (folder / "a.rein").write_text(HEAD + RULE + TEST)
    (folder / "b.rein").write_text(HEAD + RULE.replace('"r"', '"b"'))
    (folder / "parts" / "common.rein").write_text(COMMON)
    return folder


def test_what_is_included_is_checked_with_what_includes_it(command, folder):
    printed = command("check", ".")
    assert (printed.exit_code, printed.stdout) == (0, "no mistakes in 3 files\n")
    assert command("check", ".") == printed, "also where it is known that nothing is wrong"
    assert command("check", "parts/common.rein", "a.rein").exit_code == 0
    (folder / "parts" / "spare.rein").write_text(COMMON)
    printed = command("check", "--format", "concise", ".")
    assert printed.stdout.startswith("parts/spare.rein:1:1: error R0005: ")
    assert "what it includes does not" in printed.stdout
    assert printed.exit_code == 1


def test_a_finding_in_a_shared_file_is_told_once(command, folder):
    (folder / "parts" / "common.rein").write_text(COMMON + WRONG)
    printed = command("check", "--format", "concise", ".")
    assert printed.stdout.startswith("parts/common.rein:3:31: error ")
    assert printed.stdout.endswith("1 finding in 3 files; `--fix` puts all of them right\n")
    github = command("check", "--format", "github", ".").stdout
    assert "file=parts/common.rein,line=3,endLine=3,col=31,endColumn=33" in github
    (run,) = json.loads(command("check", "--format", "sarif", ".").stdout)["runs"]
    (result,) = run["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "parts/common.rein"
    assert place["region"]["startLine"] == 3
    change = result["fixes"][0]["artifactChanges"][0]
    assert change["artifactLocation"]["uri"] == "parts/common.rein"
    assert change["replacements"][0]["deletedRegion"]["startLine"] == 3


def test_fixes_are_made_in_the_file_that_they_are_about(command, folder):
    (folder / "parts" / "common.rein").write_text(COMMON + WRONG)
    (folder / "a.rein").write_text(HEAD + RULE.replace("because", "Because") + TEST)
    printed = command("check", "--fix", ".")
    assert (printed.exit_code, printed.stdout) == (0, "no mistakes in 3 files\n")
    assert printed.stderr == "a.rein: 2 fixed\n"
    assert (folder / "parts" / "common.rein").read_text() == COMMON + WRONG.replace(" && ", " ")
    assert (folder / "a.rein").read_text() == HEAD + RULE + TEST


def test_a_file_that_is_included_is_laid_out_by_itself(command, folder):
    (folder / "parts" / "common.rein").write_text(COMMON.replace(" {", "{"))
    printed = command("fmt", ".")
    assert printed.exit_code == 0
    assert "1 file formatted, 2 unchanged" in printed.stderr
    assert (folder / "parts" / "common.rein").read_text() == COMMON


def test_its_tests_run_with_the_policy(command, folder):
    (folder / "parts" / "common.rein").write_text(
        COMMON + TEST.replace('by "r"', "").replace('"t"', '"shared"')
    )
    printed = command("test", ".")
    assert printed.stdout.splitlines() == [
        "ok    a.rein:6  t",
        "ok    parts/common.rein:3  shared",
        "ok    parts/common.rein:3  shared",
        "3 tests, none failed",
    ]
    (folder / "parts" / "common.rein").write_text(COMMON + TEST.replace('stop "over" by "r"', "allow"))
    printed = command("test", "b.rein", "--cov")
    assert "parts/common.rein:5:3" in printed.stdout
    assert command("test", ".", "--junit", "parts/common.rein").exit_code == 2


def test_a_broken_policy_does_not_make_its_parts_policies(command, folder):
    (folder / "b.rein").unlink()
    (folder / "a.rein").write_text(HEAD + RULE + TEST + "wrong\n")
    printed = command("test", ".")
    assert "R0005" not in printed.stderr
    assert printed.stdout == "0 tests, none failed, 1 file with mistakes\n"


def test_what_it_can_cost_names_the_file(command, folder):
    (folder / "parts" / "common.rein").write_text(
        COMMON + 'limit "l" on run { steps <= 5 tool_calls <= 5 active_time <= 1 min } else deny\n'
    )
    printed = command("bound", "a.rein")
    assert printed.exit_code == 0
    assert "limit `l` (parts/common.rein:3), `active_time <= 1 min`" in printed.stdout


def test_a_program_is_compiled_anew_when_an_included_file_changes(folder, monkeypatch):
    monkeypatch.setenv("CHECKREIN_CACHE", str(folder / "kept"))
    first = checkrein.load("a.rein", log=None).program
    assert checkrein.load("a.rein", log=None).program.digest == first.digest
    (folder / "parts" / "common.rein").write_text(COMMON.replace("Done", "Over"))
    second = checkrein.load("a.rein", log=None).program
    assert second.meaning != first.meaning
    (folder / "parts" / "common.rein").unlink()
    with pytest.raises(checkrein.PolicyError, match=r"there is no file `parts/common\.rein`"):
        checkrein.load("a.rein", log=None)
    assert cache_folder() == folder / "kept"


def test_policies_of_one_name_each_include_from_their_own_folder(folder, monkeypatch):
    monkeypatch.setenv("CHECKREIN_CACHE", str(folder / "kept"))
    other = folder / "other"
    (other / "parts").mkdir(parents=True)
    (other / "a.rein").write_text((folder / "a.rein").read_text())
    (other / "parts" / "common.rein").write_text(COMMON.replace("Done", "Over"))
    first = checkrein.load("a.rein", log=None).program
    monkeypatch.chdir(other)
    assert checkrein.load("a.rein", log=None).program.meaning != first.meaning


def test_a_refusal_and_the_log_name_the_file(folder):
    (folder / "parts" / "common.rein").write_text(COMMON + RULE.replace('stop "over"', "deny"))
    (folder / "a.rein").write_text(HEAD)
    guard = checkrein.load("a.rein", log=folder / "log.jsonl")
    with (
        pytest.raises(checkrein.Refusal, match=r"by rule `r` at parts/common\.rein:3: No\."),
        guard.run() as run,
    ):
        run.tool("search", lambda: None)
    guard.close()
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert next(each["at"] for each in records if "at" in each) == "parts/common.rein:3"
