"""The whole demo, offline, in an empty directory: its table says what really went over the wire."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from checkrein import demo as package
from checkrein.amounts import money
from checkrein.testing import run_file

COUNTED = Path(__file__).with_name("counted_demo.py")
POLICIES = [Path(package.__file__).with_name(name) for name in ("support.rein", "routes.rein")]

# Nano-dollars for a million tokens in and out, as the policies say.
PRICES = {"large": (2_000_000_000, 10_000_000_000), "small": (200_000_000, 1_000_000_000)}
# Scenes in which no server answers.
UNSERVED = "a cloud that is away", "a generation that never ends"

# Scene: what happens without the guard, what with it, and what saw to that.
EXPECTED = {
    "a runaway loop": ("cut off at turn 12", "stopped: too_long", "limit `length`"),
    "repeated tool calls": ("cut off at turn 12", "stopped: stuck", "loop `stuck`"),
    "overspending": ("cut off at turn 12", "stopped: over_budget", "limit `budget`"),
    "a tool that keeps failing": (
        "cut off at turn 12",
        "stopped: stuck",
        "retry `flaky tools` loop `stuck`",
    ),
    "acting before retrieving": (
        "answered, $80.00 refunded",
        "answered, $19.00 refunded",
        "order `look before you leap`",
    ),
    "a trivial step on a large model": ("6 answers", "6 answers", "route `tiering`"),
    "a refund that needs a person": (
        "answered, $1,190.00 refunded",
        "answered, $240.00 refunded",
        "rule `big refunds`",
    ),
    "an approval that survives a restart": (
        "2 answers, $720.00 refunded",
        "answered, $240.00 refunded",
        "rule `big refunds`",
    ),
    "an easy question on a large model": ("2 answers", "2 answers", "route `small first`"),
    "a cloud that is away": ("no answer", "3 answers", "route `small first`"),
    "a generation that never ends": ("2012 tokens: context full", "48 tokens", "output of `edge`"),
}


def run(folder, *command):
    """The finished process, run without a key, and with proxies that nobody listens on."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "PYTHONPATH") if name in os.environ}
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=folder,
        env={**kept, **proxies, "HOME": str(folder), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


class Demo:
    """One run of the demo, and what the witnesses saw."""

    def __init__(self, folder):
        self.folder = folder / "empty"
        self.folder.mkdir()
        witness = folder / "seen.json"
        self.done = run(self.folder, COUNTED, witness)
        assert witness.exists(), self.done.stderr
        seen = json.loads(witness.read_text())
        self.strangers = seen["strangers"]
        self.halves = seen["halves"]
        self.rows = table(self.done.stdout)
        self.log = self.folder / ".checkrein" / "decisions.jsonl"

    def records(self, *kinds):
        return [r for r in map(json.loads, self.log.read_text().splitlines()) if r["kind"] in kinds]


def table(printed):
    """The final table by scene: {"without" or "with": (calls, spent), ...}, wrapped cells joined."""
    lines = printed.splitlines()
    head = next(n for n, line in enumerate(lines) if "what happened" in line)
    starts = [lines[head].index(name) for name in ("scene", "what happened", "outcome", "by")]
    rows = []
    for line in lines[head + 2 :]:
        if not line.strip():
            break
        cells = [line[start : start + 20].strip() for start in starts[:3]] + [line[starts[3] :].strip()]
        figures = re.findall(r"(\d+) +\$(\d+\.\d+)", line)
        if figures:
            without, guarded = [(int(calls), spent) for calls, spent in figures]
            rows.append({"cells": cells, "without": without, "with": guarded})
        else:
            joined = zip(rows[-1]["cells"], cells, strict=True)
            rows[-1]["cells"] = [f"{first} {more}".strip() for first, more in joined]
    return {row["cells"][0]: row for row in rows}


def bill(sent):
    """The requests and the money, in nano-dollars, of the usage that one server sent."""
    assert all(status == 200 for status, _model, _input, _output in sent)
    costs = (input * PRICES[model][0] + output * PRICES[model][1] for _status, model, input, output in sent)
    return len(sent), sum(-(-cost // 1_000_000) for cost in costs)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo is run once; every test looks at it."""
    return Demo(tmp_path_factory.mktemp("demo"))


def test_it_ends_well_and_complains_of_nothing(demo):
    assert (demo.done.returncode, demo.done.stderr) == (0, "")


def test_it_talks_to_this_machine_only(demo):
    assert demo.strangers == []


def test_every_failure_comes_out_as_told(demo):
    assert {scene: tuple(row["cells"][1:]) for scene, row in demo.rows.items()} == EXPECTED


def test_the_table_says_what_went_over_the_wire(demo):
    # A server for each half of a scene with a paid model, in order.
    servers = iter(demo.halves)
    for scene, row in demo.rows.items():
        for half in ("without", "with"):
            sent = [] if scene in UNSERVED else next(servers)
            calls, cost = bill(sent)
            assert row[half] == (calls, f"{cost / 1e9:.4f}"), (scene, half)
    assert next(servers, None) is None


def test_the_sums_are_those_of_the_wire(demo):
    sums = next(line for line in demo.done.stdout.splitlines() if line.startswith(" all scenes"))
    for (calls, spent), halves in zip(
        re.findall(r"(\d+) +\$(\d+\.\d+)", sums), (demo.halves[::2], demo.halves[1::2]), strict=True
    ):
        bills = [bill(sent) for sent in halves]
        assert int(calls) == sum(calls for calls, _cost in bills)
        assert spent == f"{sum(cost for _calls, cost in bills) / 1e9:.4f}"


def test_the_guards_books_are_the_servers_bill(demo):
    booked = sum(record["settled"]["cost"] for record in demo.records("settlement"))
    assert booked == sum(bill(sent)[1] for sent in demo.halves[1::2])
    assert "equal to the nano-dollar" in demo.done.stdout


def test_no_run_passes_its_limits(demo):
    stands = [r["limits_after"] for kind in ("decision", "settlement") for r in demo.records(kind)]
    assert stands
    assert not [stand for stand in stands for bound, spent, held in stand.values() if spent + held > bound]


def test_an_approval_survives_a_restart(demo):
    scene = " ".join(
        demo.done.stdout.split("an approval that survives a restart\n")[1].split("\n\n")[0].split()
    )
    without, _, guarded = scene.partition(" with ")
    assert without.count("refund ran 1x") == 3
    told = [
        r"process 1: find_order ran 1x; the refund needs a person; .* the process ends",
        r"\$ checkrein approvals list: (restart-\w+/1) leads approval tool `refund` \d+ s left",
        r"\$ checkrein approvals approve \1: approve by lead at ",
        r"process 2: refund ran 1x; answers",
        r"process 3: refused: run `restart-\w+` .* has ended",
    ]
    assert re.search(".*".join(told), guarded), guarded
    # Each process logged what it did, and the refund was let through once, by the second.
    run = re.search(r"restart-\w+", guarded)[0]
    about = [r for r in demo.records("decision") if r["run"] == run and r["subject"] == "tool `refund`"]
    assert [r["outcome"] for r in about] == ["escalate", "allow"]
    moves = [r["kind"] for r in demo.records("suspension", "resumption") if r["run"] == run]
    assert moves == ["suspension", "resumption"]


def told(demo, scene):
    """What was printed of a scene without the guard and with it, its lines joined."""
    printed = " ".join(demo.done.stdout.split(f"{scene}\n")[1].split("\n\n")[0].split())
    without, _, guarded = printed.partition(" with ")
    return without, guarded


def test_an_unsure_answer_is_paid_twice_and_a_sure_one_once(demo):
    without, guarded = told(demo, "an easy question on a large model")
    assert "`small`" not in without
    # No cent is said that the wire does not: the second server of the scene has both models' usage.
    first, second, third = (bill([answer])[1] for answer in demo.halves[-1])
    assert [answer[1] for answer in demo.halves[-1]] == ["small", "small", "large"]
    easy, hard = re.search(r"open\? (.*?): From 9 .* a year\? (.*?): No, used", guarded).groups()
    assert easy == f"`small` {money(first)}"
    assert hard == f"`small` {money(second)} + `large` {money(third)} = {money(second + third)}"
    about = [r for r in demo.records("decision") if r["run"].startswith("cascade-")]
    assert [(r["event"], r["outcome"]) for r in about] == [
        ("model call", "allow"),
        ("model result", "allow"),
        ("model call", "allow"),
        ("model result", "wait"),
        ("model call", "allow"),
        ("model result", "allow"),
    ]


def test_a_cloud_that_is_away_is_answered_for_at_the_edge(demo):
    without, guarded = told(demo, "a cloud that is away")
    assert "3 requests refused, " in without
    assert "Connection error" in without
    assert "edge ran 3x" in guarded
    # Both models of the cloud are tried, and neither for the next question: the run stays at the edge.
    assert re.findall(r"(\d+) requests refused, answered", guarded) == ["2", "0", "0"]


def test_the_explained_decision_is_in_the_log(demo):
    asked = re.search(r"^\$ checkrein explain (\S+)$", demo.done.stdout, re.M)[1]
    again = run(demo.folder, "-c", "from checkrein.cli.main import main; main()", "explain", asked)
    assert again.returncode == 0, again.stderr
    shown = [line.strip() for line in demo.done.stdout.partition(asked)[2].splitlines() if line.strip()]
    assert shown == [line.strip() for line in again.stdout.splitlines() if line.strip()]
    assert "call.args.amount  $240.00" in again.stdout


def test_it_leaves_nothing_but_its_log(demo):
    # The folder is its home as well: what a library that reports usage keeps would be found here.
    left = [path.relative_to(demo.folder).as_posix() for path in demo.folder.rglob("*") if path.is_file()]
    assert left == [".checkrein/decisions.jsonl"]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_the_policy_passes_its_own_tests(policy):
    results = run_file(policy)
    assert results
    assert [str(result) for result in results if not result.passed] == []


def test_importing_it_loads_no_framework(tmp_path):
    code = "import sys, checkrein.demo; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = set(run(tmp_path, "-c", code).stdout.split())
    assert "checkrein" in loaded
    assert not loaded & {"langchain", "langchain_core", "openai", "onnxruntime_genai", "rich", "lark"}
