"""Decides a fixed sequence under a compiled policy and prints each decision: run in two environments."""

import importlib.util
import sys

import checkrein
from checkrein import _core

guard = checkrein.load(sys.argv[1], log=None, clock=checkrein.VirtualClock())
assert "lark" not in sys.modules, "loading an artifact must not import the parser"
print("lark installed:", importlib.util.find_spec("lark") is not None, file=sys.stderr)

run = guard.run(id="wheel", seed=7)
for step in range(40):
    if step % 3 == 0:
        decision = run.decide(
            model="large", input_tokens=2_000 * step, step="classify" if step % 2 else "answer"
        )
    elif step % 3 == 1:
        decision = run.decide(tool="search_kb", args={"query": f"q{step // 9}"})
    else:
        decision = run.decide(tool="refund", args={"order_id": "A1", "amount": 900 * step})
    print(
        decision.outcome,
        decision.by,
        decision.model,
        decision.output_cap,
        decision.state,
        decision.reserved_cost,
    )
    if decision.attempt is not None and step % 5:
        run.settle(decision)
print(_core.fingerprint("search_kb", {"query": "q"}), guard.program.digest)
