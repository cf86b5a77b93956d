"""Failures of routing elsewhere: a session that is moved about pays for its prompt again and again."""

import checkrein
from checkrein.guard.usage import Usage

POLICY = """
language 1
policy "affinity"
model "large" is "x/large" { tier 2 place cloud window 100k tokens output 200 tokens
  price input $3 output $15 cache read $0.30 cache write $3.75 per 1M tokens }
model "cheap" is "x/cheap" { tier 1 place cloud window 100k tokens output 200 tokens
  price input $1 output $5 per 1M tokens }
limit "purse" on session { cost <= $100 } else stop "over"
state "over" tell user "Over."
route "by step" { to "cheap" when step.kind == "note" to "large" }
"""


def test_failure_49_a_switch_in_a_session_pays_for_the_cache_that_it_loses(tmp_path):
    (tmp_path / "affinity.rein").write_text(POLICY)
    clock = checkrein.VirtualClock()
    guard = checkrein.load(tmp_path / "affinity.rein", log=None, store="memory:", clock=clock)
    prompt, served = 20_000, []
    for turn in range(20):  # every second step would be cheaper by its list price
        with guard.run(session="s") as run:
            facts = {"step.kind": "note" if turn % 2 else "talk"}
            decision = run.decide(input_tokens=prompt, facts=facts)
            served.append((decision.model, decision.stayed))
            cached = prompt - 100 if turn else 0
            usage = Usage("exact", prompt, 50, cache_read_tokens=cached, cache_write_tokens=prompt - cached)
            run.settle(decision, usage)
            prompt += 100
    assert served == [("large", bool(turn % 2)) for turn in range(20)]
    with guard.run(session="s") as run:
        short = run.decide(input_tokens=500, facts={"step.kind": "note"})
        assert (short.model, short.stayed) == ("cheap", False), "another conversation loses nothing"
    guard.close()
