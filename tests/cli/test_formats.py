"""`checkrein check --format`: what editors and CI services read."""

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from urllib.parse import unquote

import fastjsonschema
import pytest

from checkrein.language import check, parse

HERE = Path(__file__).parent
MAIN = "from checkrein.cli.main import main; main()"
REJECTS = sorted((HERE.parents[1] / "grammar" / "rejects").glob("*.rein"))
SCHEMA = json.loads((HERE / "schemas" / "sarif-2.1.0.json").read_text("utf-8"))
VALID = fastjsonschema.compile(SCHEMA, use_default=False)


def sarif(printed):
    log = json.loads(printed.stdout)
    VALID(log)
    return log["runs"][0]


def cut(text, region):
    """What a region of one line marks."""
    assert region["startLine"] == region["endLine"]
    return text.split("\n")[region["startLine"] - 1][region["startColumn"] - 1 : region["endColumn"] - 1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a name be any bytes")
@pytest.mark.parametrize("style", ["full", "concise", "json", "github", "sarif"])
def test_a_name_that_is_no_text(folder, style):
    (folder / "bad\udcff.rein").write_text('language 1\npolicy "p"\ntool search { }\n')
    command = [sys.executable, "-c", MAIN, "check", "--format", style, "bad\udcff.rein"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    if style == "sarif":
        (result,) = sarif(done)["results"]
        location = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert location == {"uri": "bad%FF.rein"}


@pytest.mark.parametrize("style", ["concise", "github", "sarif"])
def test_every_mistake(command, snapshot, style):
    printed = command("check", "--format", style, "mistakes.rein", "support.rein")
    assert (printed.exit_code, printed.stderr) == (1, "")
    snapshot(
        f"check_mistakes_{style}",
        re.sub(r'"version": "\d+\.\d+\.\d+"', '"version": "<version>"', printed.stdout),
    )


@pytest.mark.parametrize("style", ["concise", "github"])
def test_no_mistake(command, style):
    printed = command("check", "--format", style, "support.rein")
    assert (printed.exit_code, printed.stdout) == (0, "no mistakes in 1 file\n")


def test_no_mistake_as_sarif(command):
    printed = command("check", "--format", "sarif", "support.rein")
    run = sarif(printed)
    assert (printed.exit_code, run["results"], run["tool"]["driver"]["rules"]) == (0, [], [])


def test_every_wrong_policy_gives_a_valid_log(command):
    run = sarif(command("check", "--format", "sarif", *REJECTS))
    found = 0
    for path in REJECTS:
        policy, findings = parse(path.read_bytes(), str(path), path=str(path))
        found += len(findings) + len(check(policy, today=date.today()) if policy else [])
    assert len(run["results"]) == found > 300
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    assert any("relatedLocations" in result for result in run["results"])
    assert all(rule["fullDescription"]["text"][-1:] in (".", ":") for rule in rules)


def test_a_region_is_what_is_wrong_and_columns_count_characters(command, folder):
    text = 'language 1\npolicy "p"\nrule "\U0001f600" on tool "ü" then stop "x" because "é"\n'
    (folder / "a b.rein").write_text(text, encoding="utf-8")
    run = sarif(command("check", "--format", "sarif", "a b.rein"))
    marked = [
        (result["ruleId"], cut(text, result["locations"][0]["physicalLocation"]["region"]))
        for result in run["results"]
    ]
    assert marked == [("R0101", '"ü"'), ("R0101", '"x"')]
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert (uri, unquote(uri)) == ("a%20b.rein", "a b.rein")


def test_a_finding_about_the_whole_file_has_no_region(command):
    run = sarif(command("check", "--format", "sarif", "-", stdin="#" * 300_000))
    assert run["results"][0]["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "%3Cstdin%3E"}}}
    ]
    printed = command("check", "--format", "github", "-", stdin="#" * 300_000)
    assert printed.stdout.startswith("::error title=checkrein R0001,file=<stdin>,line=1::")


def test_a_command_cannot_be_made_up_in_a_policy(command, folder):
    (folder / "a,b:c%.rein").write_text('language 1\npolicy "p"\nstop "100%0A::error::"\n')
    printed = command("check", "--format", "github", "a,b:c%.rein").stdout
    assert "file=a%2Cb%3Ac%25.rein,line=3," in printed
    assert len([line for line in printed.splitlines() if line.startswith("::")]) == 1


def test_a_fix_is_part_of_the_log(command):
    run = sarif(command("check", "--format", "sarif", "-", stdin='language 1\npolicy "p"\ntool search { }\n'))
    (fix,) = run["results"][0]["fixes"]
    (change,) = fix["artifactChanges"]
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 3, "startColumn": 6, "endLine": 3, "endColumn": 12},
            "insertedContent": {"text": '"search"'},
        }
    ]
