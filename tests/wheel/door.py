"""Drives a token loop in Cython on a run that Python admitted: what the wheel test compiles and runs."""

import sys
import threading
from pathlib import Path

import loop

import checkrein
from checkrein import _core

artifact = Path(sys.argv[1])
guard = checkrein.load(artifact, log=None, store="memory:", clock=checkrein.VirtualClock())
with guard.run(user="ann") as run:
    decision = run.decide(input_tokens=1000, max_tokens=500)
    meter = run.meter(decision)
    assert loop.generate(meter.handle, 100) == (100, 400)
    assert run.count(decision, 50) == 350, "both count the same"
    threads = [threading.Thread(target=loop.generate, args=(meter.handle, 1000)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.count(0) == 0, "two threads write no more than was paid for"
    settled = run.settle(decision)
    assert settled.cost > settled.reserved_cost, "one token too many was written, and is charged"
    assert loop.generate(meter.handle, 5) == (0, -10), "the attempt is over"
    handle = meter.handle
    del meter
    assert loop.generate(handle, 5) == (0, -3), "and this handle closed"

    alone = run.decide(input_tokens=1, max_tokens=1, step="classify")
    assert loop.generate(_core.Meter(run._core, alone.attempt).handle, 5) == (0, -3), "it did not live"

amounts = [9_900, 10_001, 9_901]
with guard.run(user="bob") as run:
    calls = [run.decide(tool="refund", args={"order_id": "A1", "amount": amount}) for amount in amounts]
words = ["allow", "reuse", "answer", "wait", "escalate", "deny", "fail", "stop"]
assert [words[number] for number in loop.decide(artifact.read_bytes(), amounts)] == [
    call.outcome for call in calls
]
print("a token loop in Cython counts on a run of Python's, and decides as Python does")
