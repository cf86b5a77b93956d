"""What llguidance lets a model write by the grammar, the parser reads; a small run of `tests.decoder.run`."""

from random import Random

import pytest

from tests.decoder.run import Judge, reads, run, set_apart
from tests.decoder.strings import Grammar

HEADER = 'language 1 policy "p" '


def test_the_parser_reads_all_that_a_decoder_can_write():
    seen, wrong = run(1_500, 1)
    assert wrong == []
    assert seen["grown, accepted by llguidance"] > 0.8 * seen["grown"]
    assert 0.02 < seen["changed, accepted by llguidance"] / seen["changed"] < 0.5
    assert seen["with a word that runs into a fact"] < 0.01 * seen["grown"]


@pytest.mark.parametrize(
    ("body", "accepted"),
    [
        ('tool "a" { class act }', True),
        ('rule "r" on tool any thendeny because"x"', True),
        ('tool "a" { class write }', False),
        ('rule "r" on tool any then deny', False),
        ('limit "l" on run { steps <= 5 } else', False),
        ("# only a comment", True),
    ],
)
def test_both_judge_alike(body, accepted):
    assert Judge().accepts(HEADER + body) == accepted
    assert (reads(HEADER + body) is None) == accepted


def test_only_a_word_before_a_fact_is_set_apart():
    glued = HEADER + 'route "r"{to"a"canary 5%byuser.id to"b"}'
    assert set_apart(glued) == glued.replace("byuser", "by user")
    broken = HEADER + "define a.b = c.d ur e.f"
    assert set_apart(broken) == broken


def test_every_terminal_and_rule_is_grown():
    grammar, chance = Grammar(), Random(1)
    grown = " ".join(grammar.grown(chance) for _ in range(1_500))
    missing = [word for words in grammar.words.values() for word in words if word.strip() not in grown]
    assert missing == []
