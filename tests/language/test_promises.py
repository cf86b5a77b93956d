"""Statements that `check` says nothing comes of: in the engine nothing does."""

import pytest

from checkrein import _core, testing
from checkrein.language import check, compile_source, parse, tree

HEAD = """language 1
policy "p"
model "m" is "x/m" {
  place cloud window 8k tokens output 1k tokens least output 500 tokens
  price input $1 output $4 reasoning $8 per 1M tokens
}
tool "look" { class retrieve }
tool "pay" { class act once }
tool "book" { class act }
tool "cancel" { class act }
queue "q" { expires 1 h grants 2 at most 2 times }
"""


def found(source):
    policy, findings = parse(HEAD + source, "p.rein")
    assert not findings
    return [(each.code, each.message) for each in check(policy) if each.code != "R0109"]


def passes(source, *items):
    """Whether a test with these items holds."""
    (result,) = testing.run_source(HEAD + source + f'\ntest "t" {{ {" ".join(items)} }}', "p.rein")
    return result.passed


def attempts(source, call):
    """How many attempts of a call are made that fails every time."""
    source = HEAD + source + f'\ntest "t" {{ {call} fails "unavailable" expect allow }}'
    policy, _ = parse(source, "p.rein")
    program = _core.Program.load(compile_source(source, "p.rein"))
    played = testing.Rehearsal(policy, program, policy.of(tree.Test)[0])
    played.result()
    asked = [each for each in played.calls[0].decisions if each.event.endswith("call")]
    return sum(each.outcome == "allow" for each in asked)


LOOK, MODEL = 'tool "look" { }', 'model "m" { }'


@pytest.mark.parametrize(("limit", "retry", "call", "possible"), [
    ("on run { tool_calls <= 2 }", "on tool any { attempts <= 5 }", LOOK, 2),
    ("on run { attempts <= 3 }", "on tool any { attempts <= 5 }", LOOK, 3),
    ("on run { retries <= 0 }", "on tool any { attempts <= 5 }", LOOK, 1),
    ("on run { calls of tool class retrieve <= 2 }", 'on tool "look" { attempts <= 5 }', LOOK, 2),
    ("on run { model_calls <= 2 }", "on model any { attempts <= 5 }", MODEL, 2),
    ("on run { wall_time <= 5 s }", "on tool any { attempts <= 5 backoff 2 s .. 2 s }", LOOK, 3),
    ("on run { active_time <= 3 s }", "on tool any { attempts <= 5 backoff 4 s .. 9 s }", LOOK, 1),
])  # fmt: skip
def test_attempts_that_a_limit_leaves_no_room_for_are_not_made(limit, retry, call, possible):
    source = f'limit "l" {limit} else deny\nretry "r" {retry} else deny\n'
    ((code, message),) = found(source)
    assert (code, f"at most {possible} of its 5" in message) == ("R0630", True)
    assert attempts(source, call) <= possible


@pytest.mark.parametrize(("limit", "retry"), [
    ("on run { tool_calls <= 5 }", "on tool any { attempts <= 5 }"),
    ("on run { tool_calls <= 2 }", "on model any { attempts <= 5 }"),
    ('on run { calls of tool "look" <= 2 }', "on tool any { attempts <= 5 }"),
    ("on user each day { tool_calls <= 2 }", "on tool any { attempts <= 5 }"),
    ("on run { tool_calls <= 2 counts succeeded }", "on tool any { attempts <= 5 }"),
    # A run that is suspended between two attempts has all its active time still.
    ("on run { active_time <= 3 s }", "on tool any { attempts <= 5 backoff 2 s .. 9 s }"),
])  # fmt: skip
def test_attempts_that_may_be_made_are_left_alone(limit, retry):
    assert found(f'limit "l" {limit} else deny\nretry "r" {retry} else deny\n') == []


def test_a_limit_that_people_raise_leaves_room():
    limit = 'limit "l" on run { tool_calls <= 2 } else escalate to "q"\n'
    assert found(limit + 'retry "r" on tool any { attempts <= 5 } else deny\n') == []


def test_a_tool_that_runs_once_is_not_retried():
    source = 'retry "r" on tool "pay" { attempts <= 3 } else deny\n'
    assert [code for code, _ in found(source)] == ["R0630"]
    assert attempts(source, 'tool "pay" { }') == 1
    assert found('retry "r" on tool class act { attempts <= 3 } else deny\n') == []


def test_without_a_retry_or_a_route_nothing_is_tried_again():
    source = 'limit "l" on run { retries <= 4 } else deny\n'
    assert [code for code, _ in found(source)] == ["R0631"]
    assert attempts(source, LOOK) == attempts(source, MODEL) == 1
    assert found(source + 'retry "r" on tool any { attempts <= 3 } else deny\n') == []


@pytest.mark.parametrize(("bound", "fits"), [
    ("cost <= $0.003999", False), ("cost <= $0.004", True),
    ("tokens <= 499 tokens", False), ("output_tokens <= 499 tokens", False), ("tokens <= 500 tokens", True),
])  # fmt: skip
def test_a_model_that_does_not_fit_a_limit_serves_nobody(bound, fits):
    source = f'limit "l" on run {{ {bound} }} else deny\n'
    assert [code for code, _ in found(source)] == ([] if fits else ["R0638"])
    assert passes(source, MODEL, "expect", "allow" if fits else "deny")
    assert passes(source, 'model "m" { asks 400 tokens } expect allow')


BOOK = 'order "b" { "book" before "cancel" within run } else deny\n'


@pytest.mark.parametrize(("source", "stuck"), [
    (BOOK + 'order "c" { "cancel" before "book" within run } else deny\n', ["book", "cancel"]),
    (BOOK + 'rule "r" on tool "book" then deny because "Never."\n', ["cancel"]),
    (BOOK + 'order "c" { "cancel" before "pay" within run } else deny\n'
     'order "d" { "pay" before "book" within run } else deny\n', ["book", "cancel", "pay"]),
])  # fmt: skip
def test_tools_that_wait_for_each_other_are_never_run(source, stuck):
    ((code, message),) = found(source)
    assert code == "R0640"
    assert all(f"`{name}`" in message for name in stuck)
    tools = ["look", "pay", "book", "cancel"]
    calls = [f'tool "{name}" {{ }}' for name in tools] * 3
    for place, name in enumerate(tools * 3, 1):
        assert not passes(source, *calls, f"expect allow at call {place}") or name not in stuck


@pytest.mark.parametrize("source", [
    BOOK,
    # One of a class will do, or a person.
    BOOK + 'order "c" { class act before "book" within run } else deny\n',
    BOOK + 'order "c" { "cancel" before "book" within run } else escalate to "p"\n'
    'queue "p" { expires 1 h }\n',
    BOOK + 'rule "r" on tool "book" when step.kind == "x" then deny because "Not now."\n',
])  # fmt: skip
def test_tools_that_can_be_run_are_left_alone(source):
    assert found(source) == []


def test_a_fact_that_nothing_reads_is_told_of_on_request():
    fact = "fact data.class text\n"
    rule = 'rule "r" on tool any when data.class == "x" then deny because "No."\n'
    answer = 'rule "r" on model any then answer "{data.class}" because "So."\n'
    limit = 'limit "l" on data.class { tool_calls <= 9 } else deny\n'
    test = f'test "t" {{ {LOOK[:-1]} data.class "x" }} expect allow }}\n'
    define = 'define x.y = data.class == "x"\nrule "r" on tool any when x.y then deny because "No."\n'
    for source, codes in [
        (fact, ["R0639"]), (fact + test, ["R0639"]),
        (fact + rule, []), (fact + answer, []), (fact + limit, []), (fact + define, []),
    ]:  # fmt: skip
        policy, findings = parse(HEAD + source, "p.rein")
        assert not findings
        assert [each.code for each in check(policy, deep=True) if each.code != "R0109"] == codes
        assert [each.code for each in check(policy) if each.code != "R0109"] == []
