"""`[tool.checkrein]` in pyproject.toml, which `check`, `fmt` and `test` read."""

import pytest

WARNED = 'language 1\npolicy "p"\nstate "lost" tell user "Gone."\n'
WRONG = WARNED + 'rule "r" on tool "nowhere" then deny because "No."\n'


@pytest.fixture
def project(folder):
    """Writes the section of a project, with two policies in `policies/`."""
    for name, text in (("warned", WARNED), ("old/warned", WARNED), ("old/draft-1", WRONG)):
        path = folder / "policies" / f"{name}.rein"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def write(text):
        (folder / "pyproject.toml").write_text(f"[tool.checkrein]\n{text}\n")

    return write


def test_paths_are_checked_if_none_is_given(command, project, folder, monkeypatch):
    project('paths = ["policies"]')
    assert command("check", "support.rein").stdout == "no mistakes in 1 file\n"
    printed = command("check", "--format", "concise")
    assert printed.exit_code == 1
    assert printed.stdout.startswith("policies/warned.rein:3:7: warning R0109: ")
    assert printed.stdout.endswith("3 findings in 3 files\n")
    monkeypatch.chdir(folder / "policies" / "old")
    assert "../warned.rein:3:7" in command("check", "--format", "concise").stdout
    assert command("fmt", "--check").stderr == "0 files would be formatted, 3 unchanged\n"
    assert command("test").stdout == "0 tests, none failed, 1 file with mistakes\n"


def test_without_paths_a_file_has_to_be_given(command, project):
    for section in ("", "exclude = []"):
        project(section)
        for name in ("check", "fmt", "test"):
            printed = command(name)
            assert printed.exit_code == 2
            assert "Missing argument 'FILE...'" in printed.stderr


@pytest.mark.parametrize("pattern", ["policies/old", "policies/old/", "*/old", "policies/old/*.rein"])
def test_what_is_excluded_is_not_searched(command, project, pattern):
    project(f'exclude = ["{pattern}"]')
    assert command("check", "policies").stdout.endswith("1 finding in 1 file\n")
    # Who names a file means it.
    assert command("check", "policies/old/draft-1.rein").stdout.endswith("1 finding in 1 file\n")


def test_a_pattern_is_for_files_too(command, project):
    project('exclude = ["*/draft-*"]')
    assert command("check", "policies").stdout.endswith("2 findings in 2 files\n")


@pytest.mark.parametrize(
    ("section", "found"),
    [
        ('ignore = ["R0109"]', 1),
        ('ignore = ["R01"]', 1),
        ('select = ["R0109"]', 3),
        ('select = ["R02"]', 1),
        ('select = ["R01"]\nignore = ["R0109"]', 1),
        ('ignore = ["R0402"]', 3),
    ],
)
def test_warnings_may_be_ignored_and_errors_not(command, project, section, found):
    project(section)
    printed = command("check", "policies", "--format", "concise")
    assert printed.stdout.count("\n") == found + 1
    assert "error R0101: unknown tool `nowhere`" in printed.stdout


def test_only_warnings_that_are_ignored_are_no_findings(command, project):
    project('ignore = ["R0109"]')
    printed = command("check", "policies/warned.rein")
    assert (printed.exit_code, printed.stdout.splitlines()[0]) == (0, "no mistakes in 1 file")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ('ignored = ["R0109"]', "unknown setting `ignored` under `[tool.checkrein]` in `pyproject.toml`\n"),
        ('ignored = ["R0109"]', "  help: did you mean `ignore`?"),
        ('ignore = "R0109"', "`ignore` under `[tool.checkrein]` in `pyproject.toml` is not a list of texts"),
        ("paths = [1]", "`paths` under `[tool.checkrein]` in `pyproject.toml` is not a list of texts"),
        ('ignore = ["R9999"]', "there is no code `R9999`, which `pyproject.toml` names\n"),
        ("paths = [", "cannot read `pyproject.toml`: "),
        ('paths = ["nowhere"]', "cannot read `nowhere`: no such file or directory"),
    ],
)  # fmt: skip
def test_a_setting_that_means_nothing(command, project, section, message):
    project(section)
    printed = command("check")
    assert printed.exit_code == 2
    assert message in printed.stderr


def test_the_nearest_project_that_says_something_is_read(command, project, folder, monkeypatch):
    project('ignore = ["R0109"]')
    inner = folder / "policies"
    (inner / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")
    monkeypatch.chdir(inner)
    assert command("check", "warned.rein").exit_code == 0
    (inner / "pyproject.toml").write_text("[tool.checkrein]\n")
    assert command("check", "warned.rein").exit_code == 1
    (inner / "pyproject.toml").write_text('[tool]\ncheckrein = "yes"\n')
    assert "is not a table" in command("check", "warned.rein").stderr
