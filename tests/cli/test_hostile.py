"""Files that nobody would give on purpose: words about them, never a failure of our own, never a hang."""

import copy
import json
import os
import random
import subprocess
import sys

import pytest

import checkrein

ODD = [
    None,
    True,
    -1,
    1.5,
    10**400,
    "",
    "x",
    "\ud800",
    "\x1b[2J\n",
    [],
    [1],
    {},
    {"a": 1},
    float("nan"),
    [[]],
]

TRACE = {
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "hi", "time": 1_700_000_000},
        {
            "role": "assistant",
            "usage": {"prompt_tokens": 10, "completion_tokens": 3},
            "tool_calls": [{"id": "c", "function": {"name": "search_kb", "arguments": '{"query": "x"}'}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "Error: no"},
        {"role": "assistant", "content": [{"type": "text", "text": "ok"}], "time": "2024-01-01T00:00:00"},
    ],
    "task_id": "t",
    "trial": 1,
    "reward": 1.0,
    "facts": {"data.class": "pii"},
}


def damaged(value, dice):
    """`value` with one part of it left out or replaced."""
    value = copy.deepcopy(value)
    holder, places = value, []
    while isinstance(holder, (dict, list)) and holder and (not places or dice.random() < 0.8):
        key = dice.choice(list(holder)) if isinstance(holder, dict) else dice.randrange(len(holder))
        places.append((holder, key))
        holder = holder[key]
    holder, key = places[-1]
    if dice.random() < 0.25:
        del holder[key]
    else:
        holder[key] = dice.choice(ODD)
    return value


@pytest.fixture
def log(folder):
    """The records of a run with all that there is to explain."""
    guard = checkrein.load(
        "support.rein", log="log.jsonl", clock=checkrein.VirtualClock(), approver=lambda approval: True
    )
    with guard.run(id="r", user="u") as run:
        run.model(lambda model, max_tokens: None, model="large", max_tokens=50)
        run.tool("search_kb", lambda query: query, query="x")
        run.model(lambda model, max_tokens: None, model="large", max_tokens=50)
        run.tool("refund", lambda order_id, amount: amount, order_id="A1", amount=25_000)
        while True:
            run.tool("search_kb", lambda query: query, query="x")
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("seed", range(100))
def test_a_damaged_log_is_explained_or_said_to_be_damaged(command, folder, log, seed):
    dice = random.Random(seed)
    at = dice.randrange(len(log))
    log[at] = damaged(log[at], dice)
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, log)))
    for id in ("last", "r.1", "r.4"):
        printed = command("explain", id, "--log", "log.jsonl", color=True)
        assert "internal error" not in printed.stderr
        assert printed.exit_code in (0, 2)
        assert printed.stdout.replace("\n", "").isprintable()


@pytest.mark.parametrize("seed", range(100))
def test_a_damaged_trace_is_replayed_or_skipped(command, folder, seed):
    dice = random.Random(seed)
    (folder / "trace.jsonl").write_text(json.dumps(damaged(damaged(TRACE, dice), dice)))
    for style in ("text", "json"):
        printed = command(
            "replay", "trace.jsonl", "--policy", "support.rein", "--model", "large", "--format", style,
            "--log", "log.jsonl", color=True,
        )  # fmt: skip
        assert "internal error" not in printed.stderr
        assert printed.exit_code in (0, 1)
        assert "\x1b[2J" not in printed.stdout + printed.stderr


@pytest.mark.parametrize("reward", ["1" + "0" * 400, "NaN", "Infinity"])
def test_a_reward_that_is_no_number_to_work_with_is_skipped(command, folder, reward):
    (folder / "trace.jsonl").write_text(f'{{"messages": [], "reward": {reward}}}')
    printed = command("replay", "trace.jsonl", "--policy", "support.rein", "--model", "large")
    assert (printed.exit_code, "`reward` is not a number" in printed.stderr) == (1, True)


@pytest.mark.skipif(sys.platform == "win32", reason="no such files")
def test_a_pipe_in_a_folder_is_not_waited_for(command, folder):
    (folder / "policies").mkdir()
    (folder / "support.rein").rename(folder / "policies" / "support.rein")
    os.mkfifo(folder / "policies" / "pipe.rein")
    (folder / "policies" / "again").symlink_to(folder / "policies")
    assert command("check", "policies").stdout == "no mistakes in 1 file\n"
    (folder / "policies" / "loop.rein").symlink_to("loop.rein")
    assert "loop.rein" in command("check", "policies").stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no such file")
@pytest.mark.parametrize("name", ["check", "test", "compile"])
def test_a_file_without_an_end_is_too_large(command, folder, name):
    (folder / "endless.rein").symlink_to("/dev/zero")
    printed = command(name, "endless.rein")
    assert printed.exit_code == 1
    assert "larger than 256 KiB" in printed.stdout + printed.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no such link")
@pytest.mark.parametrize("name", ["check", "fmt", "test"])
def test_a_policy_that_emacs_has_open_is_read_all_the_same(command, folder, name):
    (folder / "policies").mkdir()
    (folder / "support.rein").rename(folder / "policies" / "support.rein")
    (folder / "policies" / ".#support.rein").symlink_to("someone@host.1:2")
    assert command(name, "policies").exit_code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no such shell")
@pytest.mark.parametrize("words", ["check -", "fmt -", "test -", "bound -", "lsp"])
def test_without_a_stdin_that_is_said(folder, words):
    line = 'exec "$0" -c "from checkrein.cli.main import main; main()" "$@" <&-'
    words = ["sh", "-c", line, sys.executable, *words.split()]
    printed = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert (printed.returncode, "closed" in printed.stderr, "internal" in printed.stderr) == (2, True, False)
