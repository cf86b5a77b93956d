"""`checkrein replay`: what is printed, and the exit codes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.replay.traces import Trace

from checkrein.cli.main import cli

SMALL = Path(__file__).parents[1] / "replay" / "data" / "small.rein"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "small.rein").write_text(SMALL.read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lines():
    """Four runs: a stop, a denial with an escalation, nothing, and one without a reward."""
    stuck = Trace(task_id="loops", trial=0, reward=0.0).user()
    for _ in range(3):
        stuck.model(("look", {"q": 1})).result()
    paid = Trace(task_id="pays", trial=1, reward=1.0).user().model(("pay", {"amount": 200})).result()
    paid.model(("look", {})).result().model(("pay", {"amount": 200})).result().model(content="Done.")
    quiet = Trace(task_id="talks", trial=0, reward=1.0).user().model(content="Hello.")
    bare = Trace().user().model(content="Hello.")
    return [made.line() for made in (stuck, paid, quiet, bare)]


def command(*words, stdin=None):
    result = CliRunner().invoke(cli, ["replay", *words], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_as_text(folder, lines, snapshot):
    (folder / "trace.jsonl").write_bytes(b"\n".join(lines))
    done = command("trace.jsonl", "--policy", "small.rein")
    assert (done.exit_code, done.stderr) == (0, "")
    snapshot("replay_text", done.stdout)


def test_known_results_and_answers_have_their_columns(folder):
    (folder / "gives.rein").write_text("""language 1 policy "gives"
        model "m" is "x/m" { place edge window 100k tokens output 10k tokens price free }
        tool "look" { class retrieve }
        rule "same" on tool "look" then reuse because "Known."
        rule "late" on model any when step.index >= 4 then answer "Enough." because "Enough." """)
    trace = Trace(task_id="looks", trial=0).user()
    for _ in range(5):
        trace.model(("look", {"q": 1})).result()
    done = command("-", "--policy", "gives.rein", stdin=trace.line())
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines()]
    head = next(row for row in rows if "met" in row)
    same, late = (next(row for row in rows if row[:2] == ["rule", name]) for name in ("`same`", "`late`"))
    assert head[-2:] == ["answer", "reuse"]
    assert (same[-2:], late[-2:]) == (["-", "1"], ["1", "-"])


def test_as_json(folder, lines, snapshot):
    (folder / "trace.jsonl").write_bytes(b"\n".join(lines))
    done = command("trace.jsonl", "--policy", "small.rein", "--format", "json", "--limit", "2")
    assert (done.exit_code, done.stderr) == (0, "")
    assert [run["outcome"] for run in json.loads(done.stdout)["runs"]] == ["stuck", "completed"]
    snapshot("replay_json", done.stdout)


@pytest.mark.usefixtures("folder")
def test_malformed_lines_are_told_and_skipped(lines):
    done = command("-", "--policy", "small.rein", stdin=b"\n".join([b"x", *lines[:1], b'{"traj": 1}']))
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "error: -:1: the line is not JSON (Expecting value: line 1 column 1 (char 0)); the line was skipped",
        "error: -:3: the line has no list `traj` or `messages`; the line was skipped",
    ]
    assert "1 run: 0 completed, 1 stopped; 2 lines skipped" in done.stdout


@pytest.mark.usefixtures("folder")
def test_nothing_to_replay():
    done = command("-", "--policy", "small.rein", stdin=b"")
    assert (done.exit_code, done.stdout) == (0, "0 runs: 0 completed, 0 stopped\n")


@pytest.mark.usefixtures("folder")
def test_people_who_say_no(lines):
    done = command("-", "--policy", "small.rein", "--answers", "no", stdin=lines[1])
    assert "deny by rule `big payments`" in done.stdout


def test_a_compiled_policy_decides_alike(folder, lines):
    CliRunner().invoke(cli, ["compile", "small.rein"])
    stdin = b"\n".join(lines)
    of_source = command("-", "--policy", "small.rein", stdin=stdin).stdout
    assert command("-", "--policy", "small.reinc", stdin=stdin).stdout == of_source
    assert (folder / "small.reinc").exists()


@pytest.mark.usefixtures("folder")
def test_kept_decisions_can_be_explained(lines):
    command("-", "--policy", "small.rein", "--log", "kept.jsonl", stdin=lines[0])
    done = CliRunner().invoke(cli, ["explain", "last", "--log", "kept.jsonl"])
    assert done.exit_code == 0
    assert "stop in state `stuck`" in done.stdout


@pytest.mark.parametrize(
    ("words", "exit_code", "told"),
    [
        (["none.jsonl", "--policy", "small.rein"], 2, "cannot read `none.jsonl`"),
        (["-", "--policy", "none.rein"], 2, "cannot read the policy none.rein"),
        (["-"], 2, "Missing option '--policy'"),
        (["-", "--policy", "small.rein", "--model", "tiny"], 2, "declares no model `tiny`"),
        (["-", "--policy", "small.rein", "--limit", "0"], 2, "--limit"),
        (["-", "--policy", "broken.rein"], 1, "error R"),
    ],
)
def test_what_cannot_be_replayed(folder, words, exit_code, told):
    (folder / "broken.rein").write_text("language 1 polic")
    done = command(*words, stdin=b"")
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert told in done.stderr
