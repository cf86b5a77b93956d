"""What `check` says of routes and requirements is what the engine does with the calls of its examples."""

import pytest

from checkrein import testing
from checkrein.language import check, parse

HEAD = """language 1
policy "p"
model "small" is "x/s" { tier 1 place edge window 8k tokens output 1k tokens price free }
model "large" is "x/l" { tier 3 place cloud region "eu" window 8k tokens output 1k tokens price free }
fact data.class one of "public", "internal", "pii" default "public"
fact data.size count default 0
"""
CLASSES = ["public", "internal", "pii"]


def findings_of(*lines, deep=False):
    policy, findings = parse(HEAD + "\n".join(lines), "p.rein")
    assert not findings
    return [each for each in check(policy, deep=deep) if each.code != "R0639"]


def found(*lines):
    return [each.code for each in findings_of(*lines)]


def route(*arms):
    return f'route "r" {{ {" ".join(arms)} }}'


def came(lines, facts, expected):
    """Whether the engine decides a model call with these facts like that."""
    sent = " ".join(f"{name} {value}" for name, value in facts.items())
    source = HEAD + "\n".join(lines) + f'\ntest "t" {{ model {{ {sent} }} expect {expected} }}'
    return testing.run_source(source, "p.rein")[0].passed


def served(lines, facts):
    """The model that serves a call; None if it is denied."""
    return next((m for m in ("small", "large") if came(lines, facts, f'allow on "{m}"')), None)


SMALL, LARGE = 'to "small"', 'to "large"'


@pytest.mark.parametrize("arms", [
    [f"{SMALL} when data.size > 3", f"{LARGE} when data.size > 5"],
    [f"{SMALL} when data.size > 3 and data.size < 6", f"{SMALL} when data.size > 5",
     f'{LARGE} when data.size > 4 and data.class == "pii"'],
    [f"{SMALL} when has step.confidence", f"{LARGE} when has step.confidence and step.confidence > 50%"],
])  # fmt: skip
def test_an_arm_that_never_comes_first_never_serves(arms):
    (finding,) = findings_of(route(*arms))
    assert finding.code == "R0632"
    assert served([route(*arms)], dict(finding.example.facts)) == "small"
    for size in range(8):
        for kind in CLASSES:
            facts = {"data.size": size, "data.class": f'"{kind}"', "step.confidence": f"{10 * size}%"}
            assert served([route(*arms)], facts) != "large"


@pytest.mark.parametrize("arms", [
    [f"{SMALL} when data.size > 5", f"{LARGE} when data.size > 3"],
    [f"{SMALL} when data.size > 3 and data.size < 6", f"{LARGE} when data.size > 4", SMALL],
    # Of an ill-typed size neither is told: an arm that is unknown is passed over.
    [f"{SMALL} when data.size > 3", f"{LARGE} when data.size <= 3"],
    [f"{SMALL} when data.size > 3", LARGE],
    [f"{SMALL} when data.size > 3", f"{SMALL} then {LARGE[3:]} when result.confidence < 50%"],
])  # fmt: skip
def test_arms_that_choose_are_left_alone(arms):
    assert found(route(*arms)) == []


@pytest.mark.parametrize("arms", [
    [f"{SMALL} when data.size > 3", f"{LARGE} when data.size < 2", f"{SMALL} when data.size > 5"],
    [f"{SMALL} when data.size > 3", f"{LARGE} when data.size > 5", LARGE],
])  # fmt: skip
def test_an_arm_that_adds_nothing_can_be_left_out(arms):
    (finding,) = [each for each in findings_of(route(*arms)) if each.code == "R0633"]
    place = next(i for i, arm in enumerate(arms) if finding.span.column == len('route "r" { ') + 4
                 + sum(len(each) + 1 for each in arms[:i]))  # fmt: skip
    fewer = [arm for i, arm in enumerate(arms) if i != place]
    calls = [dict(finding.example.facts), *({"data.size": size} for size in range(8))]
    for facts in calls:
        assert served([route(*arms)], facts) == served([route(*fewer)], facts)


def test_a_value_without_an_arm_has_no_model():
    lines = [route(f'{SMALL} when data.class == "pii"', f'{LARGE} when data.class == "public"')]
    (finding,) = findings_of(*lines)
    assert (finding.code, finding.example.facts) == ("R0634", (("data.class", '"internal"'),))
    assert served(lines, dict(finding.example.facts)) is None
    assert all(served(lines, {"data.class": f'"{kind}"'}) for kind in ("public", "pii"))


@pytest.mark.parametrize("arms", [
    # All choices have an arm; a text may be anything; one arm is no table; the host may
    # name the model that falls back.
    [f'{SMALL} when data.class == "pii"', f'{LARGE} when data.class in ["public", "internal"]'],
    [f'{SMALL} when step.kind == "a"', f'{LARGE} when step.kind == "b"'],
    [f'{SMALL} when data.class == "pii"'],
    [f'{SMALL} when data.class == "pii"', f'{LARGE} when data.class == "public"',
     'fallback "large" -> "small"'],
])  # fmt: skip
def test_a_route_that_leaves_the_rest_to_the_host_is_left_alone(arms):
    assert found(route(*arms)) == []


@pytest.mark.parametrize(("lines", "code"), [
    (['require "a" place edge', 'require "b" tier >= 2 when data.size > 3'], "R0635"),
    (['require "a" place edge when data.size > 2', 'require "b" tier >= 2 when data.size > 3'], "R0635"),
    (['require "a" model in ["small"]', 'require "b" region "eu"'], "R0635"),
    (['require "a" place edge when data.class == "pii"', 'require "b" tier > 1 when data.size > 3'], "R0641"),
    (['require "a" place edge when data.size < 9', 'require "b" tier >= 2 when data.size > 3'], "R0641"),
])  # fmt: skip
def test_requirements_that_leave_no_model_deny(lines, code):
    every = [*lines, route(LARGE, 'fallback "large" -> "small"')]
    (finding,) = [each for each in findings_of(*every, deep=True) if each.code != "R0636"]
    assert finding.code == code
    assert came(every, dict(finding.example.facts), "deny")
    assert all(came([line, every[-1]], dict(finding.example.facts), "allow") for line in lines)
    assert ("R0635" in found(*every)) == (code == "R0635")
    assert "R0641" not in found(*every)


def test_three_requirements_that_leave_no_model():
    lines = ['require "a" place edge', 'require "b" tier >= 2', 'require "c" region "eu"']
    third = 'model "third" is "x/t" { tier 3 place edge window 8k tokens output 1k tokens price free }'
    fourth = (
        third.replace("third", "fourth").replace("tier 3", "tier 1").replace("window", 'region "eu" window')
    )
    (finding,) = findings_of(*lines, third, fourth)
    assert finding.message == "no model meets `a`, `b` and `c`, and one never applies without the rest"
    assert came([*lines, third, fourth, route(LARGE)], {}, "deny")
    assert found(*lines, third, fourth.replace("tier 1", "tier 2")) == []


def test_requirements_that_never_meet_are_left_alone():
    edge = 'require "a" place edge when data.class == "pii"'
    for other, codes in (("==", []), ("!=", ["R0635"])):
        line = f'require "b" tier >= 2 when data.class {other} "public"'
        assert [each.code for each in findings_of(edge, line, deep=True)] == codes


@pytest.mark.parametrize("lines", [
    ['require "a" place edge when data.class != "public"',
     route(f'{LARGE} when data.class == "pii"', SMALL)],
    ['require "a" place edge when data.size > 3', 'require "b" tier <= 2 when data.size <= 3',
     route(f'{LARGE} when data.class == "pii"', SMALL)],
    ['require "a" place edge', route(SMALL, 'fallback "small" -> "large"')],
    ['require "a" place edge', route(f"{SMALL} when data.size > 3", LARGE)],
])  # fmt: skip
def test_a_model_that_is_ruled_out_wherever_the_route_leads_to_it_never_serves(lines):
    (finding,) = findings_of(*lines)
    assert finding.code == "R0636"
    assert not came(lines, dict(finding.example.facts), 'allow on "large"')
    for size in range(8):
        for kind in CLASSES:
            facts = {"data.size": size, "data.class": f'"{kind}"'}
            assert not came(lines, facts, 'allow on "large"')


def test_a_model_that_is_ruled_out_sometimes_is_left_alone():
    lines = ['require "a" place edge when data.size > 3', route(f'{LARGE} when data.class == "pii"', SMALL)]
    assert found(*lines) == []


def test_a_model_that_nothing_leads_to_is_not_even_asked_for():
    lines = [route(LARGE)]
    assert found(*lines) == ["R0637"]
    source = HEAD + lines[0] + '\ntest "t" { model "small" { } expect allow on "large" }'
    assert testing.run_source(source, "p.rein")[0].passed
    assert found(route(f"{LARGE} when data.size > 3")) == []
    assert found(route(LARGE, 'fallback "large" -> "small"')) == []


THIRD = 'model "third" is "x/t" { tier 1 place edge window 8k tokens output 1k tokens price free }'


@pytest.mark.parametrize("last", ['to "third"', 'to "third" then "small" when result.confidence < 50%'])
def test_a_reserve_before_an_arm_that_is_always_true_is_left_alone(last):
    plan = 'when step.kind == "plan"'
    assert found(THIRD, route(f"{LARGE} {plan}", f"{SMALL} {plan}", last)) == []
    down = 'model { step.kind "plan" } fails "unavailable" 1 times'
    asked = f'test "t" {{ {down} expect allow on "small" model {{ step.kind "x" }} '
    asked += "gives { result.confidence 90% }"
    source = (
        HEAD
        + THIRD
        + route(f"{LARGE} {plan}", f"{SMALL} {plan}", last)
        + asked
        + ' expect allow on "third" }'
    )
    (result,) = testing.run_source(source, "p.rein")
    assert result.passed, result
