"""The parser's stored tables: those of the grammar, or none; they read every text as the grammar says."""

import json
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
from checkrein.language.parser import REST, STORED, build, digest_of, load_parser, stored_of

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
    made = json.loads(json.dumps(stored_of(GRAMMAR)))
    assert json.loads(STORED.read_bytes()) == made, (
        "stale: run python scripts/tables.py, commit what it writes"
    )


def test_tables_do_not_depend_on_the_order_of_sets():
    code = (
        "import hashlib, json\n"
        "from checkrein._core import GRAMMAR\n"
        "from checkrein.language.parser import stored_of\n"
        "print(hashlib.sha256(json.dumps(stored_of(GRAMMAR)).encode()).hexdigest())\n"
    )
    outputs = set()
    for seed in ("1", "2"):
        seeded = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], env=seeded, capture_output=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1


DIGEST = digest_of(GRAMMAR).encode()


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"digest": "of another grammar"}',
        b'{"digest": "%b"}' % DIGEST,
        b'{"digest": "%b", "data": {"options": {}}, "memo": {}}' % DIGEST,
    ],
)
def test_damaged_tables_are_worked_out_anew(content, tmp_path, monkeypatch, anew):
    place = tmp_path / "tables.json"
    if content is not None:
        place.write_bytes(content)
    monkeypatch.setattr(parser, "STORED", place)
    assert load_parser().source_path != "<deserialized>"
    assert load_parser().parse('language 1 policy "p"', start="start")


def test_tables_of_another_grammar_or_lark_are_not_used(tmp_path, monkeypatch, anew):
    stored = json.loads(STORED.read_bytes())
    place = tmp_path / "tables.json"
    place.write_text(json.dumps(stored | {"digest": digest_of(GRAMMAR + " ")}))
    monkeypatch.setattr(parser, "STORED", place)
    assert load_parser().source_path != "<deserialized>"
    place.write_text(json.dumps(stored))
    monkeypatch.setattr("lark.__version__", "1.3.999")
    load_parser.cache_clear()
    assert load_parser().source_path != "<deserialized>"


def test_one_token_of_look_ahead_is_enough_but_behind_the_number_of_a_bound(caplog, monkeypatch):
    monkeypatch.setattr(lark.logger, "handlers", [])
    monkeypatch.setattr(lark.logger, "level", logging.DEBUG)
    Lark(GRAMMAR + REST, start=["start", "rest"], parser="lalr", debug=True, maybe_placeholders=False)
    told = [record.getMessage() for record in caplog.records if "Unused" not in record.getMessage()]
    conflict = ["Shift/Reduce conflict for terminal TOKENS: (resolving as shift)", " * <quantity : NUMBER>"]
    assert told == conflict * 2
