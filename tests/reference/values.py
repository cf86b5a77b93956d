"""What a host's values mean: exact conversion, the canonical text of arguments, and printing."""

from __future__ import annotations

import datetime
import enum
import math
import pathlib
import re
import uuid
from decimal import Decimal
from fractions import Fraction
from typing import Any

import rfc8785
import xxhash

from checkrein.frozen import replace
from checkrein.language import tree

LARGEST = 2**53 - 1
SCALE = {"count": 1, "tokens": 1, "money": 10**9, "percent": 10**6, "duration": 10**9}
DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
MISSING, ILL = enum.Enum("Slot", "MISSING ILL")
AS_TEXT = (enum.Enum, bytes, Decimal, datetime.date, datetime.time, uuid.UUID, pathlib.PurePath)


def convert(kind: tree.Type, value: Any) -> Any:
    """A host value as the language sees it: `str`, `bool`, scaled `int`, a tuple of these, MISSING or ILL."""
    if value is None:
        return MISSING
    if kind.most:
        if not isinstance(value, (list, tuple)) or len(value) > kind.most:
            return ILL
        single = replace(kind, most=0)
        return tuple(ILL if each is None else convert(single, each) for each in value)
    if kind.dimension == "text":
        fits = isinstance(value, str) and (not kind.choices or value in kind.choices)
        return str(value) if fits else ILL
    if kind.dimension == "flag":
        return value if isinstance(value, bool) else ILL
    number = exact(value, texts=kind.dimension == "money")
    if number is None:
        return ILL
    scaled = number * SCALE[kind.dimension] / (100 if kind.unit == "cents" else 1)
    if scaled.denominator != 1 or abs(scaled) > LARGEST:
        return ILL
    if scaled < 0 and kind.dimension in ("tokens", "duration", "percent"):
        return ILL
    return ILL if kind.dimension == "percent" and number > 1 else int(scaled)


def exact(value: Any, texts: bool) -> Fraction | None:
    """The number that a host value stands for, by its shortest decimal text; None if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Fraction(int(value))
    if isinstance(value, float):
        return Fraction(float.__repr__(value)) if math.isfinite(value) else None
    if isinstance(value, Decimal) and value.is_finite():
        # Further out lies nothing that fits a scale of ours, and its fraction could fill the memory.
        return Fraction(value) if abs(value.adjusted()) < 60 else Fraction(0) if value == 0 else None
    if isinstance(value, str) and texts and DECIMAL.fullmatch(value):
        return Fraction(value)
    return None


def canonical(value: Any) -> str:
    """RFC 8785 text of call arguments, with a fixed meaning for what JSON does not know."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, AS_TEXT):
        return quoted(str(value))
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return rfc8785.dumps(float(value)).decode()
        return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        members = [(str(key).encode("utf-16-be"), quoted(key) + ":" + canonical(value[key])) for key in value]
        return "{" + ",".join(text for _, text in sorted(members)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(canonical(each) for each in value) + "]"
    if isinstance(value, (set, frozenset)):
        return "[" + ",".join(sorted(canonical(each) for each in value)) + "]"
    return canonical({"$type": f"{type(value).__module__}.{type(value).__qualname__}"})


def is_exact(value: Any) -> bool:
    """Whether the canonical text leaves nothing out: no object by its type alone, no two keys alike."""
    if isinstance(value, dict):
        names = {key if isinstance(key, str) else canonical(key).strip('"') for key in value}
        return len(names) == len(value) and all(map(is_exact, [*value, *value.values()]))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(is_exact, value))
    return value is None or isinstance(value, (bool, int, float, str, *AS_TEXT))


def quoted(text: str) -> str:
    return rfc8785.dumps(str(text)).decode()


def call_bytes(tool: str, args: dict[str, Any]) -> bytes:
    """What identifies a tool call: its name and its canonical arguments."""
    return tool.encode() + b"\0" + canonical(args).encode()


def shown(dimension: str, slot: Any, currency: str, constants: set[str]) -> str:
    """A value as a decision explains it; a text that the policy does not hold is only a hash."""
    if slot is MISSING or slot is ILL:
        return "missing" if slot is MISSING else "ill-typed"
    if isinstance(slot, tuple):
        told = [shown(dimension, each, currency, constants) for each in slot[:8]]
        return "[" + ", ".join([*told, *[f"and {len(slot) - 8} more"] * (len(slot) > 8)]) + "]"
    if dimension == "text":
        return slot if slot in constants else f"text xxh3:{xxhash.xxh3_64_hexdigest(slot.encode())}"
    if dimension == "flag":
        return "true" if slot else "false"
    if dimension == "money":
        return "-" * (slot < 0) + currency + decimal_text(abs(slot), 9, at_least=2)
    if dimension == "duration":
        return decimal_text(slot, 9) + " s"
    if dimension == "percent":
        return decimal_text(slot, 4) + "%"
    return f"{slot} tokens" if dimension == "tokens" else str(slot)


def decimal_text(scaled: int, places: int, at_least: int = 0) -> str:
    """`scaled` / 10**places in full, without trailing zeros beyond `at_least` decimals."""
    whole, rest = divmod(scaled, 10**places)
    decimals = f"{rest:0{places}d}".rstrip("0").ljust(at_least, "0")
    return f"{whole}.{decimals}" if decimals else str(whole)
