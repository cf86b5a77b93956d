"""Runs commands in a folder of their own, and compares what they print with reviewed snapshots."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from checkrein.cli.main import cli

HERE = Path(__file__).parent
SNAPSHOTS = HERE / "snapshots"

UPDATE = "CHECKREIN_UPDATE_SNAPSHOTS"
"""Set to 1 to write the snapshots anew; then read what `git diff` shows."""

# What differs from one build, machine or grammar to the next without meaning anything.
CHANGING = [
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"(?<=program )[0-9a-f]{16}\b"), "<digest>"),
    (re.compile(r": \d+ bytes,"), ": <size> bytes,"),
]


@dataclass(frozen=True)
class Printed:
    """What a command printed, and its exit code."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A fresh folder with the example policies, as the current one."""
    for path in (HERE / "data").iterdir():
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(folder):
    """Runs `checkrein` with the given words in the folder."""

    def run(*words, stdin=None, **options):
        result = CliRunner().invoke(
            cli, [str(w) for w in words], input=stdin, prog_name="checkrein", **options
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Printed(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def snapshot():
    """Compares a text with `snapshots/NAME.txt`."""

    def compare(name, text):
        for pattern, word in CHANGING:
            text = pattern.sub(word, text)
        path = SNAPSHOTS / f"{name}.txt"
        if os.environ.get(UPDATE) == "1":
            assert not os.environ.get("CI"), "snapshots are never written in CI"
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"set {UPDATE}=1 to accept what is printed now"

    return compare
