"""The canonical layout: it changes white space only, keeps comments in place, and is its own layout."""

import re
import tomllib
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkrein import _core
from checkrein.language import compile_source, parse
from checkrein.language.layout import laid_out
from checkrein.language.layout.printer import WIDTH
from tests.conformance.cases import all_cases
from tests.differential.generate import Maker
from tests.docs.pages import PAGES, blocks
from tests.language.texts import LEXEME, placeless

ROOT = Path(__file__).resolve().parents[2]
KEPT = sorted([*(ROOT / "grammar/examples").glob("*.rein"), *(ROOT / "python/checkrein/demo").glob("*.rein")])
HEADER = 'language 1\npolicy "p"\n'
TOP = re.compile(r'\A\s*language 1\s+policy "[^"]*"\s*(?=[a-z])')
SPACES = [" ", " ", " ", "  ", "\t", "\n", "\n    ", "\n\n", "\r\n", " \n\n\n "]


def policies():
    """Every policy of the corpus and of the pages, by where it stands."""
    for path in KEPT:
        yield path.name, path.read_text("utf-8")
    for case in all_cases():
        yield f"{case.file}: {case.name}", case.policy
    for page in PAGES:
        for block in blocks(page):
            if block.language == "rein":
                yield block.place, HEADER + block.text if "fragment" in block.tags else block.text


POLICIES = dict(policies())
LAYOUTS = tomllib.loads(Path(__file__).with_name("layouts.toml").read_text("utf-8"))["layout"]


def laid(source):
    text, findings = laid_out(source, "p.rein")
    assert text is not None, findings
    return text


def lexemes(text):
    """The words of a text, each without what white space means nothing in it; comments are words too."""
    return [" ".join(found.replace("<=", " <=").split()) for found in LEXEME.findall(text)]


def alone(text):
    """The comments that stand on a line of their own."""
    return [line.strip() for line in text.splitlines() if line.lstrip().startswith("#")]


def assert_only_the_layout_differs(source, text):
    assert lexemes(text) == lexemes(source)
    assert alone(text) == alone(source)
    assert laid(text) == text
    assert placeless(text) == placeless(source)
    assert not re.search(r"[ \t]$|\n\n\n|\A\n|\n\n\Z", text, flags=re.MULTILINE)
    assert text.endswith("\n")


@pytest.mark.parametrize("place", POLICIES)
def test_every_policy_that_is_written_down(place):
    assert_only_the_layout_differs(POLICIES[place], laid(POLICIES[place]))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_what_is_in_the_package_is_laid_out(path):
    text = path.read_text("utf-8")
    assert laid(text) == text
    assert max(map(len, text.splitlines())) <= WIDTH + 10  # comments stay as they are


def scrambled(chance, source, share):
    """The same policy with other white space, and comments wherever one may stand."""
    words = LEXEME.findall(source)
    parts, made = [], 0
    for word in words:
        between = chance.choice(SPACES)
        if chance.random() < share:
            made += 1
            between += chance.choice(["", "\n", "\n  ", "\n\n"]) + f"# note {made}" + chance.choice([" ", ""])
            between += "\n" + chance.choice(["", "\n", "  ", " " * 20])
        parts += [between, word]
        if word.startswith("#"):
            parts.append("\n")
    return "".join(parts) + chance.choice(["", "\n", "\n# the end"])


@pytest.mark.parametrize("place", [place for place, text in POLICIES.items() if TOP.match(text)])
def test_what_is_included_is_laid_out_as_the_same_statements_of_a_policy_are(place):
    whole = TOP.sub("", POLICIES[place], count=1)
    policy, part = laid(HEADER + whole), laid(whole)
    assert laid(part) == part
    assert policy.removeprefix(HEADER).lstrip("\n") == part
    assert lexemes(part) == lexemes(whole)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("", ""), ("\n \n", ""), ("# One.", "# One.\n"), ("\n#  One.\n\n\n# Two.\n", "#  One.\n\n# Two.\n")],
)
def test_a_file_of_comments(source, expected):
    assert laid(source) == expected


@settings(max_examples=120)
@given(st.integers(0, 2**32), st.sampled_from([0, 0.02, 0.2, 0.9]))
def test_random_policies_in_any_layout(seed, share):
    chance = Random(seed)
    source = scrambled(chance, Maker(chance).policy().source, share)
    text = laid(source)
    assert_only_the_layout_differs(source, text)
    program = _core.Program.load(compile_source(source, "p.rein"))
    assert _core.Program.load(compile_source(text, "p.rein")).meaning == program.meaning


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_white_space_means_nothing_but_behind_a_brace_and_between_items(seed):
    chance = Random(seed)
    words = LEXEME.findall(Maker(chance).policy().source)
    kept = {i: chance.choice(" \n") for i, word in enumerate(words) if word == "{"}

    def written():
        spaces = [kept.get(i) or chance.choice([" ", "   ", "\t", "\n", "\n  "]) for i in range(len(words))]
        return "".join(word + space for word, space in zip(words, spaces, strict=True))

    assert laid(written()) == laid(written())


def test_no_depth_is_too_deep():
    deep = (
        HEADER
        + 'rule "r" on model any when '
        + "(" * 3000
        + "has a.b"
        + ")" * 3000
        + ' then deny because "x"'
    )
    text, findings = laid_out(deep, "p.rein")
    assert text is None
    assert [found.code for found in findings] == ["R0020"]
    far = HEADER + "observe until 2026-01-01 " * 3000 + "loop off"
    assert lexemes(laid(far)) == lexemes(far)


def test_what_a_policy_says_may_be_wrong():
    text = laid(HEADER + 'rule "r" on tool "nowhere" when has a.b then stop "unknown" because "x"')
    assert text == HEADER + 'rule "r" on tool "nowhere" when has a.b then stop "unknown" because "x"\n'


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_ends_of_lines_stay_what_they_were(end):
    source = HEADER.replace("\n", end) + 'state "s"   tell user "t" # why  ' + end
    assert laid(source) == HEADER.replace("\n", end) + 'state "s" tell user "t"  # why' + end


@pytest.mark.parametrize("case", LAYOUTS, ids=lambda case: case["name"])
def test_exactly_so(case):
    assert laid(HEADER + case["before"]) == HEADER + case["after"]
    assert laid(HEADER + case["after"]) == HEADER + case["after"]


@pytest.mark.parametrize("wrong", ["cost <= $1 wrap up 1 call 5", "cost <= $1 cost", "cost <= $1 at 80%"])
def test_what_cannot_be_read_is_left_alone_and_told(wrong):
    source = HEADER + f'limit "l" on run {{ {wrong} }} else deny'
    text, findings = laid_out(source, "p.rein")
    assert text is None
    assert findings == parse(source, "p.rein")[1] != []


def test_what_would_be_too_large_is_left_alone():
    rest = HEADER + 'tool"t"{class act}\n'
    padding = 256 * 1024 - len(rest) - 2
    text, findings = laid_out("#" * padding + "\n" + rest, "p.rein")
    assert text is None
    assert [found.message for found in findings] == ["the file would be larger than 256 KiB"]
    assert laid_out("#" * (padding - 10) + "\n" + rest, "p.rein").text is not None


def test_words_that_stand_glued_are_set_apart():
    text = HEADER + 'rule"r"on tool any when a.b=="x"or has a.c thendeny because"x"'
    assert laid(text) == HEADER + 'rule "r" on tool any when a.b == "x" or has a.c then deny because "x"\n'
