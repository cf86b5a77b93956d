"""What the tests of a policy cover: counted votes, and atoms as the engine finds them."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import checkrein
from checkrein import _core
from checkrein import coverage as room
from checkrein.coverage import measure
from checkrein.language import compile_source, sound

BASE = """
language 1 policy "covered"
model "small" is "t/small" { tier 1 place edge window 10k tokens output 1k tokens price free }
model "large" is "t/large" { tier 2 place cloud window 10k tokens output 1k tokens price free }
tool "look" { class retrieve may repeat args { "id" text "n" count optional } }
tool "pay" { class act args { "amount" money "note" text optional } }
fact data.class one of "public", "pii"
fact trip.price money optional
queue "leads" { expires 10 min default deny }
state "over" tell user "x" state "broken" tell agent "x"
"""


def covered(source, *, passes=True, **options):
    """The results, the points that decided something, and of each atom which values it had."""
    source = BASE + source
    program = _core.Program.load(compile_source(source, "t.rein"))
    results, coverage = measure(sound(source, "t.rein"), program, **options)
    missed = [str(result) for result in results if not result.passed]
    assert not missed or not passes
    points = {f"{p.kind} {p.name}": p.times for p in coverage.points}
    atoms = {a.text: ("".join(sorted(v[0] for v in a.met)), len(a.wanted)) for a in coverage.atoms}
    return points, atoms, coverage


def test_each_kind_of_statement_is_counted_when_it_votes():
    points, _, coverage = covered("""
limit "calls" on run { tool_calls <= 4 } else stop "over"
retry "again" on tool "look" { when error.kind == "timeout" attempts <= 2 } else fail "broken"
order "first" { "look" before "pay" within run } else deny
loop "stuck" on run { same call >= 9 within 10 steps } else stop "over"
rule "big" on tool "pay" when call.args.amount > $9 then escalate to "leads" because "Big."
rule "bigger" on tool "pay" when call.args.amount > $99 then deny because "Bigger."
test "all" {
  tool "pay" { "amount" $1 } expect deny by "first"
  tool "look" { "id" "1" } fails "timeout" 1 times expect allow
  tool "pay" { "amount" $10 } approve expect allow
  tool "look" { "id" "2" } tool "look" { "id" "3" } tool "look" { "id" "4" } expect stop "over" by "calls"
}""")
    assert points == {
        "limit calls": 1, "retry again": 1, "order first": 1, "loop stuck": 0,
        "rule big": 1, "rule bigger": 0,
    }  # fmt: skip
    assert (coverage.met, coverage.total) == (4 + 1 + 2 + 1, 6 + 2 + 3 + 3)


@pytest.mark.parametrize(
    ("calls", "met"),
    [
        ('tool "pay" { "amount" $10 }', "t"),
        ('tool "pay" { "amount" $9 }', "f"),
        ('tool "pay" { }', "u"),
        ('tool "look" { "id" "1" }', ""),
        ('model "small" { data.class "pii" }', ""),
        ('tool "pay" { "amount" $10 } tool "pay" { } tool "pay" { "amount" $1 }', "ftu"),
    ],
)
def test_an_atom_has_the_values_that_the_engine_found(calls, met):
    rule = 'rule "big" on tool "pay" when call.args.amount > $9 then deny because "Big."'
    _, atoms, _ = covered(f'{rule} test "t" {{ {calls} expect wait }}', passes=False)
    assert atoms == {"call.args.amount > $9": (met, 3)}


def test_an_optional_fact_and_an_engine_fact_need_no_unknown():
    _, atoms, _ = covered("""
rule "dear" on tool any when has trip.price and trip.price > $5 and run.tool_calls.spent >= 1
  then deny because "Dear."
test "t" { tool "look" { "id" "1" trip.price $6 } tool "look" { "id" "2" } expect allow }""")
    assert atoms == {
        "has trip.price": ("ft", 2), "trip.price > $5": ("tu", 2), "run.tool_calls.spent >= 1": ("ft", 2),
    }  # fmt: skip


def test_a_define_is_covered_once_where_it_stands():
    points, atoms, coverage = covered("""
define risk.big = not (call.args.amount <= $9)
rule "a" on tool "pay" when risk.big then deny because "A."
rule "b" on tool "pay" when risk.big and call.args.amount > $99 then deny because "B."
test "t" { tool "pay" { "amount" $10 } expect deny by "a" }""")
    assert atoms == {"call.args.amount <= $9": ("f", 3), "call.args.amount > $99": ("f", 3)}
    assert points == {"rule a": 1, "rule b": 0}
    assert coverage.total == 8


def test_what_was_decided_before_hides_nothing():
    """Both rules are looked at, though the first denies. The arms are too, but none is taken."""
    points, atoms, _ = covered("""
rule "never" on model any when data.class == "pii" then deny because "Never."
rule "late" on model any when run.steps.spent >= 1 then deny because "Late."
rule "small" on model "small" when call.input_tokens > 5 tokens then deny because "Long."
route "r" { to "small" when data.class == "public" to "large" fallback "small" -> "large" }
test "t" {
  model { data.class "pii" input 9 } expect deny by "never"
}""")
    assert points['route r: to "small"'] == points['route r: to "large"'] == 0
    assert atoms['data.class == "pii"'] == ("t", 3)
    assert atoms["run.steps.spent >= 1"][0] in ("f", "t")
    assert atoms["call.input_tokens > 5 tokens"] == ("", 2)


def test_of_several_arms_to_one_model_the_first_led_there():
    source = """
route "r" { to "large" when step.kind == "hard"  to "small" when step.kind == "easy"  to "large" }
test "two of three" {
  model { step.kind "hard" } expect allow on "large"
  model { step.kind "easy" } expect allow on "small"
}"""
    _, _, coverage = covered(source)
    assert [point.times for point in coverage.points] == [1, 1, 0]
    _, _, coverage = covered(source + 'test "the last" { model { step.kind "x" } expect allow on "large" }')
    assert [point.times for point in coverage.points] == [1, 1, 1]


def test_arms_requirements_and_rules_on_one_model():
    points, atoms, _ = covered("""
require "at home" place edge when data.class == "pii"
rule "small" on model "small" when call.input_tokens > 5 tokens then deny because "Long."
rule "large" on model "large" when call.input_tokens > 5 tokens then deny because "Long."
route "r" { to "small" when step.kind == "classify" to "large" fallback "large" -> "small" }
test "t" {
  model { data.class "public" step.kind "classify" input 9 } expect deny by "small"
  model { data.class "public" step.kind "classify" input 2 } expect allow on "small"
  model { data.class "pii" input 2 } expect allow on "small"
  model { data.class "public" input 2 } expect allow on "large"
}""")
    assert points == {
        "require at home": 1, "rule small": 1, "rule large": 0,
        'route r: to "small"': 1, 'route r: to "large"': 1,
    }  # fmt: skip
    assert atoms['data.class == "pii"'] == ("ft", 3)
    assert atoms['step.kind == "classify"'] == ("ft", 2)


def test_conditions_of_retries_are_read_after_errors():
    _, atoms, _ = covered("""
retry "r" on tool "look" { when error.kind == "timeout" and not (run.tool_calls.spent > 5) attempts <= 3
  backoff 1 s .. 2 s } else fail "broken"
test "t" {
  tool "look" { "id" "1" } expect allow
  tool "look" { "id" "2" } fails "timeout" 1 times expect allow
  tool "look" { "id" "3" } fails "auth" expect allow
}""")
    assert atoms == {'error.kind == "timeout"': ("ft", 2), "run.tool_calls.spent > 5": ("f", 2)}


def test_conditions_of_results():
    _, atoms, _ = covered("""
tool "ask" { class retrieve may repeat result { "done" flag "rows" count optional }
  succeeds when result.done == true and (not (has result.rows) or result.rows >= 1) }
retry "r" on tool "ask" { attempts <= 2 } else fail "broken"
test "t" {
  tool "ask" { } expect allow
  tool "ask" { } gives { "done" true "rows" 1 } expect allow
  tool "ask" { } gives { "done" true "rows" 0 } 1 times expect allow
  tool "ask" { } gives { "rows" 2 } expect fail "broken"
}""")
    assert atoms == {
        "result.done == true": ("tu", 3), "has result.rows": ("t", 2), "result.rows >= 1": ("ft", 2),
    }  # fmt: skip


def test_limits_of_users_are_spent_the_same_way_again():
    points, atoms, _ = covered("""
limit "day" on user each day { tool_calls <= 2 } else deny
rule "n" on tool "look" when has call.args.n and call.args.n == 3 then deny because "No."
test "t" {
  as user "ann"
  repeat 3 { tool "look" { "id" "1" } } expect deny by "day"
  wait 24 h
  tool "look" { "id" "1" "n" 3 } expect deny by "n"
}""")
    assert points == {"limit day": 1, "rule n": 1}
    assert atoms == {"has call.args.n": ("ft", 2), "call.args.n == 3": ("tu", 2)}


def test_a_long_test_says_what_was_not_looked_at(monkeypatch):
    source = """
rule "n" on tool "look" when has call.args.n and call.args.n == 3 then deny because "No."
test "long" { repeat 20 { tool "look" { "id" "1" } } tool "look" { "id" "1" "n" 3 } expect deny by "n" }"""
    _, atoms, coverage = covered(source)
    assert atoms["has call.args.n"] == ("ft", 2)
    assert coverage.unseen == []
    monkeypatch.setattr(room, "ASKS_MAX", 100)
    points, atoms, coverage = covered(source)
    assert atoms["has call.args.n"] == ("ft", 2), "each call of the text comes before what it repeats"
    assert atoms["call.args.n == 3"] == ("tu", 2)
    assert points == {"rule n": 1}
    assert coverage.unseen == ["long"]
    monkeypatch.setattr(room, "ASKS_MAX", 10)
    assert covered(source)[1]["has call.args.n"] == ("f", 2)


def test_a_condition_too_long_for_probes():
    parts = " or ".join(f"result.n == {n}" for n in range(600))
    with pytest.raises(checkrein.CheckreinError, match="too long for its parts to be looked at"):
        covered(f"""tool "ask" {{ result {{ "n" count }} succeeds when {parts} }}
test "t" {{ tool "ask" {{ }} expect allow }}""")


def test_only_the_tests_that_were_chosen_cover():
    source = """
rule "n" on tool "look" when has call.args.n then deny because "No."
test "with" { tool "look" { "id" "1" "n" 3 } expect deny by "n" }
test "out" { tool "look" { "id" "1" } expect allow }"""
    assert covered(source)[1] == {"has call.args.n": ("ft", 2)}
    assert covered(source, only="OUT")[1] == {"has call.args.n": ("f", 2)}


FLAGS = ("a", "b", "c")
ATOMS = st.sampled_from(FLAGS).map(lambda name: f"flag.{name} == true")
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda c: f"not ({c})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
    ),
    max_leaves=6,
)
CALLS = st.lists(
    st.fixed_dictionaries({n: st.sampled_from(["true", "false", None]) for n in FLAGS}),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60)
@given(condition=CONDITIONS, calls=CALLS)
def test_atoms_are_what_was_sent_whatever_stands_around_them(condition, calls):
    """Missing is unknown, each sent flag is itself; that the whole agrees is checked while it is measured."""
    sent = ("".join(f" flag.{n} {v}" for n, v in call.items() if v) for call in calls)
    items = " ".join(f'tool "look" {{ "id" "1"{facts} }}' for facts in sent)
    declared = " ".join(f"fact flag.{n} flag" for n in FLAGS)
    rule = f'rule "r" on tool any when {condition} then deny because "No."'
    _, _, coverage = covered(f'{declared} {rule} test "t" {{ {items} expect wait }}', passes=False)
    words = {"true": "true", "false": "false", None: "unknown"}
    for name in FLAGS:
        met = set(
            itertools.chain.from_iterable(a.met for a in coverage.atoms if a.text.startswith(f"flag.{name}"))
        )
        assert met in (set(), {words[call[name]] for call in calls})


def test_the_condition_of_a_cascade_is_looked_at_where_a_result_is():
    policy = 'route "r" { to "small" then "large" when result.confidence < 70% or data.class == "pii" }\n'
    policy += 'limit "one" on run { model_calls <= 9 } else deny\n'
    calls = {
        'model { data.class "public" } gives { result.confidence 50% }': ("t", "f"),
        'model { data.class "public" } gives { result.confidence 90% }': ("f", "f"),
        'model { data.class "pii" }': ("u", "t"),
        'model { data.class "pii" } fails "timeout"': ("", ""),
    }
    for call, values in calls.items():
        _, atoms, coverage = covered(policy + f'test "t" {{ {call} expect allow }}')
        assert (atoms["result.confidence < 70%"][0], atoms['data.class == "pii"'][0]) == values, call
        assert coverage.total == 1 + 1 + 3 + 3
    # Where nobody else could be asked, whether the result was doubtful did not matter.
    tight = policy.replace("<= 9", "<= 1")
    _, atoms, _ = covered(tight + 'test "t" { model { data.class "pii" } expect allow on "small" }')
    assert atoms["result.confidence < 70%"][0] == ""


def test_an_observed_retry_is_looked_into_and_errors_still_lead_to_a_fallback():
    """Where no retry is enforced an error goes on to the next model, so no probe may be an enforced one."""
    points, atoms, _ = covered("""
route "r" { to "large" fallback "large" -> "small" }
observe until 2026-12-31 retry "some" on model "large" {
  when error.kind == "timeout" attempts <= 3 backoff 1 s .. 1 s
} else fail "broken"
rule "none" on tool "look" when call.args.id == "none" then deny because "x"
test "an error" {
  model { input 10 tokens } fails "timeout" 1 times
  expect allow on "small"
  tool "look" { "id" "one" }
  expect allow
}
test "another one" {
  model { input 10 tokens } fails "auth" 1 times
  expect allow
}
""")
    assert points["retry some"] == 1
    assert atoms['error.kind == "timeout"'] == ("ft", 2)
    assert atoms['call.args.id == "none"'][0] == "f"
