"""What developers and agents read of a decision: it is true, and says what stood in the way."""

import re

import pytest

import checkrein
from checkrein.sentences import for_agent

FEW = 'limit "few" on run { tool_calls <= 2 } else deny'


def denial(call, *arguments, **named):
    with pytest.raises(checkrein.Denied) as denied:
        call(*arguments, **named)
    return denied.value


def test_a_child_that_its_parent_leaves_nothing_says_so(make_guard):
    with make_guard('tool "note" { may repeat }', FEW).run(id="boss") as run:
        run.tool("note", lambda: 1)
        run.tool("note", lambda: 2)
        denied = denial(run.child().child().tool, "note", lambda: 3)
    assert "tool_calls: 2 of 2 is spent, by run boss, which this one is a part of" in str(denied)


def test_a_childs_own_limit_is_its_own(make_guard):
    with make_guard('tool "note" { may repeat }', FEW).run() as run:
        child = run.child()
        child.tool("note", lambda: 1)
        child.tool("note", lambda: 2)
        assert "(tool_calls: 2 of 2 is spent) [" in str(denial(child.tool, "note", lambda: 3))


def test_an_agent_is_told_in_words_what_no_statement_denied(guard):
    run = guard.run()
    told = [for_agent(denial(run.tool, "serch", lambda: 1).decision)]
    run.call_tool("quick", lambda: 1, {}, key="k")
    told.append(for_agent(denial(run.call_tool, "quick", lambda: 1, {}, key="k").decision))
    run.end()
    told.append(for_agent(denial(run.tool, "quick", lambda: 1).decision))
    assert told == [
        "This call was not run. No tool of this name may be called.",
        "This call was not run. The same call is over, or still under way.",
        "This call was not run. The run is over.",
    ]


def test_a_class_method_is_guarded_from_inside(guard):
    def look(_cls, query):
        return query

    with guard.run():
        with pytest.raises(TypeError, match="put `@classmethod` above"):
            guard.tool(name="search")(classmethod(look))("x")
        owner = type("Owner", (), {"look": classmethod(guard.tool(name="search")(look))})
        assert owner.look("x") == "x"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (
            {"input_tokens": 1},
            "`no candidate`; no route gives a model, and the call names none: pass `model=",
        ),
        (
            {"model": "small", "input_tokens": 8_000},
            "`no usable model`; `small`: the input and its least output exceed its window [",
        ),
    ],
)
def test_a_model_call_that_no_model_takes_says_what_it_lacks(guard, asked, why):
    with guard.run() as run, pytest.raises(checkrein.Denied, match=re.escape(why)):
        run.model(lambda model, max_tokens: None, **asked)
