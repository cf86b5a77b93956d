"""A process that makes calls under a policy when its parent says so: orders and answers are lines of JSON.

python -m tests.failures.worker POLICY STORE OPTIONS
"""

import json
import sys

import checkrein
from checkrein.errors import Refusal


def main():
    policy, store, options = sys.argv[1:]
    options = json.loads(options)
    guard = checkrein.load(policy, log=None, store=store, durable=options.pop("durable", False))
    run = guard.run(**options)
    say("ready")
    for line in sys.stdin:
        order, *arguments = json.loads(line)
        say(ORDERS[order](guard, run, *arguments))
    run.end()
    guard.close()


def use(_guard, run, tokens, most):
    """Make calls until one is refused, at most so many: how many were made, and what refused."""
    used = {"usage": {"prompt_tokens": tokens - 1, "completion_tokens": 1}}
    for made in range(most):
        try:
            run.model(lambda model, max_tokens: used, model="large", input_tokens=tokens - 1, max_tokens=1)
        except Refusal as refused:
            return made, f"{type(refused).__name__}: {refused}"
    return most, None


def limits(_guard, run):
    return run.limits()


def health(guard, _run):
    return guard.ledger.health()


def say(value):
    print(json.dumps(value), flush=True)


ORDERS = {"use": use, "limits": limits, "health": health}

if __name__ == "__main__":
    main()
