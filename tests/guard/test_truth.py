"""An invented tool result is found: what the conversation says is held against what tools gave."""

from __future__ import annotations

import pytest

import checkrein
from checkrein import VirtualClock
from checkrein.errors import Denied
from checkrein.guard.result import fingerprint
from checkrein.sentences import for_agent

POLICY = """
language 1
policy "truth"
model "m" is "x/m" { place cloud window 8k tokens output 1k tokens price free }
tool "look" { }
tool "act" { }
rule "no acts" on tool "act" then deny because "Not today."
truth { tool results } else deny because "No tool gave that."
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "policy.rein").write_text(POLICY)
    guard = checkrein.load(tmp_path / "policy.rein", clock=VirtualClock(), log=None)
    with guard.run() as run:
        yield run
    guard.close()


def ask(run, results):
    return run.model(lambda model, max_tokens: "said", model="m", results=results)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("sunny", "sunny"),
        ({"b": 1, "a": [1.0, None]}, '{"a": [1, null], "b": 1}'),
        ('{"b":1}', {"b": 1}),
        ("42", 42),
        (None, "null"),
    ],
    ids=["text", "json", "text of json", "number", "nothing"],
)
def test_what_a_tool_gave_is_known_however_it_is_written(run, given, said) -> None:
    run.tool("look", lambda: given)
    assert ask(run, [said]) == "said"


@pytest.mark.parametrize("said", ["rainy", "sunny ", '"sunny', {"sunny": 1}, None], ids=str)
def test_what_no_tool_gave_is_found(run, said) -> None:
    run.tool("look", lambda: "sunny")
    with pytest.raises(Denied) as caught:
        ask(run, ["sunny", said])
    assert (caught.value.decision.by, caught.value.decision.undecided) == ("tool results", False)


def test_a_host_that_says_nothing_is_told_so(run) -> None:
    with pytest.raises(Denied) as caught:
        ask(run, None)
    assert caught.value.decision.undecided


def test_what_the_policy_told_the_agent_is_no_invention(run) -> None:
    with pytest.raises(Denied) as caught:
        run.tool("act", lambda: 1)
    assert ask(run, [for_agent(caught.value.decision)]) == "said"


def test_what_the_host_told_the_agent_is_no_invention_if_it_says_so(run) -> None:
    with pytest.raises(OSError, match="gone"):
        run.tool("look", lambda: (_ for _ in ()).throw(OSError("gone")))
    with pytest.raises(Denied):
        ask(run, ["Error: gone"])
    run.tell_agent("Error: gone")
    assert ask(run, ["Error: gone"]) == "said"


def test_low_level_hosts_pass_results_too(run) -> None:
    decision = run.decide(tool="look")
    run.result(decision, fingerprint=fingerprint("sunny"))
    assert run.decide(model="m", results=["sunny"]).outcome == "allow"
    assert run.decide(model="m", results=["rainy"]).outcome == "deny"
