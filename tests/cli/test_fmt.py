"""`checkrein fmt`: which files it writes, how, and what it says about the others."""

import os
import stat

import pytest

UNTIDY = 'language 1 policy "p"\nloop   off # for now\n'
TIDY = 'language 1\npolicy "p"\nloop off  # for now\n'


@pytest.fixture
def untidy(folder):
    """The only policy of a folder of its own, not laid out, as executable as it is."""
    home = folder / "home"
    home.mkdir()
    path = home / "untidy.rein"
    path.write_text(UNTIDY)
    return path


def test_writes_what_is_not_laid_out(command, untidy):
    (untidy.parent / "tidy.rein").write_text(TIDY)
    before = (untidy.parent / "tidy.rein").stat()
    printed = command("fmt", "home")
    assert (printed.exit_code, printed.stdout) == (0, "")
    assert printed.stderr == "home/untidy.rein: formatted\n1 file formatted, 1 unchanged\n"
    assert untidy.read_text() == TIDY
    after = (untidy.parent / "tidy.rein").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert command("fmt", "home").stderr == "0 files formatted, 2 unchanged\n"


def test_check_only_tells(command, untidy):
    printed = command("fmt", "--check", "home")
    assert (printed.exit_code, printed.stdout) == (1, "")
    assert printed.stderr == "home/untidy.rein: would be formatted\n1 file would be formatted, 0 unchanged\n"
    assert untidy.read_text() == UNTIDY
    command("fmt", "home")
    assert command("fmt", "--check", "home").exit_code == 0


def test_diff_shows_what_would_change(command, untidy):
    printed = command("fmt", "--diff", "home")
    assert printed.exit_code == 1
    assert printed.stdout.splitlines() == [
        "--- home/untidy.rein",
        "+++ home/untidy.rein",
        "@@ -1,2 +1,3 @@",
        '-language 1 policy "p"',
        "-loop   off # for now",
        "+language 1",
        '+policy "p"',
        "+loop off  # for now",
    ]
    assert untidy.read_text() == UNTIDY
    untidy.write_text(TIDY.rstrip("\n"))
    assert "\\ No newline at end of file\n" in command("fmt", "--diff", "home").stdout


def test_stdin_is_printed(command, untidy):
    for source in (UNTIDY, TIDY):
        assert command("fmt", "-", stdin=source).stdout == TIDY
    assert command("fmt", "-", "--check", stdin=UNTIDY).stdout == ""
    assert command("fmt", "-", stdin="limit").stdout == ""


def test_a_policy_that_cannot_be_read_is_left_alone(command, untidy):
    broken = untidy.parent / "broken.rein"
    broken.write_text('language 1 policy "p"\nlimit {\n')
    printed = command("fmt", "home")
    assert printed.exit_code == 2
    assert "--> home/broken.rein:2:7" in printed.stderr
    assert printed.stderr.endswith("1 file formatted, 0 unchanged, 1 left alone\n")
    assert broken.read_text() == 'language 1 policy "p"\nlimit {\n'
    assert untidy.read_text() == TIDY


def test_keeps_the_mode_and_the_link(command, untidy):
    untidy.chmod(0o640)
    link = untidy.parent.parent / "link.rein"
    link.symlink_to(untidy)
    assert command("fmt", "link.rein").exit_code == 0
    assert link.is_symlink()
    assert untidy.read_text() == TIDY
    assert stat.S_IMODE(untidy.stat().st_mode) == 0o640


def test_a_crash_while_writing_leaves_the_old_file(command, untidy, monkeypatch):
    def fails(_file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    printed = command("fmt", "home")
    assert printed.exit_code == 2
    assert "cannot write `home/untidy.rein`: no space left on device" in printed.stderr
    assert untidy.read_text() == UNTIDY
    assert list(untidy.parent.iterdir()) == [untidy]


def test_a_read_only_file_is_left_as_it_is(command, untidy):
    before = untidy.read_bytes()
    untidy.chmod(0o444)
    done = command("fmt", untidy)
    assert done.exit_code == 2
    assert f"`{untidy}` is read-only, so it is left as it is\n  help: make it writable" in done.stderr
    assert untidy.read_bytes() == before
    assert list(untidy.parent.glob(".*")) == []
