"""What came back from a call, as the engine compares and reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from checkrein import _core
from checkrein.errors import EngineError

NO_JSON: Any = object()


def fields_of(value: Any, names: list[str]) -> dict[str, Any]:
    """The named fields of what a tool gave: a mapping's, an object's, or those of a text that is JSON.

    What it does not have is missing.
    """
    if isinstance(value, str | bytes | bytearray):
        value = _parsed(value)
    if isinstance(value, Mapping):
        return {name: value[name] for name in names if name in value}
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def fingerprint(value: Any) -> int | None:
    """What two results are compared by: a text that is JSON and a value with that JSON are the same.

    A value that has no canonical JSON has none.
    """
    parsed = _parsed(value) if isinstance(value, str) else value
    try:
        if parsed is NO_JSON and isinstance(value, str):
            return _core.xxh3_64(b"text\0" + value.encode("utf-8", "surrogatepass"))
        return _core.xxh3_64(b"json\0" + _core.canonical(parsed))
    except EngineError:
        return None


def marks_of(results: Iterable[Any]) -> list[int]:
    """The fingerprints of the tool results of a conversation; one that has none is like no other."""
    return [mark or 0 for mark in map(fingerprint, results)]


def _parsed(text: str | bytes | bytearray) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return NO_JSON
