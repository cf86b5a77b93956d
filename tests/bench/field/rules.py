"""The rules that every peer is given, the calls that it is asked about, and what is right.

The rules are the stateless part of `tests/bench/policy.rein` for a refund, and as many more as are asked
for, of one kind: a region whose refunds above some amount are denied. Plain Python without a package,
since it runs in the environment of every peer.
"""

from __future__ import annotations

import random
from typing import Any

Call = dict[str, Any]
Answer = tuple[str, str | None]

DAY = 86_400
ALLOW: Answer = ("allow", None)
CALLS, CALLS_OF_MANY, MANY = 400, 100, 1_000
"""How many different calls a peer is asked about: fewer, if it has many rules to go through."""


def threshold(number: int) -> int:
    """The cents above which the rule of a region denies."""
    return number % 50 * 100


def name(number: int) -> str:
    """The name of a rule of a region, which is the region's too."""
    return f"r{number}"


def fired(call: Call, many: int) -> list[Answer]:
    """All rules that hold, worked out from their meaning."""
    found: list[Answer] = []
    if call["flagged"]:
        found.append(("deny", "flagged"))
    if call["risk"] >= 90:
        found.append(("deny", "risky"))
    if call["age"] > 30 * DAY:
        found.append(("deny", "old"))
    number = int(call["region"][1:])
    if number < many and call["amount"] > threshold(number):
        found.append(("deny", name(number)))
    if call["amount"] > 10_000 and call["tier"] != "enterprise":
        found.append(("escalate", "big"))
    return found


def oracle(call: Call, many: int) -> Answer:
    """What is right: a rule that denies goes before one that escalates. No call has two that deny."""
    return next(iter(fired(call, many)), ALLOW)


def calls(many: int, seed: int = 1) -> list[Call]:
    """Calls of which some are allowed; none meets two rules that deny."""
    chance = random.Random(seed)
    count = CALLS if many < MANY else CALLS_OF_MANY
    found: list[Call] = []
    while len(found) < count:
        call = {
            "order": f"o{seed}-{len(found)}", "amount": chance.choice((500, 2_500, 6_000, 20_000)),
            "tier": chance.choice(("free", "plus", "enterprise")),
            "region": f"r{chance.randrange(max(many, 1) * 2)}",
            "age": chance.choice((DAY, 2 * DAY, 3 * DAY, 40 * DAY)),
            "reopened": chance.randrange(4), "language": chance.choice(("en", "de")),
            "risk": chance.choice((1, 10, 20, 30, 40, 95)), "flagged": chance.random() < 0.1,
            "data": "public", "step": "answer", "confidence": 90,
        }  # fmt: skip
        if sum(outcome == "deny" for outcome, _by in fired(call, many)) <= 1:
            found.append(call)
    return found


def goes_on(call: Call) -> bool:
    """Whether no rule of the first three denies it, so that all others are looked at: only such are timed."""
    return not any(outcome == "deny" for outcome, _by in fired(call, 0))
