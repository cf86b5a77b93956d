"""A claim that is refuted comes with a run; played again as a test it does what no run should."""

import pytest

from checkrein import testing
from checkrein.amounts import money
from checkrein.analysis import bound
from checkrein.errors import PolicyError
from checkrein.language import compile_source, sound
from tests.bounds.run import policy_of

HEAD = 'language 1 policy "p"\n'
DEAR = """model "dear" is "x/d" {
  place cloud window 8k tokens output 1k tokens price input $1 output $4 per 1M tokens
}
"""
CHEAP = DEAR.replace("dear", "cheap").replace("$1 output $4", "$0.10 output $0.40")
LOOK = (
    'tool "look" { class retrieve } tool "read" { class retrieve }\n'
    'tool "pay" { class act args { "n" count } }\n'
)
STEPS = 'limit "length" on run { steps <= 10 } else deny\n'
NEVER = 'assert never tool class act unless "look" succeeded'


def unproved(source):
    with pytest.raises(PolicyError) as raised:
        compile_source(source, "p.rein")
    (finding,) = [each for each in raised.value.diagnostics if each.severity == "error"]
    return finding


def costs_more(source, nano, example):
    """Whether the run of an example costs more than that, by the engine's own count."""
    spy = (
        f'rule "!" on model any when run.cost.spent > {money(nano)} then stop "!" because "It is spent."\n'
        'state "!" tell user "It is spent."\n'
        f'test "played again" {{ {" ".join(example.events)} model {{ }} expect stop "!" by "!" }}'
    )
    (result,) = testing.run_source(source + "\n" + spy, "p.rein", only="played again")
    return result.passed


@pytest.mark.parametrize("statements", [
    DEAR + STEPS, CHEAP + DEAR + STEPS,
    # Facts that let the calls pass, and that lead to the dear model.
    CHEAP + DEAR + STEPS + 'fact data.size count\nrule "r" on model any when data.size > 3 or data.size < 2 '
    'then deny because "No."\nroute "r" { to "dear" when data.size == 3 to "cheap" }',
    CHEAP + DEAR + STEPS + 'fact data.sums list of money at most 3\n'
    'rule "r" on model any when not all of data.sums > $3 then deny because "No."',
    # Only what is retried, or goes on elsewhere, comes to so much.
    DEAR + 'retry "r" on model any { attempts <= 3 } else deny\nlimit "l" on run { steps <= 4 } else deny',
    DEAR + 'limit "l" on run { cost <= $0.20 wrap up 1 call $0.01 } else deny',
    DEAR + 'limit "l" on user each day { cost <= $0.20 } else deny\nfact acct.id text\n'
    'limit "k" on acct.id { steps <= 30 } else deny\n'
    'require "e" place edge when has user.id and acct.id == "y"',
], ids=str)  # fmt: skip
def test_a_run_that_costs_more_than_is_claimed_costs_more(statements):
    finding = unproved(HEAD + statements + "\nassert cost per run <= $0.10")
    assert finding.code == "R0561"
    assert finding.example is not None, str(finding)
    assert costs_more(HEAD + statements, 10**8, finding.example)


def test_runs_of_random_policies_are_let_through_again():
    refuted = 0
    for number in range(0, 40, 2):
        source = policy_of(7, number).source
        most = bound(sound(source, "p.rein")).of("cost").most
        if not most:
            continue
        claimed = most // 2
        finding = unproved(f"{source}\nassert cost per run <= {money(claimed)}")
        if finding.example is not None:
            refuted += 1
            assert costs_more(source, claimed, finding.example), source
        else:
            assert "not decided" in finding.message
    assert refuted > 3


@pytest.mark.parametrize(("statements", "way"), [
    ("", ['tool "pay" { "n" 1 }']),
    ('order "o" { "look" before class act within run } else escalate to "q"\nqueue "q" { expires 1 h }',
     ['tool "pay" { "n" 1 }', "approve"]),
    ('order "o" { class retrieve before class act within run } else deny',
     ['tool "read" { }', 'tool "pay" { "n" 1 }']),
    ('rule "r" on tool "pay" when call.args.n < 5 then deny because "No."', ['tool "pay" { "n" 5 }']),
    ('fact data.tags list of text at most 3\n'
     'rule "r" on tool "pay" when not any of data.tags == "ok" then deny because "No."',
     ['tool "pay" { "n" 1 data.tags ["ok"] }']),
    ('rule "r" on tool "pay" when step.kind != "x" then deny because "No."',
     ['tool "pay" { "n" 1 step.kind "x" }']),
], ids=str)  # fmt: skip
def test_a_tool_that_is_said_to_run_too_early_does(statements, way):
    finding = unproved(HEAD + LOOK + statements + "\n" + NEVER)
    assert (finding.code, list(finding.example.events)) == ("R0562", way)
    test = f'test "t" {{ {" ".join(way)} expect allow }}'
    assert testing.run_source(HEAD + LOOK + statements + "\n" + test, "p.rein")[0].passed


def test_what_no_run_does_and_nothing_proves_is_not_decided():
    """The condition of the rule is true of every call, but an `order` is the only proof."""
    never = 'rule "r" on tool "pay" when step.index >= 0 then deny because "No."'
    finding = unproved(HEAD + LOOK + never + "\n" + NEVER)
    assert finding.example is None
    assert "not decided" in finding.message
    dear = 'rule "r" on model any when step.index >= 0 then deny because "No."'
    finding = unproved(HEAD + DEAR + STEPS + dear + "\nassert cost per run <= $0.10")
    assert finding.example is None
    assert finding.message.endswith("not decided: of the runs that were tried none cost more than $0.00")
