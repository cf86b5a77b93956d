"""`checkrein test`, and what each item of a `test` block means."""

import pytest

from checkrein import testing


def test_passing(command, snapshot):
    printed = command("test", "support.rein")
    assert (printed.exit_code, printed.stderr) == (0, "")
    snapshot("test_passed", printed.stdout)


def test_failing(command, snapshot):
    printed = command("test", "failing.rein")
    assert (printed.exit_code, printed.stderr) == (1, "")
    snapshot("test_failed", printed.stdout)


def test_one_failing_file_of_several(command):
    printed = command("test", "support.rein", "failing.rein")
    assert printed.exit_code == 1
    assert printed.stdout.endswith("6 tests, 2 failed\n")


def test_a_policy_with_mistakes_does_not_hide_the_others(command):
    printed = command("test", "mistakes.rein", "support.rein")
    assert printed.exit_code == 1
    assert "error R" in printed.stderr
    assert printed.stdout.endswith("3 tests, none failed, 1 file with mistakes\n")


def test_no_test_is_no_success(command, folder):
    (folder / "bare.rein").write_text('language 1 policy "bare" tool "t" { }')
    printed = command("test", "bare.rein")
    assert (printed.exit_code, printed.stdout) == (2, "")
    assert "there is no `test` block" in printed.stderr


POLICY = """
language 1 policy "semantics" loop off
model "large" is "t/large" { tier 2 place cloud window 10k tokens output 1k tokens
  price input $1 output $1 per 1M tokens }
model "small" is "t/small" { tier 1 place edge window 10k tokens output 500 tokens price free }
tool "look" { class retrieve }
tool "pay" { class act args { "amount" money in cents "whole" money optional "share" percent optional
  "pause" duration optional "name" text optional "yes" flag optional "n" count optional } }
fact trip.price money optional
limit "per run" on run { tokens <= 2000 tokens } else stop "over"
retry "tools" on tool "look" { when error.kind in ["timeout", "unavailable"] attempts <= 3
  backoff 1 s .. 1 s } else fail "broken"
retry "models" on model any { when error.kind == "timeout" attempts <= 2
  backoff 1 s .. 1 s } else fail "broken"
route "cheap" { to "small" when has step.kind and step.kind == "short"
  fallback "large" -> "small" }
rule "cents" on tool "pay" when call.args.amount == $1.50 then deny because "cents"
rule "whole" on tool "pay" when has call.args.whole and call.args.whole == $1.50 then deny because "whole"
rule "share" on tool "pay" when has call.args.share and call.args.share == 12.5% then deny because "share"
rule "pause" on tool "pay" when has call.args.pause and call.args.pause == 1.5 s then deny because "pause"
rule "name" on tool "pay" when has call.args.name and call.args.name == "x" then deny because "name"
rule "yes" on tool "pay" when has call.args.yes and call.args.yes == true then deny because "yes"
rule "n" on tool "pay" when has call.args.n and call.args.n == 7 then deny because "n"
rule "trip" on tool "pay" when has trip.price and trip.price > $10 then escalate to "leads" because "dear"
queue "leads" { expires 10 min default stop "unanswered" }
state "over" tell user "x" state "broken" tell agent "x" state "unanswered" tell user "x"
"""


def misses(*items):
    source = POLICY + 'test "t" {\n' + "\n".join(items) + "\n}"
    (result,) = testing.run_source(source, "t.rein")
    return [(miss.expected, miss.came) for miss in result.misses]


@pytest.mark.parametrize(
    ("argument", "rule"),
    [
        ('"amount" $1.50', "cents"),
        ('"amount" $1 "whole" $1.50', "whole"),
        ('"amount" $1 "share" 12.5%', "share"),
        ('"amount" $1 "pause" 1500 ms', "pause"),
        ('"amount" $1 "name" "x"', "name"),
        ('"amount" $1 "yes" true', "yes"),
        ('"amount" $1 "n" 7', "n"),
    ],
)
def test_arguments_reach_the_engine_exactly(argument, rule):
    assert misses(f'tool "pay" {{ {argument} }}', f'expect deny by "{rule}"') == []


def test_facts_belong_to_one_call():
    assert misses(
        'tool "pay" { "amount" $1 trip.price $11 }', 'expect escalate to "leads" by "trip"',
        'tool "pay" { "amount" $1 }', "expect allow",
    ) == []  # fmt: skip


def test_an_approved_call_keeps_its_number():
    assert misses(
        'tool "pay" { "amount" $1 trip.price $11 }', "approve", "expect allow at call 1",
        'tool "look" { }', "expect allow at call 2", "expect allow",
    ) == []  # fmt: skip


def test_a_late_answer_leaves_it_to_the_queue():
    assert misses(
        'tool "pay" { "amount" $1 trip.price $11 }', "wait 11 min", "approve",
        'expect stop "unanswered" by "trip"', 'tool "look" { }', 'expect stop "unanswered" at call 2',
    ) == []  # fmt: skip


def test_failures_are_retried_until_the_decision_is_final():
    assert misses(
        'tool "look" { } fails "timeout" 2 times', "expect allow", 'expect wait by "tools"',
        'tool "look" { } fails "timeout" 3 times', 'expect fail "broken" by "tools"',
    ) == []  # fmt: skip


def test_an_exhausted_model_falls_back():
    assert misses(
        'model "large" { input 10 output 10 asks 10 } fails "timeout" 2 times', "expect allow",
        'model "large" { input 10 output 10 asks 10 } fails "timeout"', 'expect fail "broken" by "models"',
    ) == []  # fmt: skip


def test_a_timeout_keeps_its_hold_and_another_failure_costs_nothing():
    call = 'model "large" {{ input 500 output 0 asks 100 }} fails "{}"'
    assert misses(*[call.format("auth")] * 9, "expect allow") == []
    assert misses(*[call.format("timeout")] * 2, 'expect stop "over" by "per run"') == []


def test_used_output_never_exceeds_the_cap():
    assert misses(
        'model "large" { input 500 output 900 asks 100 }', 'model "large" { input 500 output 900 asks 800 }',
        "expect allow", 'model "large" { input 100 output 0 }', 'expect stop "over"',
    ) == []  # fmt: skip


def test_repeats_may_be_nested():
    assert misses('repeat 2 { repeat 3 { tool "look" { } } }', "expect allow at call 6") == []


def test_an_allowed_call_names_its_model():
    assert misses(
        'model "large" { input 10 asks 10 }', 'expect allow on "large"', 'expect allow on "large" at call 1',
        'model "large" { input 10 asks 10 step.kind "short" }', 'expect allow on "small"',
        'model "large" { input 10 asks 10 } fails "auth"', 'expect allow on "large"',
        'model "large" { input 10 asks 10 } fails "timeout" 2 times', 'expect allow on "small"',
    ) == []  # fmt: skip


def test_a_missed_model_says_which_was_allowed():
    assert misses(
        'model "large" { input 10 asks 10 step.kind "short" }', 'expect allow on "large"',
        'model "large" { input 9k }', 'expect allow on "large" at call 2',
    ) == [
        ("allow on `large`", "model `large` allowed on `small` (call 1)"),
        (
            "allow on `large` at call 2",
            "model `large` stopped in state `over` by limit `per run` at t.rein:10 (call 2)",
        ),
    ]  # fmt: skip


def test_a_tool_call_that_only_a_repeat_brings_there_has_no_model():
    assert misses(
        'model "small" { input 1 }', 'repeat 2 { expect allow on "small" tool "look" { } }'
    ) == [("allow on `small`", "tool `look` allowed (call 2)")]  # fmt: skip


def test_a_file_that_is_not_there(tmp_path):
    import checkrein

    with pytest.raises(checkrein.LoadError, match="cannot read the policy"):
        testing.run_file(tmp_path / "none.rein")


ASKING = """
language 1 policy "asking"
tool "book" { }
tool "close" { }
queue "user" { expires 10 min }
rule "day" on tool "book" then escalate to "user" as question because "Which day?"
rule "hard" on tool "close" then escalate to "user" as handover because "Not for an agent."
test "a question" { tool "book" { } answer "Monday" expect answer "Monday" by "day" }
test "another" { tool "book" { } answer "Monday" expect answer "Tuesday" }
test "no question" { tool "close" { } answer "Monday" expect escalate to "user" }
test "no yes" { tool "book" { } approve expect escalate to "user" }
test "a handover" { tool "close" { } approve expect handover by "hard" tool "book" { } expect handover }
test "no handover" { tool "close" { } reject expect handover }
"""


def test_questions_and_handovers_are_answered_in_tests(command, folder):
    (folder / "asking.rein").write_text(ASKING)
    printed = command("test", "asking.rein")
    verdicts = [line.split()[0] for line in printed.stdout.splitlines() if line[:2] in ("ok", "FA")]
    assert verdicts == ["ok", "FAIL", "FAIL", "FAIL", "ok", "FAIL"], printed.stdout
    assert printed.stdout.count("a question is answered with a text") == 2


CASCADE = """language 1 policy "c" loop off
model "small" is "t/small" { tier 1 place edge window 10k tokens output 1k tokens price free }
model "large" is "t/large" { tier 2 place cloud window 10k tokens output 1k tokens price free }
route "r" { to "small" then "large" when result.confidence < 70% and step.kind != "x" }
"""


@pytest.mark.parametrize(("call", "served"), [
    ("model { } gives { result.confidence 41% }", "large"),
    ("model { } gives { result.confidence 70% }", "small"),
    # What is not said is unknown, as for a host that cannot tell: the larger one is asked as well.
    ("model { }", "large"),
    ("model { } gives { }", "large"),
    ('model { step.kind "x" }', "small"),
    ('repeat 2 { model { } gives { result.confidence 90% } 1 times }', "small"),
])  # fmt: skip
def test_a_model_says_how_sure_it_is(call, served):
    other = "small" if served == "large" else "large"
    for model, misses in ((served, 0), (other, 1)):
        source = CASCADE + f'test "t" {{ {call} expect allow on "{model}" }}'
        (result,) = testing.run_source(source, "p.rein")
        assert len(result.misses) == misses, result


def test_a_miss_lists_what_was_decided_about_a_call_of_many_attempts():
    source = """
        language 1 policy "p" tool "look" { class retrieve may repeat }
        retry "again" on tool "look" { when error.kind == "timeout" attempts <= 20 backoff 1 s .. 1 s }
          else deny
        test "t" {
          tool "look" { } fails "timeout" 1 times expect deny expect wait
          tool "look" { } fails "timeout" expect allow
          tool "look" { } expect deny
        }
    """
    (result,) = testing.run_source(source, "p.rein")
    two, many, one = (miss.decided for miss in result.misses)
    waits = "tool `look` has to wait by retry `again` at p.rein:3"
    assert two == ("1. tool `look` allowed", f"2. {waits}", "3. tool `look` allowed")
    assert [len(many), many[0], many[6], many[-2]] == [
        13, "1. tool `look` allowed", "... 28 more", "39. tool `look` allowed",
    ]  # fmt: skip
    assert many[-1].startswith("40. tool `look` denied by retry `again`")
    assert one == ()
    assert str(result).count("\n") == 18


def test_an_error_that_is_passed_on_is_allowed_on_the_model_that_failed():
    source = """
        language 1 policy "p"
        model "small" is "a/b" { tier 1 place edge window 32k tokens output 2k tokens price free }
        model "large" is "c/d" { tier 3 place cloud window 32k tokens output 2k tokens price free }
        route "r" { to "small" fallback "small" -> "large" }
        test "t" {
          model { input 10 } fails "auth"
          expect allow on "small" by "not retried"
          expect allow on "large"
        }
    """
    (result,) = testing.run_source(source, "p.rein")
    failed = "model `any` failed on `small`, and its error was passed on (`not retried`)"
    (miss,) = result.misses
    assert (miss.expected, miss.came) == ("allow on `large`", f"{failed} (call 1)")
    assert miss.decided == ("1. model `any` allowed on `small`", f"2. {failed}")
