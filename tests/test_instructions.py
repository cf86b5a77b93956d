"""The gate on the engine's instructions: what it lets pass, and what it says of the rest."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "instructions.py"


def script():
    spec = importlib.util.spec_from_file_location("scripts_instructions", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_five_percent_more_or_less_is_said():
    judge = script().judge
    figures = {"model": 1_000, "tool": 2_000}
    assert judge(figures, {"model": 1_040, "tool": 1_920}) == []
    assert judge(figures, {"model": 1_060, "tool": 1_880}) == [
        "model: 1,060 instructions, +6.0% on 1,000; make it leaner",
        "tool: 1,880 instructions, -6.0% on 2,000; lower the figure",
    ]


def test_a_chain_that_takes_more_with_each_run_above_is_said():
    too_large = script().too_large
    assert too_large({"100": 1_324_388, "400": 18_738_992}) == []
    assert too_large({"100": 1_324_388, "400": 93_000_000}) == [
        "a chain of 400 runs: 93,000,000 bytes; no more than 24,000,000 are allowed"
    ]


def test_every_kind_of_call_has_a_figure():
    module = script()
    parts = [f"{kind} {part}" for kind in module.KINDS for part in module.PARTS]
    expected = [*parts, *(f"{part}, logged" for part in parts)]
    assert sorted(json.loads(module.FIGURES.read_text())) == sorted(expected)
