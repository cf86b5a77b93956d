"""The most operations of one decision, counted by hand."""

from checkrein.analysis import bound
from checkrein.language import sound

HEAD = """language 1
policy "p"
model "small" is "x/s" { tier 1 place edge window 8k tokens output 1k tokens price free }
model "large" is "x/l" { tier 3 place cloud window 8k tokens output 1k tokens price free }
fact data.n count default 0
tool "look" { class retrieve result { "rows" count } succeeds when result.rows > 0 }
tool "pay" { class act }
"""


def counted(*statements):
    return bound(sound(HEAD + "\n".join(statements), "p.rein")).operations


def test_a_policy_without_conditions_has_none_but_those_of_results():
    found = counted()
    assert (found.model_call, found.model_error, found.model_result) == (0, 0, 0)
    assert found.tool_call == found.tool_error == {"look": 0, "pay": 0}
    assert found.tool_result == {"look": 1, "pay": 0}


def test_a_comparison_is_one_and_each_further_one_brings_a_jump_and_a_join():
    one, two = "data.n > 1", "data.n > 1 or not data.n == 0"  # 1; 1 + jump + 1 + not + join
    found = counted(f'rule "a" on tool any when {one} then deny because "No."',
                    f'rule "b" on tool "pay" when {two} then deny because "No."')  # fmt: skip
    assert found.tool_call == {"look": 1, "pay": 1 + 5}


def test_a_model_call_asks_rules_requirements_and_arms():
    arms = [
        'to "small" when data.n > 3 and data.n < 8',
        'to "small" then "large" when result.confidence < 50%',
    ]
    route = f'route "r" {{ {" ".join(arms)} }}'
    rules = [
        'rule "a" on model any when data.n > 1 then deny because "No."',
        'rule "b" on model "small" when data.n > 2 then deny because "No."',
        'rule "c" on model "large" when data.n in [3, 4, 5] then deny because "No."',
        'require "d" place edge when data.n > 9',
    ]
    found = counted(*rules, route)
    assert found.model_call == 1 + (1 + 1) + 1 + 4
    # The larger model is asked for in the same decision.
    assert found.model_result == 1 + found.model_call
    # Candidates are tried again with what was kept back for the end.
    limit = 'limit "l" on run { steps <= 9 tokens <= 90k tokens wrap up 1 call 1k tokens } else deny'
    assert counted(*rules, route, limit).model_call == found.model_call + (1 + 1)
    seen = 'observe until 2026-12-31 require "e" place cloud when data.n > 9'
    assert counted(*rules, route, seen).model_call == found.model_call + 2


def test_errors_ask_the_retries_of_what_failed():
    retries = [
        'retry "a" on tool class retrieve { when error.kind == "timeout" attempts <= 2 } else deny',
        'retry "b" on model any { when error.kind == "timeout" attempts <= 2 } else deny',
        'retry "c" on model "large" { when error.kind != "timeout" and data.n > 0 attempts <= 2 } else deny',
    ]
    found = counted(*retries)
    assert found.tool_error == {"look": 1, "pay": 0}
    # Half a result is an error.
    assert found.tool_result == {"look": 1 + 1, "pay": 0}
    assert found.model_error == 1 + 4


def test_a_list_is_asked_as_often_as_it_may_have_elements():
    fact = "fact data.codes list of count at most 7\n"
    rule = 'rule "a" on tool any when any of data.codes > 3 and data.n > 1 then deny because "No."'
    assert counted(fact, rule).tool_call == {"look": 7 + 3, "pay": 7 + 3}
