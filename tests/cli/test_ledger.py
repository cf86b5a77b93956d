"""`checkrein ledger`: what operators see of shared limits, and how they correct them."""

import contextlib
import json
import sqlite3

import pytest
import xxhash

import checkrein
from checkrein.cli.ledger_words import amount_of, parse_amount
from checkrein.errors import CheckreinError

POLICY = """
language 1 policy "shop"
model "large" is "test/large" { place cloud window 100k tokens output 1k tokens
  price input $1 output $4 per 1M tokens }
tool "search" { args { "query" text } }
limit "per user" on user { cost <= $0.50 tool_calls <= 5 } else stop "over"
limit "burst" on org rolling 1 min { model_calls <= 60 } else deny
limit "talk" on session each day in "Europe/Rome" { tokens <= 10k tokens } else stop "over"
state "over" tell user "over"
"""


@pytest.fixture
def used(folder):
    """A ledger in which two users have spent something."""
    (folder / "shop.rein").write_text(POLICY)
    guard = checkrein.load("shop.rein", log=None)

    def call(model, max_tokens):
        return {"usage": {"prompt_tokens": 100, "completion_tokens": 10}}

    for user in ("u1", "u2"):
        with guard.run(id=f"run of {user}", user=user, session="s1", org="o1") as run:
            run.model(call, model="large", input_tokens=100, max_tokens=10)
            run.tool("search", lambda query: query, query="x")
    guard.close()


def columns(printed):
    """The lines of a table, their cells."""
    return [[cell for cell in line.split("  ") if cell.strip()] for line in printed.stdout.splitlines()]


def test_show_says_what_is_spent_and_left(command, used):
    printed = command("ledger", "show")
    assert (printed.exit_code, printed.stderr) == (0, "")
    header, *rows = [[cell.strip() for cell in row] for row in columns(printed)]
    assert header == ["account", "window", "spent", "leased", "left", "of"]
    assert ["user:u1 · per user · cost", "for ever", "0.00014", "0.00", "0.49986", "0.50"] in rows
    assert ["user:u2 · per user · tool_calls", "for ever", "1", "0", "4", "5"] in rows
    talk = next(row for row in rows if row[0].startswith("session"))
    assert talk[0] == "session:s1 · talk · tokens · day Europe/Rome"
    assert talk[1].endswith(("22:00Z", "23:00Z"))
    assert talk[2:] == ["220", "0", "9,780", "10,000"]
    burst = next(row for row in rows if row[0].startswith("org"))
    assert burst == ["org:o1 · burst · model_calls · rolling 1 min", "until now", "2", "0", "58", "60"]
    assert len(rows) == 6
    assert len(columns(command("ledger", "show", "u1"))) == 3


def test_show_names_who_has_leased_something(command, used):
    guard = checkrein.load("shop.rein", log=None)
    with guard.run(user="u1", session="s1", org="o1") as run:
        run.tool("search", lambda query: query, query="x")
        printed = command("ledger", "show", "u1 tool_calls")
        leased = printed.stdout.partition("leased to")[2].splitlines()[1:]
        assert [line.split()[0] for line in leased] == [guard.ledger.health()["node"][:12]]
    guard.close()
    assert "leased to" not in command("ledger", "show").stdout


def test_show_of_nobody_says_so(command, used):
    printed = command("ledger", "show", "u9")
    assert printed.exit_code == 2
    assert "no account has `u9` in its name" in printed.stderr


def test_adjust_asks_for_the_reason_and_prints_what_the_audit_has(command, used):
    assert command("ledger", "adjust", "u1", "1").exit_code == 2
    printed = command(
        "ledger", "adjust", "u1 cost", "--why", "billed twice",
        "--who", "ops", "--id", "a1", "--", "-0.0001",
    )  # fmt: skip
    assert (printed.exit_code, printed.stderr) == (0, "")
    lines = [line.strip() for line in printed.stdout.splitlines()]
    assert lines[0] == "adjust -0.0001"
    assert lines[1:4] == [
        "account  user:u1 · per user · cost",
        "who      ops",
        "why      billed twice",
    ]
    assert lines[5] == "act      a1"
    again = command(
        "ledger", "adjust", "u1 cost", "--why", "billed twice",
        "--who", "ops", "--id", "a1", "--", "-0.0001",
    )  # fmt: skip
    assert again.exit_code == 0
    assert "act a1 was done before; nothing has changed" in again.stderr
    (_, row) = columns(command("ledger", "show", "u1 cost"))
    assert [cell.strip() for cell in row[2:]] == ["0.00004", "0.00", "0.49996", "0.50 (corrected -0.0001)"]


def test_a_name_that_several_accounts_have_is_refused_with_them(command, used):
    printed = command("ledger", "adjust", "u1", "1", "--why", "x")
    assert printed.exit_code == 2
    assert "is in the names of 2 accounts" in printed.stderr
    assert "user:u1 · per user · tool_calls" in printed.stderr


def test_an_amount_or_a_write_off_is_given(command, used):
    name = "u1 cost"
    for words in ((), ("1", "--write-off")):
        printed = command("ledger", "adjust", name, *words, "--why", "x")
        assert printed.exit_code == 2
        assert "give an AMOUNT or --write-off" in printed.stderr
    printed = command("ledger", "adjust", name, "--write-off", "--why", "the machine is gone")
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert printed.stdout.startswith("write off\n")


def test_prune_says_what_it_forgot_and_keeps_what_is_young(command, used):
    before = command("ledger", "show").stdout
    for days in ("0", "1.5", "x", "-1", "36501d"):
        printed = command("ledger", "prune", "--older-than", days, "--why", "x")
        assert (printed.exit_code, "from 1 to 36500; write it like 90d" in printed.stderr) == (2, True)
    assert command("ledger", "prune", "--older-than", "90d").exit_code == 2
    printed = command("ledger", "prune", "--older-than", "36500d", "--why", "before there were clocks")
    assert (printed.exit_code, printed.stderr) == (0, "")
    printed = command("ledger", "prune", "--older-than", "90d", "--why", "yearly", "--who", "ann")
    lines = printed.stdout.splitlines()
    assert (printed.exit_code, lines[0], lines[-1]) == (0, "prune", "0 rows forgotten")
    assert lines[1].startswith("  before   20")
    assert "  why      yearly" in lines
    assert command("ledger", "show").stdout == before


def test_pinned_limits_hold_and_are_listed(command, used):
    assert all(row[-1].strip() == "-" for row in columns(command("ledger", "limits"))[1:])
    name = "u1 tool_calls"
    printed = command("ledger", "limits", "pin", name, "2", "--why", "trial")
    assert (printed.exit_code, printed.stdout.splitlines()[0]) == (0, "pin 2")
    listed = {row[0]: [cell.strip() for cell in row[1:]] for row in columns(command("ledger", "limits"))}
    assert listed["user:u1 · per user · tool_calls"] == ["5", "2"]
    assert listed["user:u2 · per user · tool_calls"] == ["5", "-"]
    guard = checkrein.load("shop.rein", log=None)
    with guard.run(user="u1", session="s1", org="o1") as run:
        for number in range(3):
            run.tool("search", lambda query: query, query=str(number))
    assert run.outcome.state == "over"
    guard.close()
    assert "2 (pinned)" in command("ledger", "show", name).stdout
    assert command("ledger", "limits", "pin", name, "none", "--why", "over").stdout.startswith("pin none\n")
    assert all(row[-1].strip() == "-" for row in columns(command("ledger", "limits"))[1:])
    assert command("ledger", "limits", "pin", name, "--why", "x", "--", "-1").exit_code == 2


def test_export_is_json_lines_of_everything(command, used):
    command("ledger", "adjust", "u1 cost", "1", "--why", "é")
    printed = command("ledger", "export")
    assert printed.exit_code == 0
    lines = [json.loads(line) for line in printed.stdout.splitlines()]
    kinds = [line["kind"] for line in lines]
    assert {kind: kinds.count(kind) for kind in kinds} == {"account": 6, "audit": 1, "node": 1, "record": 4}
    record = next(line for line in lines if line.get("model"))
    assert (record["run"], record["tokens"], record["cost"], record["usage"]) == (
        "run of u1", 110, 140_000, "exact",
    )  # fmt: skip
    assert next(line for line in lines if line["kind"] == "audit")["why"] == "é"


def test_init_makes_a_ledger_once(command):
    assert command("ledger", "init", "--store", "own.db").stdout.endswith("own.db: made\n")
    assert command("ledger", "init", "--store", "own.db").stdout.endswith("own.db: was there already\n")
    for words in (("show",), ("limits",)):
        printed = command("ledger", *words, "--store", "own.db")
        assert (printed.exit_code, printed.stderr) == (0, "")
        assert printed.stdout.startswith("no account has been used yet in ")
    assert command("ledger", "show", "u1", "--store", "own.db").exit_code == 2


def test_a_ledger_that_is_not_there_is_said(command):
    for words in (("show",), ("limits",), ("export",), ("adjust", "x", "1", "--why", "y")):
        printed = command("ledger", *words)
        assert printed.exit_code == 2
        assert printed.stderr.startswith("error: ")
        assert "name another with `--store`, or make one with `checkrein ledger init`" in printed.stderr


@pytest.fixture
def suspended(used):
    """Two runs that were suspended, one of which was resumed."""
    guard = checkrein.load("shop.rein", log=None)
    for number, run in enumerate(("r1", "r2"), 1):
        guard.ledger.park(run, guard.program, (number, number, 0), b"state", b"host", [])
    guard.ledger.claim("r2", guard.program, 9)
    guard.close()
    return guard.program.meaning


def test_runs_that_wait_or_were_resumed_are_listed(command, suspended):
    printed = command("ledger", "runs")
    assert (printed.exit_code, printed.stderr) == (0, "")
    header, *rows = [line.split() for line in printed.stdout.splitlines()]
    assert header == ["run", "policy", "state", "since"]
    assert [row[:3] for row in rows] == [
        ["r1", suspended[:12], "waits"],
        ["r2", suspended[:12], "resumed"],
    ]
    exported = [json.loads(line) for line in command("ledger", "export").stdout.splitlines()]
    assert [row["run"] for row in exported if row["kind"] == "run"] == ["r1", "r2"]


def spoil(path, key):
    """Put nonsense into a row, as no ledger would, and into the tally that would tell."""

    def share(value):
        return xxhash.xxh3_64_intdigest(len(key).to_bytes(8, "little") + key.encode() + value)

    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        (old,) = database.execute("SELECT value FROM rows WHERE key = ?", [key]).fetchone()
        (mix,) = database.execute("SELECT mix FROM tally").fetchone()
        mix = (mix % 2**64) ^ share(old) ^ share(b"nonsense")
        mix -= 2**64 * (mix >= 2**63)
        database.execute("UPDATE rows SET value = ? WHERE key = ?", [b"nonsense", key])
        database.execute("UPDATE tally SET mix = ?", [mix])


def test_a_damaged_row_of_a_run_hides_no_other(command, suspended, folder):
    spoil(folder / ".checkrein" / "ledger.db", "run/r1")
    printed = command("ledger", "runs")
    assert printed.exit_code == 0
    assert [line.split()[:3] for line in printed.stdout.splitlines()[1:]] == [
        ["r1", "damaged"],
        ["r2", suspended[:12], "resumed"],
    ]
    assert "`checkrein ledger drop-run`" in printed.stderr
    exported = [json.loads(line) for line in command("ledger", "export").stdout.splitlines()]
    runs = [row for row in exported if row["kind"] == "run"]
    assert [(row["run"], row["damaged"]) for row in runs] == [("r1", True), ("r2", False)]
    assert command("ledger", "drop-run", "r1", "--why", "it cannot be read").exit_code == 0
    assert command("ledger", "runs").stderr == ""


def test_a_run_is_dropped_with_a_reason(command, suspended):
    assert command("ledger", "drop-run", "r2").exit_code == 2
    printed = command("ledger", "drop-run", "r2", "--why", "its machine is gone", "--who", "ops")
    assert (printed.exit_code, printed.stderr) == (0, "")
    lines = printed.stdout.splitlines()
    assert lines[:4] == ["drop run", "  run      r2", "  who      ops", "  why      its machine is gone"]
    assert [line.split()[0] for line in command("ledger", "runs").stdout.splitlines()] == ["run", "r1"]
    again = command("ledger", "drop-run", "r2", "--why", "once more")
    assert (again.exit_code, "no run of this id" in again.stderr) == (2, True)
    command("ledger", "drop-run", "r1", "--why", "not wanted")
    nothing = command("ledger", "runs")
    assert (nothing.exit_code, nothing.stdout.startswith("no run waits in ")) == (0, True)


@pytest.mark.parametrize(
    ("measure", "text", "amount"),
    [
        ("cost", "0.50", 500_000_000),
        ("cost", "$0.50", 500_000_000),
        ("cost", "-0.000000001", -1),
        ("cost", "1,000", 10**12),
        ("tokens", "200k", 200_000),
        ("tokens", "1.5M", 1_500_000),
        ('calls of tool "x"', "3", 3),
        ("wall_time", "90", 90 * 10**9),
    ],
)
def test_amounts_are_read_as_people_write_them(measure, text, amount):
    assert parse_amount(measure, text) == amount


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        ("cost", "0.0000000001"),
        ("cost", ""),
        ("cost", "NaN"),
        ("tokens", "1.5"),
        ("tokens", "9" * 20),
        ("cost", "x"),
    ],
)
def test_what_is_no_amount_is_refused(measure, text):
    with pytest.raises(CheckreinError, match="is no amount of"):
        parse_amount(measure, text)


def test_amounts_are_printed_with_their_unit():
    assert amount_of("cost", -500_000_000) == "-0.50"
    assert amount_of("cost", 500_000_000, signed=True) == "+0.50"
    assert amount_of("tokens", 1_000_000) == "1,000,000"
    assert amount_of("active_time", 1_500_000_000) == "1.5 s"
