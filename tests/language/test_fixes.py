"""`--fix`: what can mean one thing only is put right, and nothing else is touched."""

import re
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkrein.language import check, parse
from checkrein.language.fixes import fixed
from tests.differential.generate import Maker
from tests.language.texts import LEXEME, placeless

REJECTS = sorted((Path(__file__).resolve().parents[2] / "grammar" / "rejects").glob("*.rein"))
HEADER = 'language 1\npolicy "p"\n'
NOWHERE = 'tool "s" { class retrieve } state "x" tell user "X." queue "q" { expires 1 h default stop "x" }\n'


def after_fixes(text):
    return fixed(text, "p.rein", lambda _finding: True)


def findings(text):
    policy, found = parse(text, "p.rein")
    return found + (check(policy) if policy is not None else [])


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("tool 't' { }", 'tool "t" { }'),
        ("tool “t” { }", 'tool "t" { }'),
        ("tool t { }", 'tool "t" { }'),
        ('Tool "t" { Class act }', 'tool "t" { class act }'),
        ('tool "t" { class "act" }', 'tool "t" { class act }'),
        ('tool "t" { timeout 30 seconds }', 'tool "t" { timeout 30 s }'),
        ('tool "t" { timeout 5 Min }', 'tool "t" { timeout 5 min }'),
        ('tool "t" { timeout 1 h 30 min }', 'tool "t" { timeout 90 min }'),
        ('tool "t" { timeout 1.5 h 30 min }', 'tool "t" { timeout 120 min }'),
        ('tool "t" { timeout 0.25 s 1 ms }', 'tool "t" { timeout 251 ms }'),
        ('tool "t" { class act, once; }', 'tool "t" { class act once }'),
        ('tool "t" { args { "a" string "b" int } }', 'tool "t" { args { "a" text "b" count } }'),
        ('tool "t" { }  // no class', 'tool "t" { }  # no class'),
        ('-- a tool\ntool "t" { }', '# a tool\ntool "t" { }'),
        ("limit l on run { cost <= 5$ } else deny", 'limit "l" on run { cost <= $5 } else deny'),
        ('limit "l" on run { cost <= 5 dollars } else deny', 'limit "l" on run { cost <= $5 } else deny'),
        ('limit "l" on run { cost <= €5 } else deny', 'limit "l" on run { cost <= EUR 5 } else deny'),
        ('limit "l" on run { cost <= EUR5 } else deny', 'limit "l" on run { cost <= EUR 5 } else deny'),
        (
            'limit "l" on run { tokens <= 5K tokens } else deny',
            'limit "l" on run { tokens <= 5k tokens } else deny',
        ),
        (
            'limit "l" on run { steps: 5 && cost = $1 and tokens <= 9 tool_calls: 7 } else deny',
            'limit "l" on run { steps <= 5 cost <= $1 tokens <= 9 tool_calls <= 7 } else deny',
        ),
        ('limit "l" on run { steps <= 5 steps } otherwise deny', 'limit "l" on run { steps <= 5 } else deny'),
        (
            'limit "l" on user each day in Europe/Rome { steps <= 5 } else deny',
            'limit "l" on user each day in "Europe/Rome" { steps <= 5 } else deny',
        ),
        (
            'limit "l" on user { steps <= 5 on_failure deny } else deny',
            'limit "l" on user { steps <= 5 on failure deny } else deny',
        ),
        (
            'limit "l" on run { steps <= 5 at %80 warn "X" } else deny',
            'limit "l" on run { steps <= 5 at 80% warn "X" } else deny',
        ),
        (
            'rule "r" on tool "s" if step.kind="a"&& !has step.confidence deny because "X"',
            'rule "r" on tool "s" when step.kind=="a" and not has step.confidence then deny because "X"',
        ),
        (
            'rule "r" on tool "s" where step.kind === "a" || step.kind <> "b" then deny because "X"',
            'rule "r" on tool "s" when step.kind == "a" or step.kind != "b" then deny because "X"',
        ),
        (
            'rule "r" on tool "s" when step.kind startsWith "a" then deny because "X"',
            'rule "r" on tool "s" when step.kind starts with "a" then deny because "X"',
        ),
        ("loop off # checkrein: allow R0108 because it was", "loop off"),
        ('tool "t" { class: act }', 'tool "t" { class act }'),
        ("fact a.b flag = true", "fact a.b flag default true"),
        ("fact a.b flag=true", "fact a.b flag default true"),
        ('define a.b = step.kind in ["a", "b",]', 'define a.b = step.kind in ["a", "b"]'),
        ('state "y" tell to user "Y"', 'state "y" tell user "Y"'),
        ('define a.b = step.kind in ["a", # b,\n]', 'define a.b = step.kind in ["a" # b,\n]'),
        ("define a.b = step.confidence < %80.5", "define a.b = step.confidence < 80.5%"),
        ("loop off\n  # checkrein: allow R0108 because it was\n", "loop off\n"),
        ("loop off # checkrein: allow R0108 because it was\r\n\r\n", "loop off\r\n\r\n"),
        ("loop off\r\n# checkrein: allow R0108 because it was\r\n", "loop off\r\n"),
        (
            'define a.b = step.kind == "a" # checkrein: allow R0109, R0108 because',
            'define a.b = step.kind == "a" # checkrein: allow R0109, R0108 because',
        ),
        (
            'state "y" tell user "Y" # checkrein: allow R0108, R0109, R0101 because it is meant',
            'state "y" tell user "Y" # checkrein: allow R0109 because it is meant',
        ),
    ],
)
def test_what_can_mean_one_thing_only(wrong, right):
    assert after_fixes(HEADER + NOWHERE + wrong).text == HEADER + NOWHERE + right


def test_a_byte_order_mark_goes():
    assert after_fixes("\ufeff" + HEADER + "loop off") == (HEADER + "loop off", 1)


@pytest.mark.parametrize(
    "text",
    [
        'tool "t" { timeout 5 m }',
        'tool "serch" { clas act }',
        'rule "r" on tool "s" then not deny because "X"',
        "define a.b = step.kind in []",
        'limit "l" on run { cost < $5 } else deny',
        'limit "l" on run { steps <= 5 cost } else deny',
        'retry "l" on tool any { attempts <= 5 retries } else deny',
        'retry "l" on tool any { attempts <= 5 within 20 s 200 ms .. 5 s } else deny',
        'limit "l" on run { cost <= $1,000 } else deny',
        'limit "l" on run { cost <= $1,5 } else deny',
        'limit "l" on run { cost <= 5 } else deny',
        'rule "r" on tool "serch" then deny because "X"',
        'rule "r" on tool "s" when !!has step.kind then deny because "X"',
        'rule "r" on tool "s" when step.kind == "a" step.kind == "b" then deny because "X"',
        'queue "q" { expires 1 h default stop the "x" }',
        'model "m" is "a/b" { window % 32k tokens }',
        "tool 't\" { }",
        "tool 'it's' { }",
        'state "y" tell user "Y" # checkrein: allow R0109',
        'rule "r" on tool "no" then deny because "X" # checkrein: allow R0101 because I say so',
    ],
)
def test_a_guess_is_no_fix(text):
    assert findings(HEADER + NOWHERE + text)
    assert after_fixes(HEADER + NOWHERE + text) == (HEADER + NOWHERE + text, 0)


def test_fixes_that_reach_into_each_other_are_made_one_after_the_other():
    text = HEADER + 'state "y" tell user "Y" # checkrein: allow R0108, R0101, R0110 because it is meant'
    once = [d.fix for d in findings(text) if d.code == "R0550"]
    assert any(a.end > b.start for a, b in pairwise(once))
    assert after_fixes(text).text == HEADER + 'state "y" tell user "Y"'


def test_only_what_is_wanted_is_fixed():
    text = HEADER + 'loop off # checkrein: allow R0108 because it was\nTool "t" { }'
    assert fixed(text, "p.rein", lambda d: d.severity == "error").text == text.replace("Tool", "tool")


@pytest.mark.parametrize("path", REJECTS, ids=lambda path: path.stem)
def test_a_fix_puts_its_finding_right(path):
    text = path.read_text("utf-8")
    after, changes = after_fixes(text)
    assert (changes > 0) == any(d.fix for d in findings(text)) == (after != text)
    assert not any(d.fix for d in findings(after))
    assert after_fixes(after) == (after, 0)


SLIPS = {
    "and": ["&&", "AND"], "or": ["||", "OR"], "==": ["=", "==="], "!=": ["<>"], "not": ["!", "NOT"],
    "when": ["if", "where", "When"], "else": ["otherwise", "Else"], "s": ["seconds", "Sec"],
    "min": ["minutes"], "h": ["hours"], "because": ["Because"], "within": ["WITHIN"],
}  # fmt: skip


def slipped(chance, words):
    """The words with a few slips among them."""
    words = list(words)
    for i in chance.sample(range(len(words)), min(len(words), 40)):
        word = words[i]
        if word in SLIPS:
            words[i] = chance.choice(SLIPS[word])
        elif re.fullmatch(r"\$[0-9.]+", word) and words[i - 1] != "grants":
            words[i] = word[1:] + chance.choice(["$", " $", " dollars"])
        elif re.fullmatch(r'"[^"\\\']+"', word):
            words[i] = chance.choice([f"'{word[1:-1]}'", f"“{word[1:-1]}”"])
    return words


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_a_policy_with_slips_is_what_it_was_before_them(seed):
    chance = Random(seed)
    source = Maker(chance).policy().source
    assert after_fixes(source) == (source, 0)
    wrong = " ".join(slipped(chance, LEXEME.findall(source)))
    after, changes = after_fixes(wrong)
    assert placeless(after) == placeless(source)
    assert (changes > 0) == (wrong != " ".join(LEXEME.findall(source)))
