"""Whatever happens to a policy's text, it gives findings or bytes that load: no crash, no hang."""

import datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from checkrein import _core
from checkrein.diagnostics import render_all, to_json
from checkrein.errors import PolicyError
from checkrein.language import compile_source
from checkrein.language.syntax import reader

EXAMPLES = Path(__file__).resolve().parents[2] / "grammar" / "examples"
SOURCE = (EXAMPLES / "support.rein").read_text(encoding="utf-8")
WORDS = sorted(w for w in reader().words.values() if " " not in w)
PIECES = [
    *WORDS, '"', '""', '"per run"', "call.args.amount", "data.class", "$5", "EUR 5", "5", "200k tokens",
    "0 s", "80%", "and", "((", "))", "{", "}", "}\n\n", "\n", "#", "\\", "\x00", "\u202e", "\u00e9",
    "e\u0301", "\U0001f600", "not " * 80,
]  # fmt: skip
BOUNDED = settings(max_examples=150, deadline=datetime.timedelta(seconds=5))


def survives(source):
    try:
        data = compile_source(source, "p.rein")
    except PolicyError as raised:
        error = raised
    else:
        _core.Program.load(data)
        return
    assert error.diagnostics
    text = source if isinstance(source, str) else source.decode("utf-8", "replace")
    assert render_all(error.diagnostics, text) == str(error)
    assert str(error).replace("\n", "").isprintable()
    for found in error.diagnostics:
        assert to_json(found)["code"] == found.code
        assert not found.message.endswith(".")
        assert not found.message[0].isupper()
        if found.span is not None:
            assert 0 <= found.span.start <= found.span.end
            assert 1 <= found.line <= text.count("\n") + 1


@st.composite
def mutated(draw):
    text = SOURCE
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 2, 5, 20, 100]))
        piece = draw(st.one_of(st.just(""), st.sampled_from(PIECES), st.text(max_size=5)))
        text = text[:start] + piece + text[start + length :]
    return text


@BOUNDED
@given(mutated())
def test_a_mutated_policy(source):
    survives(source)


@BOUNDED
@given(st.lists(st.sampled_from([*PIECES, *SOURCE.split()]), max_size=60))
def test_words_in_any_order(words):
    survives('language 1 policy "p"\n' + " ".join(words))


@BOUNDED
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_anything_at_all(source):
    survives(source)


@BOUNDED
@given(st.integers(0, len(SOURCE)))
def test_a_policy_cut_short(length):
    survives(SOURCE[:length])


@BOUNDED
@given(st.lists(st.integers(0, SOURCE.count("\n")), max_size=5))
def test_lines_left_out(gone):
    lines = SOURCE.splitlines(keepends=True)
    survives("".join(line for number, line in enumerate(lines) if number not in gone))
