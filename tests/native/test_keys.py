"""Facts are found by their names, whichever objects the names are."""

from __future__ import annotations

import enum
import random

import pytest

from checkrein import _core
from checkrein.errors import UnknownFact
from checkrein.language import compile_source

MANY = 60
NAMES = [f"fact.number_{number}" for number in range(MANY)]
POLICY = "\n".join([
    'language 1 policy "p" loop off tool "t" { args { "n" count } }',
    *(f"fact {name} count" for name in NAMES),
    *(f'rule "r{n}" on tool "t" when {name} == {n} then deny because "No."' for n, name in enumerate(NAMES)),
])  # fmt: skip
PROGRAM = _core.Program.load(compile_source(POLICY, "p.rein"))


class Name(enum.StrEnum):
    """A text that is not exactly a `str`, and prints itself as its value."""

    FIRST = NAMES[0]


class Odd(str):
    """A text that equals another one, and prints itself otherwise."""

    def __str__(self):
        return "odd"


def denied(facts):
    """The rules that the facts of a call bring to a denial."""
    run = _core.Run(PROGRAM, seed=0, now=0)
    decision = run.tool_call(0, 0, None, "t", {"n": 1}, facts)
    return {name for _, name, _, is_undecided in decision.votes if not is_undecided}


def fresh(name):
    """The same text as another object, which nobody else has."""
    return "".join(list(name))


def test_facts_are_found_by_keys_that_were_never_seen():
    draw = random.Random(7)
    for _ in range(200):  # more keys than the table has places: they come, and their addresses come again
        some = draw.sample(range(MANY), draw.randrange(MANY))
        assert denied({fresh(NAMES[number]): number for number in some}) == {f"r{n}" for n in some}


def test_facts_are_found_by_the_same_keys_again():
    for number, name in enumerate(NAMES * 2):
        assert denied({name: number % MANY}) == {f"r{number % MANY}"}
    assert denied(dict.fromkeys(NAMES, -1)) == set()


@pytest.mark.parametrize("key", [Name.FIRST, Odd(NAMES[0])])
def test_a_key_of_a_class_of_its_own_is_what_it_equals(key):
    assert denied({key: 0, NAMES[1]: 1, "step.kind": "x"}) == {"r0", "r1"}


@pytest.mark.parametrize("key", ["fact.number_x", Odd("fact.number_x"), 7])
def test_an_unknown_key_is_named_also_between_known_ones(key):
    facts = {NAMES[0]: 0, key: 0, NAMES[1]: 1}
    for _ in range(2):
        with pytest.raises(UnknownFact, match=f"fact `{key}` is not declared"):
            denied(facts)


def test_what_only_a_result_has_is_unknown_with_a_call():
    with pytest.raises(UnknownFact, match=r"`result\.confidence` is not declared"):
        denied({"result.confidence": 0.5})
