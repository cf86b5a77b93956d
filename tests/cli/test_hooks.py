"""`.pre-commit-hooks.yaml`: the hooks say what pre-commit has to know, and their commands do their work."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))}
UNTIDY = 'language 1 policy "p"\nloop   off\n'


@pytest.fixture
def hook(command):
    """Runs a hook as pre-commit does: its entry, its arguments, then the files."""

    def run(name, *files):
        program, *words = shlex.split(HOOKS[name]["entry"])
        assert program == "checkrein"
        return command(*words, *HOOKS[name].get("args", []), *files)

    return run


def test_each_hook_says_what_it_needs():
    assert set(HOOKS) == {"checkrein-check", "checkrein-fmt"}
    for hook in HOOKS.values():
        assert set(hook) == {"id", "name", "description", "entry", "language", "files"}
        assert hook["language"] == "python"
        assert [n for n in ("a/b.rein", "b.reinc", "rein", "b.rein.txt") if re.search(hook["files"], n)] == [
            "a/b.rein"
        ]


def test_check_fails_on_a_finding(hook):
    assert hook("checkrein-check", "support.rein").exit_code == 0
    assert hook("checkrein-check", "support.rein", "mistakes.rein").exit_code == 1


def test_fmt_writes_which_pre_commit_takes_for_a_failure(hook, folder):
    (folder / "untidy.rein").write_text(UNTIDY)
    assert hook("checkrein-fmt", "untidy.rein").exit_code == 0
    assert (folder / "untidy.rein").read_text() == 'language 1\npolicy "p"\nloop off\n'
    (folder / "broken.rein").write_text("limit")
    assert hook("checkrein-fmt", "broken.rein").exit_code == 2
