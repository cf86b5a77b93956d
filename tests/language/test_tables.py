"""The parser's stored tables: those of the grammar, or none; they read every text as the grammar says."""

import logging
import os
import random
import subprocess
import sys
from pathlib import Path

import lark
import pytest
from lark import Lark, Token
from lark.exceptions import UnexpectedInput, UnexpectedToken
from lark.utils import TextSlice

from checkrein._core import GRAMMAR
from checkrein.language import parser
from checkrein.language.parser import STORED, load_parser, stored_of
from checkrein.language.parser.making import REST, build

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [p.read_text("utf-8", "replace") for p in sorted((ROOT / "grammar").rglob("*.rein"))]
BUILT = {words: build(GRAMMAR, words=words) for words in (False, True)}
ODD = [*'{}",#5! \n\u00e9', "", "<=", "tokens", "at", "5 min", "$5", "a.b", "limit", "word"]


def seen_by(lark, text, start, end, rule):
    try:
        return flat(lark.parse(TextSlice(text, start, end), start=rule))
    except UnexpectedInput as error:
        reading = error.interactive_parser
        at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        held = [flat(value) for value in reading.parser_state.value_stack]
        return "mistake", None if at_end else error.pos_in_stream, reading.accepts(), held


def flat(value):
    if isinstance(value, Token):
        return value.type, str(value), value.start_pos, value.end_pos
    place = None if value.meta.empty else (value.meta.start_pos, value.meta.end_pos)
    return str(value.data), place, [flat(child) for child in value.children]


@pytest.fixture
def anew():
    load_parser.cache_clear()
    yield
    load_parser.cache_clear()


def test_every_policy_is_read_as_the_grammar_says():
    assert load_parser().source_path == "<deserialized>"
    for text in TEXTS:
        whole = text, 0, len(text), "start"
        for words, built in BUILT.items():
            assert seen_by(load_parser(words=words), *whole) == seen_by(built, *whole)


def test_every_broken_policy_is_read_as_the_grammar_says():
    chance = random.Random(5)
    mistakes = 0
    for _ in range(400):
        text = chance.choice(TEXTS)
        for _ in range(chance.randint(1, 3)):
            cut = chance.randrange(len(text) + 1)
            also = min(len(text), cut + chance.randint(0, 12))
            text = text[:cut] + chance.choice([*ODD, text[also : also + 9]]) + text[also:]
        start = chance.choice([0, 0, chance.randrange(len(text) + 1)])
        end = chance.choice([len(text), chance.randint(start, len(text))])
        rule = chance.choice(["start", "rest"])
        words = chance.random() < 0.5
        found = seen_by(load_parser(words=words), text, start, end, rule)
        assert found == seen_by(BUILT[words], text, start, end, rule), (text, start, end, rule, words)
        mistakes += found[0] == "mistake"
    assert 200 < mistakes < 400


def test_the_stored_tables_are_those_of_the_grammar():
    assert STORED.read_bytes() == stored_of(GRAMMAR), (
        "stale: run python scripts/tables.py, commit what it writes"
    )


def test_tables_do_not_depend_on_the_order_of_sets():
    code = (
        "import hashlib\n"
        "from checkrein._core import GRAMMAR\n"
        "from checkrein.language.parser import stored_of\n"
        "print(hashlib.sha256(stored_of(GRAMMAR)).hexdigest())\n"
    )
    outputs = set()
    for seed in ("1", "2"):
        seeded = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], env=seeded, capture_output=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1


def made_anew(monkeypatch, place):
    """Whether a parser is made of the grammar, with the tables at a place."""
    made = []
    monkeypatch.setattr(parser, "STORED", place)
    monkeypatch.setattr(parser, "stored_of", lambda grammar: made.append(grammar) or stored_of(grammar))
    assert load_parser().parse('language 1 policy "p"', start="start").data == "start"
    return made == [GRAMMAR]


WHOLE = STORED.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"\n",
        WHOLE[:-1],
        WHOLE + b" ",
        WHOLE.replace(b"RBRACE -476", b"RBRACE -475", 1),
        b"0" + WHOLE[1:],
    ],
    ids=["gone", "empty", "a line", "cut", "longer", "changed", "another digest"],
)
def test_damaged_tables_are_worked_out_anew(content, tmp_path, monkeypatch, anew):
    assert content != WHOLE
    place = tmp_path / "tables.txt"
    if content is not None:
        place.write_bytes(content)
    assert made_anew(monkeypatch, place)


def test_tables_of_another_grammar_are_not_used(tmp_path, monkeypatch, anew):
    place = tmp_path / "tables.txt"
    place.write_bytes(stored_of(GRAMMAR + "\n"))
    assert made_anew(monkeypatch, place)


def test_tables_of_another_lark_are_not_used(tmp_path, monkeypatch, anew):
    place = tmp_path / "tables.txt"
    monkeypatch.setattr("lark.__version__", "1.3.999")
    place.write_bytes(stored_of(GRAMMAR))
    monkeypatch.undo()
    assert made_anew(monkeypatch, place)


def test_stored_tables_are_used_and_only_the_rows_that_are_met_are_made(monkeypatch, anew):
    assert not made_anew(monkeypatch, STORED)
    rows = load_parser().parser.parser._parse_table.states
    assert 2 < len(rows) < 20
    assert len(BUILT[False].parser.parser._parse_table.states) > 500


def test_what_parses_nothing_loads_no_lark():
    code = (
        "import sys\n"
        "from checkrein.cli.main import cli\n"
        "cli(['init', '--help'], standalone_mode=False)\n"
        "assert 'lark' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_one_token_of_look_ahead_is_enough_but_behind_the_number_of_a_bound(caplog, monkeypatch):
    monkeypatch.setattr(lark.logger, "handlers", [])
    monkeypatch.setattr(lark.logger, "level", logging.DEBUG)
    Lark(GRAMMAR + REST, start=["start", "rest"], parser="lalr", debug=True, maybe_placeholders=False)
    told = [record.getMessage() for record in caplog.records if "Unused" not in record.getMessage()]
    conflict = ["Shift/Reduce conflict for terminal TOKENS: (resolving as shift)", " * <quantity : NUMBER>"]
    assert told == conflict * 2
