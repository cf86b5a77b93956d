"""How often an observed statement would have decided, counted over recorded runs."""

import json

from checkrein import _core
from checkrein.cli.replay_report import as_json, as_text
from checkrein.language import compile_source
from checkrein.replay import replay

POLICY = """
language 1
policy "p"
model "m" is "x/m" { place edge window 32k tokens output 2k tokens price free }
tool "act" { class act }
observe until 2026-12-31 limit "calls" on run { tool_calls <= 1 } else deny
observe until 2026-12-31 rule "r" on tool "act" then deny because "No."
"""


def call(id):
    asked = {"id": id, "type": "function", "function": {"name": "act", "arguments": "{}"}}
    said = {"role": "assistant", "content": None, "tool_calls": [asked]}
    return [said, {"role": "tool", "tool_call_id": id, "content": "ok"}]


def test_runs_and_calls_are_counted_and_nothing_is_refused():
    program = _core.Program.load(compile_source(POLICY, "p.rein"))
    lines = [
        json.dumps({"messages": [each for id in ids for each in call(id)]}).encode() for ids in ("a", "ab")
    ]
    runs = list(replay(lines, program))
    assert [run.verdicts for run in runs] == [[], []]
    assert as_json(program, runs, [])["observed"] == [
        {"kind": "limit", "name": "calls", "would": {"deny": {"runs": 1, "calls": 1}}},
        {"kind": "rule", "name": "r", "would": {"deny": {"runs": 2, "calls": 3}}},
    ]
    table = [line.split() for line in as_text(program, runs, [])]
    assert ["rule", "`r`", "would", "deny", "2", "3"] in table
