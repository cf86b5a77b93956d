"""The benchmark itself: a wrong answer is never timed, and all that runs here agrees with the oracle."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

import checkrein
from tests.bench import page
from tests.bench.bench_decide import HERE, PARTS, same_answers
from tests.bench.by_hand import by_json, by_pairs
from tests.bench.field.rules import ALLOW, calls, fired, oracle
from tests.bench.field.worker import Subject, Wrong, carried_out
from tests.bench.profile import DECISION, OTHERS, ROOT, SETTLEMENT, by_file, by_function

MANY = 20
OURS = ("checkrein", "engine", "hand", "bare")


def peer_of(name: str) -> Any:
    return importlib.import_module(f"tests.bench.field.peers.{name}").Peer()


@pytest.mark.parametrize("name", OURS)
def test_a_peer_answers_as_the_oracle_and_is_timed(name: str) -> None:
    subject = Subject(peer_of(name))
    for many in (0, MANY):
        row = carried_out(subject, {"do": "build", "many": many})
        assert "wrong" not in row, row
        assert row["compared"] == len(calls(many))
        assert len(carried_out(subject, {"do": "round"})["took"]) == row["each_round"]
    subject.close()


def test_a_wrong_answer_is_told_and_not_timed() -> None:
    peer = peer_of("bare")
    right = peer.ask
    peer.ask = lambda call: ALLOW if call["risk"] >= 90 else right(call)
    subject = Subject(peer)
    row = carried_out(subject, {"do": "build", "many": MANY})
    assert "('deny', 'risky')" in row["wrong"]
    with pytest.raises(Wrong, match="nothing was built"):
        carried_out(subject, {"do": "round"})


def test_the_calls_meet_every_rule_and_none_that_two_deny() -> None:
    asked = calls(MANY)
    met = {by for call in asked for _outcome, by in fired(call, MANY)}
    assert {"flagged", "risky", "old", "big"} < met
    assert sum(str(by).startswith("r") and str(by)[1:].isdigit() for by in met) > MANY / 2
    assert all(sum(outcome == "deny" for outcome, _ in fired(call, MANY)) <= 1 for call in asked)
    assert any(oracle(call, MANY) == ALLOW for call in asked)


@pytest.mark.parametrize("fingerprint", [by_json, by_pairs])
def test_the_chain_by_hand_decides_and_spends_as_the_engine(fingerprint: Any) -> None:
    program = checkrein.load(HERE / "policy.rein", log=None, store="memory:").program
    assert same_answers(program, fingerprint) == 300


def test_the_page_is_made_of_what_was_measured_and_of_nothing_else(tmp_path: Path) -> None:
    parts = dict.fromkeys(PARTS, (0.5, 1.25))
    rows: list[dict[str, Any]] = [
        {"decide": name, **parts} for name in ("engine", "guard", "logged", "flat", "read", "hash", "timer")
    ]
    rows[2] |= {PARTS[0]: (7.25, 9.5)}
    rows += [
        {"field": "cel", "many": 0, "version": "9.9", "wrong": "a is b"},
        {"field": "zen", "many": 0, "version": "2", "p50": 123.45, "p99": 234.5},
        {"takes": "load and verify 1,000 rules", "ms": 0.75},
        {"load": 4.0, "cores": 2}, {"pace": 9.04}, {"pace": 14.66},
        {"speed": True, "timer": {"p50": 20, "p99": 31}},
        *({"speed": True, "times": "Tool", "log": log, "decision": {"p50": p50, "p99": 2_345},
           "settlement": {"p50": 130, "p99": 290}, "pair": {"p50": 1_805, "p99": 3_000}}
          for log, p50 in ((False, 220), (True, 1_232))),
        {"speed": True, "allocations": "Tool", "log": True, "calls": 900, "asked": 0},
        {"door": "a token counted", "ns": 9.04}, {"door": "memory of the process", "mb": 3.04},
        {"starts": "import checkrein", "ms": 16.1, "over": 8.2, "cpu_over": 7.3, "mb": 10.72},
        *({"speed": True, "threads": name, "one": 2e6, "two": 2e6 * ratio, "ratio": ratio}
          for name, ratio in (("nothing in common", 1.74), ("one number in common", 1.22),
                              ("one organisation", 0.82))),
        {"bytes": {"own": 1_000, "begun": 1_500, "grown": 9_000}},
        *({"rust": "cel", "many": many, "version": "0.15", "ns": ns}
          for many, ns in ((0, 1_910), (1_000, 124_070))),
        *({"batch": name, "ours": True, "texts": name == "of texts", "millions": millions}
          for name, millions in (("of int64", 68.2), ("of float64", 58.1), ("of texts", 31.4))),
        *({"profile": name, "instructions": 1_000, "files": [("a.rs", 300, "What a is"), ("b.rs", 200, ""),
           (OTHERS, 500, "")]} for name in (DECISION, SETTLEMENT)),
    ]  # fmt: skip
    where = tmp_path / "benchmarks.md"
    page.write(where, rows, commit="abc1234", date="2026-01-02", loads=[1, 2])
    text = " ".join(where.read_text(encoding="utf-8").split("\n"))
    for said in (
        "7.25 (9.5)", "123.45", "answers wrongly: a is b", "| 1 ms | 0.75 ms | met |", "abc1234",
        "7.25 us; its engine alone 0.50 us | **missed** |", "**From Python**: of the 7.25 us",
        "The machine was busy", "took 9.0 to 14.7 ms, in 2 looks",
        "| 200 ns | 1,212 ns, 1,805 with its settlement; without the log 200 |",
        "of the 2,000 instructions of a decision and its settlement, 30% are of `a.rs` and 20% are of `b.rs`",
        "| a token through the door for C | 10 ns | 9.0 ns | met |", "| a token counted | 9.0 ns |",
        "| memory of the process | 3.0 MB |", "| import checkrein | 16 ms | 8 ms (7 of a core) | 10.7 MB |",
        "**Two threads** of one organisation reach 0.82x", "each settlement adds, reach 1.22x here:",
        "With nothing in common at all, 1.74x are what the machine gave them",
        "two threads had no two cores to themselves",
        "| many calls at once, columns of numbers | 50 M/s | 58 M/s | met |",
        "columns of texts and numbers | 50 M/s | 31 M/s | **missed** |", "| of float64 | 58 |",
        "| p50 us with 4 rules | p50 us with 1,004 rules |", "| cel 0.15 | 1.91 | 124.07 | no limits",
        "| 1,024 bytes | 1,500 bytes | **missed** |", "1,000 of its 1,500 bytes are the run itself",
        "| a.rs | What a is | 300 | 30.0% |",
        "| tool calls, with the log | 1,232 (2,345) | 130 (290) | 1,805 | 0 in 900 calls |",
    ):  # fmt: skip
        assert said in text, said
    assert "| two threads to one in Rust, one number" not in text  # nobody asks for that
    assert "Around a call" not in text  # nothing of it was measured
    drawn = page.drawn(rows)
    assert [point["us"] for point in drawn["field.svg"][2]] == [123.45]  # what errs is not drawn
    assert "growth.svg" not in drawn


def test_instructions_are_of_the_files_whose_lines_they_are() -> None:
    ours = ("ob=(1) target/lines/checkrein-speed", "fl=(1) run.rs", "fn=(1) decide")
    text = (
        *ours, "1 10", "fi=(2) /rustc/1/slice.rs", "+1 5", "fe=(1)", "* 1",
        "cfn=(2) other", "calls=1 7", "+3 900",  # counted where it is
        "cob=(2) libc.so", "cfi=(3) memcpy.S", "cfn=(3) memcpy", "calls=1 9", "* 40",  # done for this file
        "fl=(4) vm.rs", "fn=(2)", "7 200",
        "ob=(2)", "fl=(3)", "fn=(3)", "9 40",
    )  # fmt: skip
    lines = [line.replace("target/", f"{ROOT}/target/").replace(") run", f") {ROOT}/run") for line in text]
    lines = [line.replace(") vm", f") {ROOT}/vm") for line in lines]
    assert by_file(lines) == {"run.rs": 56, "vm.rs": 200}


def test_instructions_from_python_are_of_functions_and_of_libraries() -> None:
    lines = [
        "ob=(1) /x/_core.abi3.so", "fn=(1) decide", "1 10", "cob=(2) /x/libc.so.6", "cfn=(2) memcpy",
        "calls=1 9", "* 40", "+1 5", "fn=(3) settle", "7 200", "ob=(2)", "fn=(2)", "9 40",
    ]  # fmt: skip
    assert by_function(lines) == {"`decide`": 15, "`settle`": 200, "all of libc.so.6": 40}
