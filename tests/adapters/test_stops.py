"""How a run comes to its end: a soft warning, a call to wrap up, and then the hard stop, in this order."""

import pytest

import checkrein
from checkrein.demo.server import call_tool
from checkrein.sentences import WRAP_UP

from .agents import Shop, agent_of, question

SOFT = "Come to an end: few calls are left."
ENDING = f"""limit "ending" on run {{
  model_calls <= 5 tokens <= 60k tokens
  at 50% tell agent "{SOFT}"
  wrap up 1 call 10k tokens
}} else stop "ended" """
STATE = 'state "ended" tell agent "The limit is reached." tell user "I have come to my limit."'


def turn(number):
    """A model that never comes to an end by itself."""
    return call_tool("search", query=f"page {number}")


def test_an_agent_is_warned_then_wraps_up_and_is_stopped(serve, make_guard, records):
    server, shop = serve({"large-1": [turn(number) for number in range(9)]}), Shop()
    result = agent_of(make_guard(ENDING, STATE), server, shop.tools).invoke(question())
    system = [
        next((m["content"] for m in request.body["messages"] if m["role"] == "system"), "")
        for request in server.requests
    ]
    told = [(SOFT in text, WRAP_UP in text) for text in system]
    assert told == [(False, False), (False, False), (True, False), (True, False), (True, True)]
    last = result["messages"][-1]
    assert (last.content, result["checkrein_outcome"]) == ("I have come to my limit.", "ended")
    assert last.response_metadata["checkrein"]["state"] == "ended"
    ends = [record for record in records.decisions() if record["outcome"] == "stop"]
    assert [record["told"] for record in ends] == ["The limit is reached."]
    calls = [record for record in records.decisions() if record["event"] == "model call"]
    assert [record.get("wrap_up", False) for record in calls] == [False] * 4 + [True, False]


def test_the_same_three_by_hand(make_guard):
    seen = []
    with make_guard(ENDING, STATE).run() as run:
        while True:
            decision = run.decide(model="large", input_tokens=100, max_tokens=10)
            seen.append((decision.outcome, run.take_advice(), decision.wrap_up))
            if decision.outcome != "allow":
                break
            run.settle(decision, checkrein.guard.usage.Usage("exact", 100, 10))
        again = run.decide(tool="search", args={"query": "x"})
        with pytest.raises(checkrein.Stopped) as stopped:
            run.tool("search", lambda query: query, query="x")
    plain = ("allow", [], False)
    assert seen == [
        plain,
        plain,
        ("allow", [SOFT], False),
        plain,
        ("allow", [WRAP_UP], True),
        ("stop", [], False),
    ]
    assert (again.outcome, again.latched, again.tell_user) == ("stop", True, "I have come to my limit.")
    assert (stopped.value.state, str(run.outcome), run.outcome.kind) == ("ended", "ended", "stopped")
