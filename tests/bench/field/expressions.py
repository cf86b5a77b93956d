"""The rules as expressions of CEL: some rules in each, so that an expression's fixed price is paid seldom."""

from __future__ import annotations

from tests.bench.field.rules import DAY, Answer, name, threshold

TOGETHER = 8
FIRST = {"flagged": "flagged", "risky": "risk >= 90", "old": f"age > {30 * DAY}"}
LAST = {"big": 'amount > 10000 && tier != "enterprise"'}


def expressions(many: int) -> list[str]:
    """Each gives the name of the first of its rules that holds, or an empty text; to be asked in turn."""
    regions = {name(n): f'region == "{name(n)}" && amount > {threshold(n)}' for n in range(many)}
    rules = list((FIRST | regions | LAST).items())
    groups = [rules[first : first + TOGETHER] for first in range(0, len(rules), TOGETHER)]
    return ["".join(f'({test}) ? "{rule}" : ' for rule, test in group) + '""' for group in groups]


def answer(rule: str) -> Answer:
    """The outcome is the host's to know."""
    return ("allow", None) if not rule else ("escalate" if rule == "big" else "deny", rule)
