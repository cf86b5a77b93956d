"""Text to tree: values, places, recovery, and what is refused before any parsing."""

import pytest

from checkrein.language import parse, tree
from checkrein.language.parser import load_parser
from checkrein.language.translate import HANDLERS
from checkrein.language.words import KINDS, expected, table

HEADER = 'language 1\npolicy "p"\n'


def read(body, header=HEADER):
    policy, found = parse(header + body, "p.rein")
    assert found == [], [d.message for d in found]
    assert policy is not None
    assert not policy.broken
    return policy


def codes(body, header=HEADER):
    return [d.code for d in parse(header + body, "p.rein")[1]]


def bound(text):
    (limit,) = read(f'limit "l" on run {{ {text} }} else deny').of(tree.Limit)
    return limit.bounds[0].literal


# -- values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("cost <= $0.50", "money", 500_000_000),
        ("cost <= $9007199", "money", 9_007_199 * 10**9),
        ("cost <= $0.000000001", "money", 1),
        ("cost <= EUR 12.5", "money", 12_500_000_000),
        ("tokens <= 200k tokens", "tokens", 200_000),
        ("tokens <= 1.5M tokens", "tokens", 1_500_000),
        ("steps <= 25", "count", 25),
        ("steps <= 007", "count", 7),
        ("steps <= 9007199254740991", "count", 2**53 - 1),
        ("active_time <= 1.5 s", "duration", 1_500_000_000),
        ("active_time <= 200ms", "duration", 200_000_000),
        ("active_time <= 2 min", "duration", 120 * 10**9),
        ("active_time <= 1 h", "duration", 3600 * 10**9),
        ("active_time <= 1 d", "duration", 86400 * 10**9),
    ],
)
def test_a_literal_is_an_integer_in_the_smallest_unit(text, dimension, value):
    literal = bound(text)
    assert (literal.dimension, literal.value) == (dimension, value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("steps <= 2.5", "R0024"),
        ("steps <= 0.5k", None),
        ("steps <= 9007199254740992", "R0023"),
        ("steps <= " + "9" * 5000, "R0023"),
        ("cost <= $0.0000000001", "R0024"),
        ("cost <= $0.10000000000000000000000000000000", None),
        ("cost <= $9007199.254740992", "R0023"),
        ("active_time <= 0.1 ms", None),
        ("active_time <= 0.0000001 ms", "R0024"),
    ],
)
def test_a_literal_is_exact_or_refused(text, code):
    assert codes(f'limit "l" on run {{ {text} }} else deny') == ([code] if code else [])


def test_a_percentage_has_four_decimals_at_most():
    policy = read('limit "l" on run { steps <= 9  at 12.5001% warn "x" } else deny')
    assert policy.of(tree.Limit)[0].thresholds[0].percent.value == 125_001
    assert codes('limit "l" on run { steps <= 9  at 12.50001% warn "x" } else deny') == ["R0024"]


def test_the_escapes_of_a_text():
    policy = read('state "over" tell user "a \\"quoted\\" line\\nand a \\\\"')
    assert policy.of(tree.State)[0].tell_user == 'a "quoted" line\nand a \\'


def test_prices_are_scaled_to_a_million_tokens():
    model = 'model "m" is "x/m" { price input $0.001 output $0.002 per 1k tokens }'
    assert read(model).of(tree.Model)[0].price == tree.Price(1_000_000_000, 2_000_000_000)


def test_a_price_may_have_rates_for_parts_of_the_tokens():
    rates = "input $4 output $8 cache read $0.4 cache write $5 reasoning $9"
    model = f'model "m" is "x/m" {{ price {rates} per 2M tokens }}'
    assert read(model).of(tree.Model)[0].price == tree.Price(
        2 * 10**9, 4 * 10**9, 2 * 10**8, 25 * 10**8, 45 * 10**8
    )
    some = read('model "m" is "x/m" { price input $4 output $8 cache write $0 per 1M tokens }')
    assert some.of(tree.Model)[0].price == tree.Price(4 * 10**9, 8 * 10**9, None, 0, None)


def test_defaults_of_what_is_left_out():
    policy = read(
        'model "m" is "x/m" { price free }\ntool "t" { }\nqueue "q" { expires 1 h }\n'
        'test "t" { model { }  model "m" { input 5 output 6 tokens asks 7 }  expect allow }'
    )
    (model,) = policy.of(tree.Model)
    assert (model.tier, model.place, model.least_output, model.price) == (None, None, 1, "free")
    (tool,) = policy.of(tree.Tool)
    assert (tool.tool_class, tool.once, tool.timeout, tool.args) == (None, False, None, ())
    assert policy.of(tree.Queue)[0].default_stop is None
    assert policy.of(tree.Queue)[0].grants is None
    first, second, _ = policy.of(tree.Test)[0].items
    assert (first.name, first.input, first.output, first.asks) == (None, 0, 0, None)
    assert (second.name.text, second.input, second.output, second.asks) == ("m", 5, 6, 7)


def test_and_binds_closer_than_or():
    policy = read("define a.b = has a.x or has a.y and not (has a.z or has a.x)")
    condition = policy.of(tree.Define)[0].condition
    assert isinstance(condition, tree.Or)
    left, right = condition.operands
    assert isinstance(left, tree.Has)
    assert isinstance(right, tree.And)
    assert isinstance(right.operands[1], tree.Not)
    assert isinstance(right.operands[1].operand, tree.Or)


def test_facts_may_have_capitals_after_the_first_dot():
    policy = read("define a.b = has call.args.orderId and has call.args._id")
    assert [o.fact.text for o in policy.of(tree.Define)[0].condition.operands] == [
        "call.args.orderId",
        "call.args._id",
    ]


# -- places ----------------------------------------------------------------------------------------


def test_a_span_holds_its_text():
    text = (
        HEADER
        + '\n  tool "s" { }  # here\nrule "r" on tool "s"\n\twhen call.attempt > 1 then deny because "No."\n'
    )
    policy, _ = parse(text, "p.rein")
    (rule,) = policy.of(tree.Rule)
    assert text[rule.span.start : rule.span.end].startswith('rule "r"')
    assert text[rule.span.start : rule.span.end].endswith('"No."')
    assert (rule.span.line, rule.span.column) == (5, 1)
    assert (rule.when.span.line, rule.when.span.column) == (6, 7)
    assert text[rule.when.span.start : rule.when.span.end] == "call.attempt > 1"
    assert (policy.of(tree.Tool)[0].name.span.line, policy.of(tree.Tool)[0].name.span.column) == (4, 8)


@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\t"])
def test_line_ends_and_tabs_never_matter(end):
    policy, found = parse(
        f'language 1{end}policy "p"{end}tool "s"{end}{{{end}class{end}act{end}}}{end}', "p.rein"
    )
    assert found == []
    assert policy.of(tree.Tool)[0].tool_class == "act"


# -- recovery --------------------------------------------------------------------------------------


def test_every_statement_that_can_be_read_is_read():
    policy, found = parse(
        HEADER + 'tool "a" { }\ntool b { }\ntool "c" { class }\ntool "d" { }\nstate "s"\ntool "e" { }\n',
        "p.rein",
    )
    assert [t.name.text for t in policy.of(tree.Tool)] == ["a", "d", "e"]
    assert [(d.code, d.line) for d in found] == [("R0018", 4), ("R0010", 5), ("R0010", 8)]
    assert policy.broken


def test_a_complete_statement_is_not_blamed_for_the_next():
    policy, _ = parse(HEADER + "fact data.a text\nfcat data.b text\nfact data.c text\n", "p.rein")
    assert [f.name.text for f in policy.of(tree.Fact)] == ["data.a", "data.c"]


def test_a_missing_header_does_not_hide_the_rest():
    policy, found = parse('tool "a" { }\ntool b { }\n', "p.rein")
    assert [d.code for d in found] == ["R0005", "R0018"]
    assert [t.name.text for t in policy.of(tree.Tool)] == ["a"]


def test_an_unclosed_test_does_not_swallow_the_tools_behind_it():
    body = 'test "t" {\n  tool "a" { }\n  expect allow\n\ntool "b" { once }\ntool "c" { }\n'
    policy, found = parse(HEADER + body, "p.rein")
    assert [d.code for d in found] == ["R0011"]
    assert [t.name.text for t in policy.of(tree.Tool)] == ["b", "c"]


def test_steps_at_the_margin_are_no_statements_while_braces_balance():
    body = 'test "t" {\ntool "a" { }\nexpekt allow\n}\ntool "b" { }\n'
    policy, found = parse(HEADER + body, "p.rein")
    assert [d.code for d in found] == ["R0019"]
    assert [t.name.text for t in policy.of(tree.Tool)] == ["b"]


# -- words -----------------------------------------------------------------------------------------


def test_every_terminal_has_words():
    lark = load_parser()
    terminals = table(lark)
    assert set(terminals) == {t.name for t in lark.terminals} | {"$END"}
    assert all(terminals.values())
    assert set(KINDS) <= set(terminals)
    names = {name for name in terminals if name not in ("S", "H", "D")}
    for phrase in (p for name in terminals for p in expected(terminals, {name})):
        assert not names & set(phrase.replace("`", " ").split())


def test_every_rule_of_the_grammar_has_a_builder():
    lark = load_parser()
    built = {rule.alias or rule.origin.name for rule in lark.rules if not rule.options.expand1 or rule.alias}
    assert {str(name) for name in built if not name.startswith("_")} - {"start", "rest"} == set(HANDLERS)


# -- before any parsing ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (b"x" * 10_000_000, "R0001"),
        ("x" * 10_000_000, "R0001"),
        ("\u20ac" * 100_000, "R0001"),
        (b"\xff\xfe", "R0002"),
        ("\ud800", "R0002"),
        (b"", "R0005"),
        (b"\x00" * 100, "R0003"),
        ("language 1\u200b", "R0003"),
        ("language 1 # \u202e", "R0003"),
        ('language 1\npolicy "p"\n# off:\rloop off\n', "R0003"),
        ('language 1\rpolicy "p"\r', "R0003"),
        ('language 1 policy "e\u0301"', "R0004"),
        ("language 2\nanything at all", "R0006"),
        ("language 99999999999999999999", "R0006"),
        ("language 1k", "R0006"),
    ],
)
def test_an_unreadable_file_is_one_finding(source, code):
    policy, found = parse(source, "p.rein")
    assert {d.code for d in found} == {code}
    assert len(found) <= 20
    assert policy is None or policy.broken


def test_letters_of_every_alphabet_are_fine_in_texts_and_titles():
    policy = read('state "überschritten" tell user "Ich höre auf. \u505c\u6b62 \U0001f6d1"')
    assert policy.of(tree.State)[0].name.text == "überschritten"


@pytest.mark.parametrize(
    "nested",
    ["(" * 700 + "has a.b" + ")" * 700, "not " * 700 + "has a.b", "(not " * 350 + "has a.b" + ")" * 350],
)
def test_deep_nesting_is_a_finding(nested):
    assert codes(f"define a.c = {nested}") == ["R0020"]


def test_nesting_up_to_the_limit_is_fine():
    assert codes("define a.c = " + "not " * 63 + "has a.b") == []
    assert codes("define a.c = " + "not " * 64 + "has a.b") == ["R0020"]
    assert codes('test "t" { ' + "repeat 1 { " * 700 + 'tool "s" { } expect allow' + " }" * 701) == ["R0020"]
