"""Rules that `check --deep` says are outdone: through the engine the other rule decides, whatever is sent."""

import pytest

from checkrein import testing
from checkrein.language import check, parse

HEAD = """language 1
policy "p"
tool "pay" { class act args { "n" count } }
queue "q" { expires 1 h }
"""
NUMBERS = range(12)


def findings_of(source):
    policy, findings = parse(HEAD + source, "p.rein")
    assert not findings
    return [d for d in check(policy, deep=True) if d.code != "R0109"]  # the queue is not always used


def deep(source):
    return [d.code for d in findings_of(source)]


def shows(source, finding):
    """Whether in the engine the other rule decides about the example."""
    args = dict(finding.example.facts) or {"call.args.n": "0"}
    by = finding.example.shows.split("`")[1]
    call = f'tool "pay" {{ "n" {args["call.args.n"]} }}'
    results = testing.run_source(HEAD + source + f'test "e" {{ {call} expect deny by "{by}" }}', "p.rein")
    return results[0].passed


def decides(source, name, outcome):
    """Whether the rule ever decides with its outcome, of all calls."""
    tests = "".join(
        f'test "{n}" {{ tool "pay" {{ "n" {n} }} expect {outcome} by "{name}" }}\n' for n in NUMBERS
    )
    return any(result.passed for result in testing.run_source(HEAD + source + tests, "p.rein"))


def rule(name, when, outcome="deny"):
    return f'rule "{name}" on tool "pay" when {when} then {outcome} because "No."\n'


ASK = 'escalate to "q"'


@pytest.mark.parametrize(("weak", "strong", "code", "outcome"), [
    (rule("a", "call.args.n > 5", ASK), rule("b", "call.args.n > 3"), "R0622", ASK),
    (rule("a", "call.args.n in [4, 6]", ASK), rule("b", "call.args.n > 3 and call.args.n < 9"), "R0622", ASK),
    (rule("b", "call.args.n > 5"), rule("a", "call.args.n > 3"), "R0623", "deny"),
    (rule("b", "call.args.n > 5"), 'rule "a" on tool class act then deny because "No."\n', "R0623", "deny"),
    # Two that are not enough one by one.
    (rule("c", "call.args.n > 5", ASK),
     rule("a", "call.args.n > 3 and call.args.n < 8") + rule("b", "call.args.n >= 8"), "R0622", ASK),
    (rule("c", "call.args.n > 5"),
     rule("a", "call.args.n > 3 and call.args.n < 8") + rule("b", "call.args.n >= 8"), "R0623", "deny"),
])  # fmt: skip
def test_an_outdone_rule_never_decides(weak, strong, code, outcome):
    (finding,) = findings_of(weak + strong)
    assert finding.code == code
    assert shows(weak + strong, finding)
    name = weak.split('"')[1]
    assert not decides(weak + strong, name, outcome)
    assert decides(weak, name, outcome)


@pytest.mark.parametrize(("first", "second", "name", "outcome"), [
    (rule("a", "call.args.n > 3", ASK), rule("b", "call.args.n > 5"), "a", ASK),
    (rule("a", "call.args.n > 5"), rule("b", "call.args.n > 3"), "a", "deny"),
    (rule("a", "call.args.n > 3"), rule("b", "call.args.n < 6"), "b", "deny"),
])  # fmt: skip
def test_a_rule_that_decides_sometimes_is_left_alone(first, second, name, outcome):
    assert deep(first + second) == []
    assert decides(first + second, name, outcome)


def test_several_that_leave_a_gap_are_not_enough():
    three = rule("c", "call.args.n > 5", ASK) + rule("a", "call.args.n > 3 and call.args.n < 8")
    assert deep(three + rule("b", "call.args.n > 8")) == []


def test_of_several_only_those_are_named_that_it_takes():
    three = rule("d", "call.args.n > 5", ASK) + rule("a", "call.args.n > 3 and call.args.n < 8")
    (finding,) = findings_of(three + rule("b", "call.args.n < 2") + rule("c", "call.args.n >= 8"))
    assert finding.message == "rule `d` never asks anybody: whenever it applies `a` denies or `c` denies"


def test_unknown_counts_as_applying():
    """`n > 5 and n < 5` is never true, but an ill-typed `n` makes it apply where the other does not."""
    source = rule("b", "call.args.n > 6 and call.args.n < 5") + rule(
        "a", "has call.args.n and call.args.n < 3"
    )
    assert deep(source) == ["R0621"]


def test_an_allowance_of_what_was_not_looked_for_is_no_finding():
    allowed = rule("b", "call.args.n > 5") + "# checkrein: allow R0623 because it is kept for its reason\n"
    source = HEAD + rule("a", "call.args.n > 3") + allowed.replace("\n#", "  #")
    source = source.replace('queue "q" { expires 1 h }', "")
    policy, _ = parse(source, "p.rein")
    assert check(policy) == []
    assert check(policy, deep=True) == []
