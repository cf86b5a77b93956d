"""`checkrein check` remembers that nothing was wrong with a policy, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MINIMAL = Path(__file__).resolve().parents[2] / "grammar/examples/minimal.rein"
CODE = """
import sys
from checkrein.cli.main import main
try:
    main()
finally:
    print("compiler" if "checkrein.language" in sys.modules else "no compiler", file=sys.stderr)
"""


@pytest.fixture
def check(tmp_path):
    """Check policies in a process of its own: what it prints, its exit code, and whether it compiled."""

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-c", CODE, "check", *arguments],
            cwd=tmp_path,
            env=os.environ | {"CHECKREIN_CACHE": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout, done.returncode, done.stderr.splitlines()[-1]

    return run


def test_a_sound_policy_is_checked_once(check, tmp_path):
    policy = tmp_path / "p.rein"
    policy.write_bytes(MINIMAL.read_bytes())
    first, second = check("p.rein"), check("p.rein")
    assert first == ("no mistakes in 1 file\n", 0, "compiler")
    assert second == ("no mistakes in 1 file\n", 0, "no compiler")
    policy.write_text(policy.read_text() + "# changed\n")
    assert check("p.rein")[2] == "compiler"
    assert check("--format", "json", "p.rein") == ("[]\n", 0, "no compiler")


def test_the_note_on_the_built_in_loop_is_kept_as_well(check, tmp_path):
    (tmp_path / "p.rein").write_text('language 1\npolicy "p"\ntool "s" { }\n')
    first, second = check("p.rein"), check("p.rein")
    assert "the built-in one holds" in first[0]
    assert second == (first[0], 0, "no compiler")


@pytest.mark.parametrize("body", ['state "over" tell user "Done."\n', "tool refund { }\n"])
def test_findings_are_found_each_time(check, tmp_path, body):
    (tmp_path / "p.rein").write_text(f'language 1\npolicy "p"\n{body}')
    first, second = check("p.rein"), check("p.rein")
    assert first == second
    assert first[1:] == (1, "compiler")


def test_what_only_one_project_leaves_out_is_not_kept(check, tmp_path):
    (tmp_path / "p.rein").write_text('language 1\npolicy "p"\nstate "over" tell user "Done."\n')
    project = tmp_path / "pyproject.toml"
    project.write_text('[tool.checkrein]\nignore = ["R0109"]\n')
    assert check("p.rein")[1] == 0
    project.unlink()
    assert check("p.rein")[1] == 1


def test_what_is_observed_is_looked_at_again_once_its_day_is_over(check, tmp_path):
    text = MINIMAL.read_text() + 'observe until 2026-06-30 rule "r" on model any then deny because "No."\n'
    (tmp_path / "p.rein").write_text(text)
    assert check("--today", "2026-06-30", "p.rein")[1:] == (0, "compiler")
    assert check("--today", "2026-06-30", "p.rein")[1:] == (0, "no compiler")
    over, code, compiled = check("--today", "2026-07-01", "--format", "concise", "p.rein")
    assert ("R0575" in over, code, compiled) == (True, 1, "compiler")


def test_checking_loads_nothing_that_a_sound_policy_does_not_need():
    code = (
        "import sys\n"
        "from checkrein.cli.main import cli\n"
        f"cli(['check', {str(MINIMAL)!r}], standalone_mode=False)\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    variables = os.environ | {"CHECKREIN_CACHE": "off"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert done.stdout == "no mistakes in 1 file\n"
    assert "checkrein.language.check" in loaded
    unwanted = {"zoneinfo", "importlib.resources"}
    assert not loaded & {*unwanted, "checkrein.language.mistakes", "checkrein.language.emit"}
