"""The parser's machine beside Lark: the same tree for every text, the same place and the same choice of
what could have stood there for every mistake. And its tables: those of the grammar, or none."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from lark import Tree as LarkTree
from lark.exceptions import UnexpectedInput, UnexpectedToken
from lark.utils import TextSlice

from checkrein._core import GRAMMAR
from checkrein.language.parser import Token, Tree, Unexpected, load_tables, parse
from checkrein.language.parser.generate import generate, lark_of
from checkrein.language.parser.tables import STORED, digest_of

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [p.read_text("utf-8", "replace") for p in sorted((ROOT / "grammar").rglob("*.rein"))]
LARK = lark_of(GRAMMAR)
ODD = [*'{}",#5! \n\u00e9', "", "<=", "cost <=", "at time", "5 min", "$5", "a.b", "limit", "word"]


def seen_by_lark(text, start, end, rule):
    try:
        return flat_lark(LARK.parse(TextSlice(text, start, end), start=rule))
    except UnexpectedInput as error:
        parser = error.interactive_parser
        at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        held = [flat_lark(value) for value in parser.parser_state.value_stack]
        return "mistake", None if at_end else error.pos_in_stream, frozenset(parser.accepts()), held


def seen_by_us(text, start, end, rule):
    try:
        return flat(parse(load_tables(), text, start, end, rule))
    except Unexpected as error:
        held = [flat(value) for value in error.machine.values]
        return "mistake", None if error.at_end else error.offset, error.machine.accepts(), held


def flat_lark(value):
    if not isinstance(value, LarkTree):
        return value.type, str(value), value.start_pos, value.end_pos
    place = (-1, -1) if value.meta.empty else (value.meta.start_pos, value.meta.end_pos)
    return str(value.data), place, [flat_lark(child) for child in value.children]


def flat(value):
    if isinstance(value, Token):
        return value.type, str(value), value.start_pos, value.end_pos
    assert isinstance(value, Tree)
    return value.data, (value.start_pos, value.end_pos), [flat(child) for child in value.children]


@pytest.mark.parametrize("text", TEXTS)
def test_the_machine_reads_every_policy_as_lark_does(text):
    assert seen_by_us(text, 0, len(text), "start") == seen_by_lark(text, 0, len(text), "start")


def test_the_machine_reads_every_broken_policy_as_lark_does():
    chance = random.Random(5)
    mistakes = 0
    for _ in range(600):
        text = chance.choice(TEXTS)
        for _ in range(chance.randint(1, 3)):
            cut, also = sorted(chance.randrange(len(text) + 1) for _ in range(2))
            also = min(also, cut + 12)
            text = text[:cut] + chance.choice([*ODD, text[also : also + 9]]) + text[also:]
        start = chance.choice([0, 0, chance.randrange(len(text) + 1)])
        end = chance.choice([len(text), chance.randint(start, len(text))])
        rule = chance.choice(["start", "rest"])
        found = seen_by_us(text, start, end, rule)
        assert found == seen_by_lark(text, start, end, rule), (text, start, end, rule)
        mistakes += found[0] == "mistake"
    assert 300 < mistakes < 600


# -- the tables ------------------------------------------------------------------------------------


def test_the_stored_tables_are_those_of_the_grammar():
    stored = json.loads(STORED.read_bytes())
    assert stored == generate(GRAMMAR), "stale: run python scripts/tables.py and commit what it writes"


def test_tables_do_not_depend_on_the_order_of_sets():
    code = (
        "import hashlib, json\n"
        "from checkrein._core import GRAMMAR\n"
        "from checkrein.language.parser.generate import generate\n"
        "print(hashlib.sha256(json.dumps(generate(GRAMMAR)).encode()).hexdigest())\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"digest": "of another grammar"}'])
def test_stale_or_damaged_tables_are_made_anew(content, tmp_path, monkeypatch):
    place = tmp_path / "tables.json"
    if content is not None:
        place.write_bytes(content)
    monkeypatch.setattr("checkrein.language.parser.tables.STORED", place)
    load_tables.cache_clear()
    try:
        assert load_tables().starts.keys() == {"start", "rest"}
        assert place.exists() == (content is not None)
    finally:
        load_tables.cache_clear()


def test_another_grammar_or_another_layout_has_another_digest():
    assert digest_of(GRAMMAR) != digest_of(GRAMMAR + " ")


def test_a_policy_is_read_without_lark():
    code = (
        "import sys\n"
        "from checkrein.language import compile_source\n"
        f"compile_source({TEXTS[0]!r}, 'p.rein')\n"
        "assert 'lark' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
