"""The common slips in conditions, lists and amounts; tried before all others."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from checkrein.diagnostics import quote
from checkrein.language.slips import OPERATORS, Slip

if TYPE_CHECKING:
    from collections.abc import Callable

    from checkrein.language.mistakes import Mistake

SIGNS = "<>=!&|"
VALUE = re.compile(r'"(?:[^"\\\n]|\\.)*"|\$?[0-9][\w.]*|true\b|false\b')
TIMES = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATION = r"(?<![\w.])([0-9]+(?:\.[0-9]+)?)\s*(ms|s|min|h|d)"
LIST = '`in ["a", "b"]`'


def operator(m: Mistake) -> Slip | None:
    """`===` and `<>`, of which the first half is an operator."""
    end = m.offset + len(m.chunk)
    begin = m.offset
    while begin > 0 and m.text[begin - 1] in SIGNS:
        begin -= 1
    written = m.text[begin:end]
    right = OPERATORS.get(written)
    if begin == m.offset or right is None:
        return None
    return Slip("R0016", f"{quote(written)} is not an operator", f"write `{right}`")


def brackets(m: Mistake) -> Slip | None:
    """`has(fact)`, `in ("a")`, `in []`, `["a",]`, `["a" "b"]`, `one of ["a"]`."""
    before = m.text[: m.previous_end].rstrip()
    if m.chunk == "(" and m.accepts == {"FACT"} and before.endswith("has"):
        return Slip("R0016", "`has` takes its fact without brackets", "write `has call.args.amount`")
    if m.accepts == {"LSQB"} and m.chunk[:1] in ("(", "{", '"'):
        return Slip("R0016", "a list stands in square brackets", f"write {LIST}")
    if m.chunk == "[" and "STRING" in m.accepts and before.endswith("of"):
        return Slip("R0010", "the choices stand there without brackets", 'write `one of "a", "b"`')
    if m.chunk == "]" and {"STRING", "TRUE"} <= m.accepts and before[-1:] in ("[", ","):
        if before[-1] == ",":
            return Slip("R0010", "a list does not end in a comma", "remove the comma")
        return Slip("R0010", "the list is empty: nothing can be in it", f"write {LIST}")
    if m.accepts == {"COMMA", "RSQB"} and VALUE.match(m.chunk):
        return Slip("R0010", "the values of a list are separated by commas", f"write {LIST}")
    return None


def no_fact(m: Mistake) -> Slip | None:
    """`3 < call.args.days`, `exists call.args.city`."""
    if not {"FACT", "HAS", "NOT", "LPAR"} <= m.accepts:
        return None
    if m.chunk.lower() in ("exists", "exist", "present", "defined", "isset"):
        return Slip(
            "R0016", f"{quote(m.chunk)} is not a word of the language", "write `has call.args.amount`"
        )
    if not VALUE.match(m.chunk):
        return None
    return Slip("R0016", "a comparison begins with the fact", "write `call.args.amount > $100`")


def several_units(m: Mistake) -> Slip | None:
    """`1 h 30 min`."""
    before = re.search(DURATION + r"\s*$", m.text[max(0, m.offset - 40) : m.offset])
    after = re.match(DURATION + r"\b", m.text[m.offset :])
    if before is None or after is None:
        return None
    unit = min(before.group(2), after.group(2), key=TIMES.__getitem__)
    parts = (Decimal(found.group(1)) * TIMES[found.group(2)] for found in (before, after))
    whole = sum(parts, Decimal(0)) / TIMES[unit]
    right = f"{whole:f}".rstrip("0").rstrip(".") if "." in f"{whole:f}" else f"{whole:f}"
    return Slip("R0013", "a duration has one number and one unit", f"write `{right} {unit}`")


def percent(m: Mistake) -> Slip | None:
    """`%80`, `80 percent`."""
    found = re.match(r"%\s*([0-9]+(?:\.[0-9]+)?)(?![\w.])", m.text[m.offset :])
    if found is not None and "NUMBER" in m.accepts:
        right = f"write `{found.group(1)}%`"
        return Slip("R0013", "the sign stands behind the number", right, length=len(found.group()))
    if m.chunk.lower() in ("percent", "pct", "per_cent") and "PERCENT" in m.accepts:
        return Slip("R0013", f"{quote(m.chunk)} is not a unit", f"write `{m.number_before}%`")
    return None


def glued_letters(m: Mistake) -> Slip | None:
    """`3x`: letters right behind a number are meant as a unit."""
    if not m.after_number or not m.chunk[:1].isalpha() or not m.text[m.offset - 1 : m.offset].isdigit():
        return None
    return Slip(
        "R0013", f"{quote(m.chunk)} is not a unit", "write `ms`, `s`, `min`, `h`, `d`, `tokens` or `%`"
    )


def odd_space(m: Mistake) -> Slip | None:
    """A space that is none for the language, such as the one that does not break."""
    found = m.text[m.offset : m.offset + 1]
    if not found.isspace() or found.isascii():
        return None
    message = f"the character U+{ord(found):04X} looks like a space and is none"
    return Slip("R0010", message, "write a plain space", length=1)


CONDITION_SLIPS: tuple[Callable[[Mistake], Slip | None], ...] = (
    odd_space, several_units, percent, operator, brackets, no_fact,
)  # fmt: skip
