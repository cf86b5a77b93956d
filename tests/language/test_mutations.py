"""Whatever happens to a policy's text, it gives findings or bytes that load: no crash, no hang."""

from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from checkrein import _core
from checkrein.diagnostics import render_all, to_json
from checkrein.errors import PolicyError
from checkrein.language import compile_source, words
from checkrein.language.fixes import fixed
from checkrein.language.layout import laid_out
from checkrein.language.parser import load_parser

EXAMPLES = Path(__file__).resolve().parents[2] / "grammar" / "examples"
SOURCE = (EXAMPLES / "support.rein").read_text(encoding="utf-8")
WIDER = (EXAMPLES / "team.rein").read_text(encoding="utf-8")
WORDS = sorted(w for w in words.table(load_parser()).values() if " " not in w)
PIECES = [
    *WORDS, '"', '""', '"per run"', "call.args.amount", "data.class", "$5", "EUR 5", "5", "200k tokens",
    "0 s", "80%", "and", "((", "))", "{", "}", "}\n\n", "\n", "#", "\\", "\x00", "\u202e", "\u00e9",
    "e\u0301", "\U0001f600", "not " * 80, "tenant.id", '"Europe/Rome"', "each day", "rolling 1 h", "calls of",
    "wrap up 1 call $0.1", "on failure", 'at time "2026-03-29T00:30:00Z"', 'as user "u"', "cost <=",
]  # fmt: skip
ZONES = st.sampled_from(['"Europe/Rome"', '"UTC"', '"Asia/Kolkata"', '"America/New_York"', '"Rome"'])
MANY = settings(max_examples=150)


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
    text = draw(st.sampled_from([SOURCE, WIDER]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 2, 5, 20, 100]))
        piece = draw(st.one_of(st.just(""), st.sampled_from(PIECES), st.text(max_size=5)))
        text = text[:start] + piece + text[start + length :]
    return text


QUANTITIES = st.sampled_from("0 1 5 $0 $0.01 $5 9,1 5k 0|tokens 9k|tokens 1|s 1|h 100|d 80%".split())


@st.composite
def limits(draw):
    """A limit of parts that are each well written, and may not go together."""

    def one(*choices):
        return draw(st.sampled_from(choices))

    def some(choices):
        return draw(st.lists(st.sampled_from(choices), max_size=3, unique=draw(st.integers(0, 9)) > 0))

    def quantity(kind):
        fit = {"cost": "$5", "time": "1 h", "tokens": "9k tokens"}
        right = next((value for end, value in fit.items() if kind.endswith(end)), "5")
        return right if draw(st.integers(0, 19)) else draw(QUANTITIES).replace("|", " ")

    bounds = [
        "steps <= 3",
        *(f"{dimension} <= {quantity(dimension)}" for dimension in some(words.DIMENSIONS)),
    ]
    selectors = (
        "tool any",
        'tool "search_kb"',
        "tool class act",
        "model any",
        'model "large"',
        'model "small"',
    )
    bounds += [f"calls of {selector} <= {one('1', '3', '5k')}" for selector in some(selectors)]
    items = [
        one("", "", "", "cost <= $1 wrap up 1 call $0.01", "tokens <= 5 tokens wrap up 2 calls 4 tokens"),
        one("", "counts attempted", "counts executed", "counts succeeded"),
        one("", "", "on failure spend", "on failure deny", "on failure allow"),
        one("", 'at 80% warn "nearly"', 'at 100% tell agent "Stop."'),
    ]
    zoned = f"each {one('hour', 'week')} in {draw(ZONES)}"
    window = one("", "", "each day", "each month", zoned, f"rolling {quantity('time')}")
    scope = one("run", "run", "session", "user", "team", "org", "tenant.id", "tenant.group")
    otherwise = one("deny", 'stop "over_limit"', 'stop "stuck"', 'escalate to "leads"', 'escalate to "more"')
    return f'limit "made" on {scope} {window} {{ {" ".join(bounds + items)} }} else {otherwise}\n'


@MANY
@given(limits(), st.sampled_from(["$5", "9k tokens", "3", "0", "5 s"]))
def test_a_limit_of_any_parts(limit, granted):
    queue = f'queue "more" {{ expires 1 h grants {granted} at most 2 times }}\n'
    facts = "fact tenant.id text\nfact tenant.group text optional\n"
    survives(SOURCE.partition("\ntest ")[0] + facts + queue + limit)


@MANY
@given(mutated())
def test_a_mutated_policy(source):
    survives(source)


@MANY
@given(mutated())
def test_a_mutated_policy_that_is_fixed_and_laid_out(source):
    text, changes = fixed(source, "p.rein", lambda _finding: True)
    assert (text == source) == (changes == 0)
    assert fixed(text, "p.rein", lambda _finding: True) == (text, 0)
    laid, findings = laid_out(source, "p.rein")
    assert (laid is None) == bool(findings)


@MANY
@given(st.lists(st.sampled_from([*PIECES, *SOURCE.split(), *WIDER.split()]), max_size=60))
def test_words_in_any_order(words):
    survives('language 1 policy "p"\n' + " ".join(words))


@MANY
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
@example("\xa0")  # a space for Python, none here
def test_anything_at_all(source):
    survives(source)


@MANY
@given(st.integers(0, len(SOURCE)))
def test_a_policy_cut_short(length):
    survives(SOURCE[:length])


@MANY
@given(st.lists(st.integers(0, SOURCE.count("\n")), max_size=5))
def test_lines_left_out(gone):
    lines = SOURCE.splitlines(keepends=True)
    survives("".join(line for number, line in enumerate(lines) if number not in gone))
