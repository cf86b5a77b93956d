"""What the index finds each rule of a policy by, in words and as values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from checkrein.amounts import decimal, duration, money

if TYPE_CHECKING:
    from collections.abc import Callable

    from checkrein import _core

LEAST, MOST = -(2**63), 2**63 - 1
FEW_VALUES = 3
"""So many values are named one by one."""
WHY = {
    "unconditional": "it has no condition",
    "open": "its condition asks for no values of a fact, without which it is false",
    "few": "few rules beside it ask about the same, or its condition rules little out",
}


def as_values(program: _core.Program) -> list[dict[str, Any]]:
    """Every rule with what it is found by, for machines."""
    return [_row(program, found) for found in program.found()]


def as_text(program: _core.Program) -> str:
    """Every rule with what it is found by, for people."""
    rows = as_values(program)
    count = sum(row["why"] is None for row in rows)
    lines = [f"{count} of {len(rows)} rules are found by what they ask"]
    for row in rows:
        lines.append(f'\nrule "{row["rule"]}" on {row["on"]} ({row["file"]}:{row["line"]})')
        lines += [f"  by {' or '.join(ways)}" for ways in row["by"]]
        if row["why"] is not None:
            lines.append(f"  runs at every call: {row['why']}")
    return "\n".join(lines) + "\n"


def _row(program: _core.Program, found: dict[str, Any]) -> dict[str, Any]:
    statement = program.statements[found["statement"]]
    by = [[_sought(program, sought) for sought in clause] for clause in found["by"]]
    why = None if found["why"] is None else WHY[found["why"]]
    where = {field: statement[field] for field in ("file", "line")}
    return {"rule": statement["name"], "on": found["on"], **where, "by": by, "why": why}


def _sought(program: _core.Program, sought: dict[str, Any]) -> str:
    fact = program.facts[sought["fact"]]
    values = [_value(fact["dimension"], program.currency, *value) for value in sought["values"]]
    return f"`{fact['name']}` {_listed(values) if values else 'missing'}"


def _listed(values: list[str]) -> str:
    named = values[:FEW_VALUES]
    more = len(values) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _value(dimension: str, currency: str, kind: str, *value: Any) -> str:
    match kind:
        case "any":
            return "there"
        case "text":
            return json.dumps(value[0], ensure_ascii=False)
        case "beginning":
            return f"beginning with {json.dumps(value[0], ensure_ascii=False)}"
    return _range(value, lambda number: _number(dimension, currency, number))


def _range(ends: tuple[int, int], shown: Callable[[int], str]) -> str:
    least, most = ends
    if least == most:
        return shown(least)
    # Of two ways to say the same the shorter one: a bound that is excluded has a neighbour of many digits.
    lower = min(f"from {shown(least)}", f"above {shown(least - 1)}", key=len)
    upper = min(f"up to {shown(most)}", f"below {shown(most + 1)}", key=len)
    return " ".join(([lower] if least != LEAST else []) + ([upper] if most != MOST else []))


def _number(dimension: str, currency: str, number: int) -> str:
    match dimension:
        case "flag":
            return "true" if number else "false"
        case "money":
            return money(number, currency)
        case "duration":
            return duration(number)
        case "percent":
            return f"{decimal(number * 100_000)}%"
    return f"{number:,}"
