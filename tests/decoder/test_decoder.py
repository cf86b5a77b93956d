"""What llguidance lets a model write by the grammar, the parser reads; a small run of `tests.decoder.run`."""

from random import Random

import pytest

from tests.decoder.run import Judge, reads, run, set_apart
from tests.decoder.strings import Grammar
from tests.seed import SEED

HEADER = 'language 1 policy "p" '


def test_the_parser_reads_all_that_a_decoder_can_write():
    _, wrong = run(1_500, SEED)
    assert wrong == []


def test_most_of_what_is_grown_is_what_a_decoder_can_write():
    seen, _ = run(1_500, 1)  # always the same: the last share is one of few
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
        ('limit "l" on run { tokens <= 200k tokens cost <= $1 } else deny', True),
        ('limit "l" on run { steps <= 25 tokens <= 200k tokens at 80% warn "a" } else deny', True),
        ('limit "l" on run { tokens <= 5 tokens <= 6 tokens <= 7 steps <= 8 } else deny', True),
        ('limit "l" on run { cost <= $1 <= $2 } else deny', False),
        ('limit "l" on run { cost <= $1 wrap up 1 call 9 tokens tokens <= 9k tokens } else deny', True),
        ('limit "l" on run { cost <= $1 wrap up 1 call 9 tokens <= 9k tokens } else deny', False),
        ('retry "r" on tool any { within 5 tokens <= 9 } else fail "s"', False),
        ('test "t" { expect allow at call 2 at time "a" expect deny at time "b" }', True),
        ('test "t" { repeat 2 { model { } expect allow at call 2 } expect deny at call 1 }', True),
        ('test "t" { model { } at call 2 }', False),
        ('test "t" { expect deny at call 2 at call 3 }', False),
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
    grown = " ".join(grammar.grown(chance) for _ in range(10_000))
    missing = [word for words in grammar.words.values() for word in words if word.strip() not in grown]
    assert missing == []
