"""The command as a whole: help, version, exit codes, colours, and failures of our own."""

import importlib.metadata
import os
import subprocess
import sys

import pytest
from tests.cli.conftest import Printed

from checkrein.cli.main import TRACEBACK

COMMANDS = ("check", "fmt", "test", "bound", "compile", "replay", "explain", "rule", "demo")


def test_help(command, snapshot):
    printed = command("--help", terminal_width=100)
    assert printed.exit_code == 0
    snapshot("help", printed.stdout)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(command, name):
    printed = command(name, "--help")
    assert printed.exit_code == 0
    assert printed.stdout.startswith(f"Usage: checkrein {name}")


def test_version(command):
    assert command("--version").stdout == f"checkrein {importlib.metadata.version('checkrein')}\n"


def test_an_unknown_command(command):
    printed = command("chekc")
    assert printed.exit_code == 2
    assert "Did you mean `check`?" in printed.stderr
    assert "Did you mean" not in command("xyzzy").stderr


def test_an_internal_error_is_no_traceback(command, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("checkrein.cli.check.sources", broken)
    printed = command("check", "support.rein")
    assert (printed.exit_code, printed.stdout) == (2, "")
    assert printed.stderr.startswith("error: internal error: ZeroDivisionError: by zero at test_main.py:")
    assert "please report it" in printed.stderr
    assert "Traceback" not in printed.stderr
    monkeypatch.setenv(TRACEBACK, "1")
    assert "Traceback" in command("check", "support.rein").stderr


def test_an_interrupted_command_says_so_in_its_exit_code(command, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("checkrein.cli.check.sources", interrupted)
    assert command("check", "support.rein") == Printed(130, "", "")


def test_a_terminal_without_a_character_shows_its_escape(folder):
    (folder / "\u010daj.rein").write_text("limit", encoding="utf-8")
    done = run(folder, "check", "\u010daj.rein", env={"PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 1
    assert "\\u010daj.rein" in done.stdout


def test_colours_only_where_they_are_wanted(command, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    plain = command("check", "mistakes.rein").stdout
    coloured = command("check", "mistakes.rein", color=True).stdout
    assert "\x1b[" not in plain
    assert "\x1b[" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert command("check", "mistakes.rein", color=True).stdout == plain


def run(folder, *words, **options):
    environment = {**os.environ, "PYTHONWARNINGS": "error", **options.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-c", "from checkrein.cli.main import main; main()", *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False, **options,
    )  # fmt: skip


def test_the_package_is_the_command_too():
    words = [sys.executable, "-m", "checkrein", "--version"]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (0, f"checkrein {importlib.metadata.version('checkrein')}\n"), (
        said.stderr
    )


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (["check", "support.rein"], 0),
        (["check", "mistakes.rein"], 1),
        (["check", "nowhere.rein"], 2),
        (["check"], 2),
        (["test", "failing.rein"], 1),
        (["compile", "mistakes.rein"], 1),
        (["explain", "last"], 2),
        (["rule"], 0),
        (["rule", "R9999"], 2),
        ([], 2),
    ],
)
def test_exit_codes_of_the_real_process(folder, words, exit_code):
    done = run(folder, *words)
    assert done.returncode == exit_code, done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b[" not in done.stdout + done.stderr


def test_a_reader_that_goes_away_is_no_failure(folder):
    trace = folder / "many.jsonl"
    trace.write_text('{"messages": []}\n' * 20_000)
    script = f"{sys.executable} -c 'from checkrein.cli.main import main; main()'"
    done = subprocess.run(
        f"{script} replay many.jsonl --policy support.rein | head -n 1",
        cwd=folder, shell=True, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.startswith(" line")
    assert done.stderr == ""


def test_a_damaged_artifact_is_refused(command, folder):
    command("compile", "support.rein")
    data = bytearray((folder / "support.reinc").read_bytes())
    data[-1] ^= 1
    (folder / "support.reinc").write_bytes(data)
    (folder / "trace.jsonl").write_text('{"messages": []}\n')
    printed = command("replay", "trace.jsonl", "--policy", "support.reinc")
    assert (printed.exit_code, printed.stdout) == (2, "")
    assert printed.stderr.startswith("error: ")


def test_the_language_server_without_its_package_says_what_to_install(command, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    printed = command("lsp")
    assert (printed.exit_code, printed.stdout) == (2, "")
    assert printed.stderr == "error: the language server needs pygls\n  help: pip install 'checkrein[lsp]'\n"
