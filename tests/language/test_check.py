"""What is right and what is wrong beyond the grammar; the wording is pinned in `grammar/rejects`."""

import pytest

from checkrein.diagnostics import to_json
from checkrein.language import check, parse

HEADER = 'language 1\npolicy "p"\n'
TOOLS = """
tool "pay" { class act  args { "amount" money  "note" text optional  "kind" one of "a", "b" } }
tool "look" { class retrieve  args { "amount" count  "kind" one of "b", "c" } }
tool "plain" { }
model "m" is "x/m" { place edge  window 8k tokens  output 1k tokens  price free }
fact data.vip flag
fact data.size count optional
fact data.class one of "public", "pii" default "pii"
"""


def findings(body):
    policy, found = parse(HEADER + body, "p.rein")
    return found + (check(policy) if policy else [])


def codes(body):
    return [d.code for d in findings(body)]


def rule(condition, selector='tool "pay"'):
    return TOOLS + f'rule "r" on {selector} when {condition} then deny because "No."\n'


# -- guards ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        "has data.size and data.size > 1",
        "has data.size and (data.size > 1 or data.size in [0])",
        "has data.size and not data.size > 1",
        "not has data.size or data.size > 1",
        "not (not has data.size) and data.size > 1",
        "not (has data.size and data.vip == true) or data.size > 1",
        "(has data.size and data.vip == true or has data.size) and data.size > 1",
        'data.class == "pii" and data.vip == true',
        'has call.args.note and call.args.note starts with "x"',
        "has data.vip",
    ],
)
def test_a_guarded_fact_is_fine(condition):
    assert codes(rule(condition)) == []


@pytest.mark.parametrize(
    "condition",
    [
        "data.size > 1",
        "data.size > 1 and has data.size",
        "has data.size or data.size > 1",
        "not has data.size and data.size > 1",
        "(has data.size or data.vip == true) and data.size > 1",
        "not (has data.size or data.vip == true) or data.size > 1 and not has data.size or data.size > 2",
        "has step.kind and step.confidence > 1%",
        'call.args.note == "x"',
    ],
)
def test_an_unguarded_fact_is_found(condition):
    found = codes(rule(condition))
    assert found
    assert set(found) == {"R0204"}


def test_a_guard_at_the_use_of_a_define_is_enough():
    body = TOOLS + "define a.big = data.size > 5\n"
    guarded = body + 'rule "r" on tool "pay" when has data.size and a.big then deny because "No."\n'
    assert codes(guarded) == []
    open_use = guarded + 'rule "s" on tool "pay" when a.big then deny because "No."\n'
    (found,) = findings(open_use)
    assert (found.code, found.line) == ("R0204", 11)
    assert found.related[0].span.line == 13


# -- facts where they are known --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "selector"),
    [
        ("call.args.amount > $5", 'tool "pay"'),
        ("call.args.amount > 5", 'tool "look"'),
        ('call.args.kind == "c"', 'tool "look"'),
        ('has call.args.kind and call.args.kind == "a"', "tool any"),
        ('call.tool == "pay"', "tool any"),
        ('call.model == "m"', 'model "m"'),
        ('has call.model and call.model == "m"', "model any"),
        ("call.input_tokens > 5 tokens", "model any"),
        ("step.index > 5 and call.attempt == 1 and run.cost.spent >= $1", "model any"),
        ("run.active_time.spent > 5 s and run.tokens.held > 5 tokens", 'tool "pay"'),
        ("has step.confidence and step.confidence < 12.5%", 'tool "pay"'),
    ],
)
def test_a_fact_is_known_there(condition, selector):
    # One model or tool is all there is, so some of these are known to be true.
    assert set(codes(rule(condition, selector))) <= {"R0620"}


@pytest.mark.parametrize(
    ("condition", "selector", "code"),
    [
        ("call.args.amount > $5", "tool any", "R0206"),
        ("call.args.amount > 5", 'tool "pay"', "R0201"),
        ('call.args.kind == "c"', 'tool "pay"', "R0205"),
        ('call.args.kind == "a"', "tool any", "R0204"),
        ("call.args.none == 5", "tool any", "R0104"),
        ("call.args.amount > $5", 'model "m"', "R0110"),
        ('call.tool == "pay"', "model any", "R0110"),
        ("call.input_tokens > 5 tokens", 'tool "pay"', "R0110"),
        ('call.model == "m"', "model any", "R0204"),
        ('error.kind == "timeout"', 'tool "pay"', "R0110"),
        ("run.steps.held > 5", 'tool "pay"', "R0103"),
        ("run.steps.left > 5", 'tool "pay"', "R0111"),
        ("session.cost.spent > $5", 'tool "pay"', "R0111"),
        ("now.hours > 5", 'tool "pay"', "R0103"),
        ("data.vip > true", 'tool "pay"', "R0202"),
        ('data.size starts with "x"', 'tool "pay"', "R0202"),
        ("data.vip in [true, 5]", 'tool "pay"', "R0201"),
    ],
)
def test_a_fact_is_not_what_was_meant_there(condition, selector, code):
    assert codes(rule(condition, selector))[0] == code


def test_a_retry_sees_the_error():
    body = (
        'retry "r" on tool any { when error.kind in ["timeout"] and has error.status and error.status >= 500 '
    )
    assert codes(TOOLS + body + "attempts <= 3 } else deny\n") == []
    assert codes(TOOLS + body.replace("timeout", "tmeout") + "attempts <= 3 } else deny\n") == ["R0205"]


def test_what_is_left_needs_a_limit_of_that_dimension():
    body = rule("run.steps.left < 5")
    assert codes(body + 'limit "l" on run { steps <= 9 } else deny\n') == []
    assert codes(body + 'limit "l" on run { tool_calls <= 9 } else deny\n') == ["R0111"]


# -- zero and other edges --------------------------------------------------------------------------


@pytest.mark.parametrize("bound", ["cost <= $0", "tool_calls <= 0", "steps <= 1", "tokens <= 1 tokens"])
def test_a_limit_may_be_small(bound):
    assert codes(f'limit "l" on run {{ {bound} }} else deny\n') == []


@pytest.mark.parametrize(
    "bound", ["steps <= 0", "tokens <= 0 tokens", "model_calls <= 0", "active_time <= 0 s"]
)
def test_a_limit_that_lets_nothing_run_is_refused(bound):
    assert codes(f'limit "l" on run {{ {bound} }} else deny\n') == ["R0303"]


@pytest.mark.parametrize(
    ("loop", "right"),
    [
        ("same call >= 2 within 1 steps", True),
        ("same call >= 256 within 9 steps", True),
        ("same call >= 257 within 9 steps", False),
        ("same call >= 2 within 0 steps", False),
        ("cycle <= 1 calls repeated >= 2", True),
        ("cycle <= 64 calls repeated >= 4", True),
        ("cycle <= 64 calls repeated >= 5", False),
        ("cycle <= 0 calls repeated >= 2", False),
        ("cycle <= 4 calls repeated >= 1", False),
    ],
)
def test_the_numbers_of_a_loop(loop, right):
    assert codes(f'loop "l" on run {{ {loop} }} else deny\n') == ([] if right else ["R0503"])


def test_a_long_circle_of_fallbacks_is_found_once():
    models = "".join(
        f'model "m{i}" is "x/m" {{ place edge  window 8k tokens  output 1k tokens  price free }}\n'
        for i in range(40)
    )
    edges = " ".join(f'fallback "m{i}" -> "m{(i + 1) % 40}"' for i in range(40))
    assert codes(models + f'route "r" {{ {edges} }}\n') == ["R0405"]
    assert codes(models + f'route "r" {{ {edges.rsplit("fallback", 1)[0]} }}\n') == []


def test_a_long_chain_of_defines_is_no_recursion():
    chain = "".join(f"define a.b{i} = not a.b{i + 1}\n" for i in range(5_000))
    assert codes(TOOLS + chain + "define a.b5000 = has step.kind\n") == ["R0020"]


def test_defines_that_double_are_measured_and_not_built():
    doubling = "".join(f"define a.b{i} = a.b{i + 1} and a.b{i + 1}\n" for i in range(60))
    assert codes(doubling + "define a.b60 = has step.kind\n") == ["R0207"]


def test_names_of_different_kinds_do_not_collide():
    assert codes('tool "x" { }\nrule "x" on tool "x" then stop "x" because "No."\nstate "x" tell user "X."\n'
                 'limit "x" on run { steps <= 1 } else stop "x"\n') == []  # fmt: skip


def test_warnings_wait_until_there_is_no_error():
    unused = 'state "never" tell user "Never."\ndefine a.b = has step.kind\nqueue "q" { expires 1 h }\n'
    assert [(d.code, d.severity) for d in findings(unused)] == [
        ("R0109", "warning"),
        ("R0108", "warning"),
        ("R0109", "warning"),
    ]
    assert codes(unused + 'tool "t" { }\ntool "t" { }\n') == ["R0102"]


def test_a_test_may_name_what_the_engine_decides_by_itself():
    call = 'tool "plain" { "any" "thing"  data.vip true  step.kind "x" }'
    assert codes(TOOLS + f'test "t" {{ {call}  expect deny by "no candidate" }}\n') == []


def test_repeats_multiply():
    inner = 'repeat 100 { repeat 100 { tool "plain" { } } }'
    assert codes(TOOLS + f'test "t" {{ {inner}  expect allow at call 10000 }}\n') == []
    assert codes(TOOLS + f'test "t" {{ {inner}  tool "plain" {{ }}  expect allow }}\n') == ["R0605"]


def test_a_finding_as_json():
    (found,) = findings('tool "s" { }\nrule "r" on tool "t" then deny because "No."\n')
    assert to_json(found) == {
        "code": "R0101",
        "severity": "error",
        "message": "unknown tool `t`",
        "file": "p.rein",
        "line": 4,
        "column": 18,
        "start": 52,
        "end": 55,
        "expected": [],
        "help": 'declare it: `tool "t" { ... }`',
        "related": [],
        "fix": None,
        "example": None,
    }
