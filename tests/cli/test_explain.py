"""`checkrein explain`: from an id to the whole story of a decision."""

import json

import pytest

import checkrein
from checkrein.guard.classify import Failure
from checkrein.guard.usage import UNKNOWN, Usage
from checkrein.record import DEFAULT_LOG


@pytest.fixture
def log(folder):
    """Two runs under the support policy, logged at the usual place: every outcome occurs."""
    clock = checkrein.VirtualClock(wall=1_750_000_000_000_000_000)
    guard = checkrein.load("support.rein", clock=clock)
    with guard.run(id="blue", user="u1", seed=1) as run:
        asked = run.decide(model="large", input_tokens=1000, max_tokens=500)
        clock.advance(1_500_000_000)
        run.settle(asked, Usage("exact", 900, 100))
        run.decide(tool="refund", args={"order_id": "secret-77", "amount": 5000})
        searched = run.decide(tool="search_kb", args={"query": "A1"})
        run.fail(searched, Failure("timeout", UNKNOWN), "tool `search_kb`")
        clock.advance(3_000_000_000)
        searched = run.decide(tool="search_kb", args={"query": "A1"}, call=searched.call)
        run.settle(searched)
        run.decide(model="large", input_tokens=1000, max_tokens=500)
        run.decide(tool="refund", args={"order_id": "secret-77", "amount": 25000})
    with guard.run(id="green", seed=1) as run:
        for _ in range(3):
            run.decide(tool="search_kb", args={"query": "A1"})
    guard.log.close()
    return folder / DEFAULT_LOG


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("blue.1", "explain_allow_model"),
        ("blue.2", "explain_deny"),
        ("blue.4", "explain_retry"),
        ("blue.7", "explain_escalate"),
        ("last", "explain_stop"),
    ],
)
def test_every_outcome_is_explained(command, snapshot, id, name):
    printed = command("explain", id)
    assert (printed.exit_code, printed.stderr) == (0, "")
    snapshot(name, printed.stdout)


def test_no_argument_of_a_call_is_in_the_log(log):
    assert "secret-77" not in log.read_text()


@pytest.mark.usefixtures("log")
def test_an_unambiguous_beginning_is_enough(command):
    assert command("explain", "green.3").stdout == command("explain", "last").stdout
    printed = command("explain", "gr")
    assert (printed.exit_code, printed.stdout) == (2, "")
    assert "`gr` begins 3 decisions; give more of the id: green.1, green.2, green.3" in printed.stderr
    printed = command("explain", "red")
    assert printed.exit_code == 2
    assert "no decision in the log begins with `red`" in printed.stderr


def test_a_whole_id_is_not_the_beginning_of_another(command, log):
    lines = log.read_text().splitlines()
    first = next(json.loads(line) for line in lines if '"id":"blue.1"' in line)
    log.write_text("\n".join([*lines, json.dumps({**first, "id": "blue.11"})]))
    assert command("explain", "blue.1").stdout.startswith("decision blue.1,")


def test_a_torn_last_line_is_passed_over(command, log):
    whole = command("explain", "last").stdout
    with log.open("a") as file:
        file.write('{"kind":"decision","id":"gr')
    assert command("explain", "last").stdout == whole


def test_another_log(command, log, folder):
    log.rename(folder / "other.jsonl")
    printed = command("explain", "last")
    assert printed.exit_code == 2
    assert "there is no decision log" in printed.stderr
    assert command("explain", "last", "--log", "other.jsonl").exit_code == 0


def test_an_empty_log(command, folder):
    (folder / "empty.jsonl").touch()
    printed = command("explain", "last", "--log", "empty.jsonl")
    assert printed.exit_code == 2
    assert "the log holds no decision" in printed.stderr


def test_the_models_that_were_passed_over_are_named_with_every_reason(command, folder):
    (folder / "passed.rein").write_text("""
language 1
policy "passed"
model "far" is "x/far" { place cloud window 9 tokens output 5 tokens price free }
model "at home" is "x/home" { place edge window 1k tokens output 100 tokens price free }
require "stays" place edge
route "both" { fallback "far" -> "at home" }
""")
    guard = checkrein.load("passed.rein", clock=checkrein.VirtualClock(wall=1_750_000_000_000_000_000))
    with guard.run(id="red", seed=1) as run:
        run.decide(model="far", input_tokens=9)
        run.decide(model="at home", input_tokens=9)
    guard.log.close()
    passed = (
        "models passed over\n"
        "  `far`  require `stays`\n"
        "  `far`  the input and its least output exceed its window\n"
    )
    assert passed in command("explain", "red.1").stdout
    assert "passed over" not in command("explain", "red.2").stdout


def test_what_rules_are_found_by(command, snapshot):
    printed = command("explain", "--index", "indexed.rein")
    assert (printed.exit_code, printed.stderr) == (0, "")
    snapshot("explain_index", printed.stdout)


def test_what_rules_are_found_by_for_machines(command):
    rules = json.loads(command("explain", "--index", "indexed.rein", "--format", "json").stdout)["rules"]
    by = {row["rule"]: row["by"] for row in rules}
    assert by["either"] == [['`call.args.vendor` "z"', '`customer.region` "zz"']]
    assert by["always"] == []


@pytest.mark.parametrize("words", [(), ("last", "--index", "indexed.rein")])
def test_either_a_decision_or_a_policy(command, words):
    printed = command("explain", *words)
    assert printed.exit_code == 2
    assert "name a decision's id, or a policy with --index" in printed.stderr
