"""`checkrein compile`: the same bytes, written whole or not at all."""

import os
import sys

import pytest

import checkrein


def test_writes_beside_the_source_and_says_what(command, folder, snapshot):
    printed = command("compile", "support.rein")
    assert (printed.exit_code, printed.stderr) == (0, "")
    snapshot("compile", printed.stdout)
    data = (folder / "support.reinc").read_bytes()
    program = checkrein.load("support.reinc", log=None).program
    assert f"{len(data)} bytes" in printed.stdout
    assert program.digest in printed.stdout
    assert program.meaning in printed.stdout
    assert program.policy == "support"


def test_writes_where_it_is_told_to(command, folder):
    (folder / "out.reinc").write_bytes(b"older")
    assert command("compile", "support.rein", "-o", "out.reinc").exit_code == 0
    assert command("compile", "support.rein").exit_code == 0
    assert (folder / "out.reinc").read_bytes() == (folder / "support.reinc").read_bytes()
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_stdin_needs_a_place_to_write_to(command, folder):
    source = (folder / "support.rein").read_bytes()
    printed = command("compile", "-", stdin=source)
    assert printed.exit_code == 2
    assert "`--output`" in printed.stderr
    assert command("compile", "-", "-o", "x.reinc", stdin=source).exit_code == 0


def test_a_policy_with_mistakes_writes_nothing(command, folder):
    (folder / "mistakes.reinc").write_bytes(b"older")
    printed = command("compile", "mistakes.rein")
    assert (printed.exit_code, printed.stdout) == (1, "")
    assert "error R" in printed.stderr
    assert (folder / "mistakes.reinc").read_bytes() == b"older"


def test_never_writes_over_the_source(command, folder):
    before = (folder / "support.rein").read_bytes()
    assert command("compile", "support.rein", "-o", "./support.rein").exit_code == 2
    assert (folder / "support.rein").read_bytes() == before


def test_a_place_that_cannot_be_written(command):
    printed = command("compile", "support.rein", "-o", "nowhere/x.reinc")
    assert printed.exit_code == 2
    assert "cannot write `nowhere/x.reinc`: no such file or directory" in printed.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no such files")
def test_what_is_no_file_is_written_to_and_never_replaced(command, folder):
    """It might be /dev/null, and the user root."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    nobody_reads = command("compile", "support.rein", "-o", "pipe")
    assert (nobody_reads.exit_code, "cannot write `pipe`" in nobody_reads.stderr) == (2, True)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert command("compile", "support.rein", "-o", "pipe").exit_code == 0
    assert os.read(reading, 4) == b"REIN"
    os.close(reading)
    assert pipe.is_fifo()
