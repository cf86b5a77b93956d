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


def deep(source):
    policy, findings = parse(HEAD + source, "p.rein")
    assert not findings
    return [d.code for d in check(policy, deep=True) if d.code != "R0109"]  # the queue is not always used


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
])  # fmt: skip
def test_an_outdone_rule_never_decides(weak, strong, code, outcome):
    assert deep(weak + strong) == [code]
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
