"""`checkrein init`: every template works as it is, and nothing that is there is overwritten."""

from pathlib import Path

import pytest

from checkrein.cli.init import TEMPLATES


@pytest.fixture
def home(folder, monkeypatch):
    """An empty folder, as the current one."""
    empty = folder / "home"
    empty.mkdir()
    monkeypatch.chdir(empty)
    return empty


def written(home):
    return sorted(p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file())


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_works_as_it_is(command, home, template):
    assert command("init", "--template", template).exit_code == 0
    policy = f"policies/{template}.rein"
    assert written(home) == [policy, "pyproject.toml"]
    # Without a file, by the settings that were written.
    checked = command("check")
    assert (checked.exit_code, checked.stdout) == (0, "no mistakes in 1 file\n")
    assert command("fmt", "--check").exit_code == 0
    tested = command("test")
    assert tested.exit_code == 0, tested.stdout
    assert tested.stdout.count("ok ") >= 4
    bounds = command("bound", policy)
    assert bounds.exit_code == 0, bounds.stdout


def test_says_what_it_wrote_and_what_is_next(command, home):
    printed = command("init", "new/agent", "--template", "edge")
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert printed.stdout.splitlines() == [
        f"wrote {Path('new', 'agent', 'policies', 'edge.rein')}",
        f"wrote {Path('new', 'agent', 'pyproject.toml')}",
        f"next: cd {Path('new', 'agent')} && checkrein test",
    ]
    assert written(home) == ["new/agent/policies/edge.rein", "new/agent/pyproject.toml"]


def test_a_policy_that_is_there_is_kept_and_nothing_is_written(command, home):
    policy = home / "policies" / "support.rein"
    policy.parent.mkdir()
    policy.write_text("mine")
    printed = command("init")
    assert printed.exit_code == 2
    assert printed.stderr.splitlines() == [
        f"error: `{Path('policies', 'support.rein')}` is there already",
        "  help: move it away, or take another template",
    ]
    assert policy.read_text() == "mine"
    assert written(home) == ["policies/support.rein"]


def test_a_project_is_told_what_to_add(command, home):
    project = home / "pyproject.toml"
    project.write_text('[project]\nname = "shop"\n')
    printed = command("init")
    assert printed.exit_code == 0
    assert "left pyproject.toml as it is; add to it:\n\n[tool.checkrein]\npaths = " in printed.stdout
    assert project.read_text() == '[project]\nname = "shop"\n'


def test_a_project_with_settings_is_left_in_peace(command, home):
    project = home / "pyproject.toml"
    project.write_text('[tool.checkrein]\npaths = ["policies"]\n')
    assert command("init", "--template", "coding").exit_code == 0
    assert command("init", "--template", "batch").stdout.splitlines() == [
        f"wrote {Path('policies', 'batch.rein')}",
        "next: checkrein test",
    ]
    assert project.read_text() == '[tool.checkrein]\npaths = ["policies"]\n'
    assert command("test").exit_code == 0


def test_a_broken_link_is_no_place_to_write(command, home):
    (home / "policies").mkdir()
    target = home / "elsewhere.rein"
    (home / "policies" / "support.rein").symlink_to(target)
    assert command("init").exit_code == 2
    assert not target.exists()


def test_what_comes_next_can_be_pasted(command, home):
    assert 'next: cd "my agent" && checkrein test\n' in command("init", "my agent").stdout


@pytest.mark.parametrize("name", ["policies", "pyproject.toml"])
def test_what_is_in_the_way_is_named_before_anything_is_written(command, home, name):
    in_the_way = home / name
    if name == "policies":
        in_the_way.write_text("x")
    else:
        in_the_way.mkdir()
    done = command("init")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: `{name}` is no f")
    assert done.stderr.endswith("help: move it away\n")
    assert [path.name for path in home.iterdir()] == [name]
