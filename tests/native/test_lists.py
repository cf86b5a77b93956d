"""What counts as a list when a host sends it, and what its elements are."""

from __future__ import annotations

from collections import UserList, deque
from typing import NamedTuple

import numpy
import pytest

from checkrein import _core
from checkrein.language import compile_source

POLICY = """language 1 policy "p" loop off
tool "t" { args { "n" list of count at most 3 } }
fact x.n list of count at most 3
rule "args" on tool "t" when any of call.args.n == 7 then deny because "A seven."
rule "fact" on tool "t" when any of x.n == 7 then deny because "A seven."
"""
PROGRAM = _core.Program.load(compile_source(POLICY, "p.rein"))


class Pair(NamedTuple):
    """A tuple with names."""

    one: int
    two: int


class Numbers(list):
    """A list of a host's own."""


def as_fact(value: object) -> str:
    """What the engine read of a fact."""
    run = _core.Run(PROGRAM, seed=0, now=0)
    decision = run.tool_call(now=0, wall=0, call=None, tool="t", args={"n": []}, facts={"x.n": value})
    return dict(decision.values)["x.n"]


def as_argument(value: object) -> str:
    """What it read of an argument."""
    run = _core.Run(PROGRAM, seed=0, now=0)
    decision = run.tool_call(now=0, wall=0, call=None, tool="t", args={"n": value}, facts={"x.n": []})
    return dict(decision.values)["call.args.n"]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ([7], "[7]"),
        ((7, 1), "[7, 1]"),
        (Pair(7, 8), "[7, 8]"),
        (Numbers([7.0]), "[7]"),
        ([None, 7], "[ill-typed, 7]"),
        ([True, "7", 7], "[ill-typed, ill-typed, 7]"),
        ([numpy.float64(7)], "[7]"),
        ([[7]], "[ill-typed]"),
        ([1, 2, 3, 7], "ill-typed"),
        ([7] * 100_000, "ill-typed"),
        (7, "ill-typed"),
        ("777", "ill-typed"),
        (b"777", "ill-typed"),
        ({7}, "ill-typed"),
        (frozenset({7}), "ill-typed"),
        ({7: 7}, "ill-typed"),
        (range(7, 8), "ill-typed"),
        (deque([7]), "ill-typed"),
        (UserList([7]), "ill-typed"),
        (numpy.array([7]), "ill-typed"),
        (object(), "ill-typed"),
        (None, "missing"),
    ],
)
def test_a_list_is_a_list_or_a_tuple(value: object, read: str) -> None:
    assert as_fact(value) == as_argument(value) == read


def test_a_generator_is_not_run() -> None:
    def numbers():
        raise AssertionError("nobody asks it")
        yield 7

    assert as_fact(numbers()) == as_argument(numbers()) == "ill-typed"


def test_a_list_that_holds_itself_ends() -> None:
    value: list = []
    value.append(value)
    assert as_fact(value) == "[ill-typed]"


def test_what_a_program_says_of_its_lists() -> None:
    assert [(fact["name"], fact["dimension"], fact["most"]) for fact in PROGRAM.facts] == [
        ("call.args.n", "count", 3),
        ("x.n", "count", 3),
    ]
