"""What `check` tells of conditions is what the engine does: each finding is tried with many calls."""

import itertools

import pytest

from checkrein import testing
from checkrein.language import check, parse
from checkrein.language.meaning.examples import written
from checkrein.language.meaning.search import leaves_of
from checkrein.language.tree import Rule

POLICY = """language 1
policy "p"
tool "t" {{ args {{ "n" count "c" one of "a", "b" "s" text "m" money in cents }} }}
rule "r" on tool "t" when {condition} then deny because "No."
"""
VALUES = [
    ["0", "4", "5", "6", "7"], ['"a"', '"b"'], ['""', '"a"', '"ab"', '"aab"', '"b"'],
    ["$0", "$0.99", "$1", "$1.01", "$2"],
]  # fmt: skip


ANYTHING = {"n": "5", "c": '"a"', "s": '"other"', "m": "$7"}


def findings_of(condition):
    policy, findings = parse(POLICY.format(condition=condition), "p.rein")
    assert not findings
    return [d for d in check(policy) if d.code in ("R0620", "R0621", "R0628")]


def found(condition):
    return [d.code for d in findings_of(condition)]


def shows(finding, condition):
    """Whether the rule applies in the engine as the example says it does; what it leaves out is anything."""
    values = ANYTHING | {name.removeprefix("call.args."): value for name, value in finding.example.facts}
    args = " ".join(f'"{name}" {value}' for name, value in values.items())
    expected = 'deny by "r"' if finding.example.shows == "it is true" else "allow"
    source = POLICY.format(condition=condition) + f'test "e" {{ tool "t" {{ {args} }} expect {expected} }}\n'
    (result,) = testing.run_source(source, "p.rein")
    return result.passed


def applied(condition):
    """Whether the rule decided, for every call that the values above make."""
    source = POLICY.format(condition=condition)
    calls = list(itertools.product(*VALUES))
    for number, values in enumerate(calls):
        args = " ".join(f'"{name}" {value}' for name, value in zip("ncsm", values, strict=True))
        source += f'test "{number}" {{ tool "t" {{ {args} }} expect deny by "r" }}\n'
    results = testing.run_source(source, "p.rein")
    assert len(results) == len(calls)
    return {result.passed for result in results}


@pytest.mark.parametrize("condition", [
    "call.args.n > 4 or call.args.n < 5", 'call.args.c in ["a", "b"]',
    "not (call.args.m > $1 and call.args.m <= $1)",
    'call.args.s starts with "ab" or not call.args.s == "ab"',
])  # fmt: skip
def test_a_condition_that_cannot_be_false_always_applies(condition):
    (finding,) = findings_of(condition)
    assert finding.code == "R0620"
    assert applied(condition) == {True}
    assert shows(finding, condition)


@pytest.mark.parametrize("condition", [
    "call.args.n > 6 and call.args.n < 5", "call.args.n > 5 and call.args.n < 6",
    'call.args.c != "a" and call.args.c != "b"', "call.args.m > $1 and call.args.m < $1.01",
    'call.args.s starts with "ab" and call.args.s starts with "b"',
])  # fmt: skip
def test_a_condition_that_cannot_be_true_never_applies(condition):
    (finding,) = findings_of(condition)
    assert finding.code == "R0621"
    assert applied(condition) == {False}
    assert shows(finding, condition)


def test_an_example_holds_for_a_part_where_that_is_telling():
    """Of `n > 6 and n < 5`: a number that is above 6, and not just any."""
    (finding,) = findings_of("call.args.n > 6 and call.args.n < 5")
    assert str(finding.example) == "for call.args.n = 7 it is false"


@pytest.mark.parametrize(("condition", "part"), [
    ('call.args.c in ["a", "b"] and call.args.n > 5', 'call.args.c in ["a", "b"]'),
    ("call.args.m < $1 or call.args.n > 5 and call.args.n < 5", None),
])  # fmt: skip
def test_a_comparison_in_a_condition_has_an_example_of_its_own(condition, part):
    findings = findings_of(condition)
    assert len(findings) == (part is not None)
    assert all(shows(finding, part) for finding in findings)


@pytest.mark.parametrize("condition", [
    'call.args.s starts with "/home"', 'call.args.s starts with "https://example.com"',
])  # fmt: skip
def test_what_an_open_pattern_lets_in_it_lets_in(condition):
    (finding,) = findings_of(condition)
    assert shows(finding, condition)


@pytest.mark.parametrize(("dimension", "literal"), [
    ("money", "$0.000001"), ("duration", "1.5 s"), ("percent", "12.5%"), ("percent", "80%"),
    ("tokens", "200 tokens"), ("flag", "true"), ("count", "9007199254740991"),
    ("text", r'"a \"b\" \\ \n c"'),
])  # fmt: skip
def test_an_example_is_written_as_the_language_is(dimension, literal):
    source = f"fact x.y {dimension}\n" + POLICY.split("rule", 1)[0].split("\n", 2)[2].format()
    rule = f'rule "r" on tool "t" when x.y == {literal} then deny because "No."'
    policy, findings = parse(f'language 1 policy "p" {source} {rule}', "p.rein")
    assert not findings
    (compared,) = leaves_of(policy.of(Rule)[0].when)
    assert written(compared.literal.value, dimension, "$") == literal


@pytest.mark.parametrize("condition", [
    "call.args.n > 4 or call.args.n < 4", 'call.args.c in ["a"]', "call.args.n > 5 and call.args.n < 7",
    "call.args.m > $1 and call.args.m < $1.02", 'call.args.s starts with "a" and call.args.s ends with "b"',
    "has call.args.n",
])  # fmt: skip
def test_a_condition_that_tells_calls_apart_is_left_alone(condition):
    assert found(condition) == []


def test_what_stands_in_a_define_is_judged_where_it_is_used_as_a_whole():
    source = 'define d.any = call.tool == "t" and call.args.n > 4\n'
    policy, _ = parse(POLICY.format(condition="d.any").replace("rule", source + "rule", 1), "p.rein")
    assert check(policy) == []


def test_attempts_that_are_said_to_be_never_made_are_not_made():
    source = """language 1
policy "p"
tool "s" { class retrieve }
state "gone" tell agent "It is gone."
retry "r" on tool "s" { attempts <= 5 within 2 s backoff 1 s .. 1 s } else fail "gone"
limit "two" on run { attempts <= 2 } else stop "gone"
test "t" { tool "s" { } fails "timeout" expect fail "gone" by "r" }
"""
    policy, _ = parse(source, "p.rein")
    assert [d.code for d in check(policy)] == ["R0630"]
    assert "at most 2 of its 5" in check(policy)[0].message
    (result,) = testing.run_source(source, "p.rein")
    # A third attempt would meet the limit, and stop.
    assert result.passed, str(result)


def test_hard_conditions_cost_little_and_are_not_guessed_at():
    facts = "".join(f'fact p.n{i} one of "a", "b", "c", "d", "e", "f", "g"\n' for i in range(8))
    different = " and ".join(
        f'not (p.n{i} == "{c}" and p.n{j} == "{c}")'
        for i, j in itertools.combinations(range(8), 2) for c in "abcdefg"
    )  # fmt: skip
    known = " and ".join(f"has p.n{i}" for i in range(8))
    source = POLICY.format(condition=f"{known} and {different}").replace("rule", facts + "rule", 1)
    policy, _ = parse(source, "p.rein")
    assert [d.code for d in check(policy)] == []
