"""A process that goes on with suspended runs when its parent says so, or all the time until it is killed.

python -m tests.stores.suspender POLICY STORE (race | spin TRUTH SEED)
"""

import os
import random
import sys
import threading

import checkrein
from checkrein import _core
from checkrein.errors import EngineError, StoreError


def main():
    policy, store, task, *rest = sys.argv[1:]
    guard = opened(policy, store)
    print("ready", flush=True)
    if task == "race":
        race(guard)
    else:
        spin(guard, store, *rest)
    guard.close()


def opened(policy, store):
    """The guard; a file that others write to without rest is tried again, as a supervisor would."""
    while True:
        try:
            return checkrein.load(policy, log=None, store=store)
        except StoreError as error:
            if error.kind != "locked":
                raise


def race(guard):
    """Each line names a run: whether it could be resumed, or why not."""
    for line in sys.stdin:
        try:
            guard.resume(line.strip()).end()
            print("resumed", flush=True)
        except EngineError as error:
            print(error.kind, flush=True)


def spin(guard, store, truth, seed):
    """Resume, call, suspend, again and again, until the parent closes the pipe."""
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    dice, operator = random.Random(f"{seed} {os.getpid()}"), _core.Operator.open(store)
    # One write of a short line to a file that is only appended to is whole, and in its place.
    file = os.open(truth, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    while not stop.wait(dice.uniform(0, 0.01)):
        waiting = [run["run"] for run in operator.runs() if run["waits"]]
        try:
            run = guard.resume(dice.choice(waiting)) if len(waiting) > 3 else guard.run(session="s")
        except EngineError as error:
            if error.kind not in {"already_resumed", "ended"}:
                raise
            continue
        with run:
            outcomes = [spend(run, file) for _ in range(dice.randint(1, 3))]
            if "stop" not in outcomes and dice.random() < 0.95:
                run.suspend()


def spend(run, file):
    """One call, which is billed when it is written down. It is not waited for what the killed hold: 30 s."""
    decision = run.decide(tool="spend")
    if decision.outcome == "allow":
        os.write(file, f"{run.id} {decision.number} {os.getpid()}\n".encode())
        run.settle(decision)
    return decision.outcome


if __name__ == "__main__":
    main()
