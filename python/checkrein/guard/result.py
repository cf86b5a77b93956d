"""What came back from a call, as the engine compares and reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def fields_of(value: Any, names: list[str]) -> dict[str, Any]:
    """The named fields of what a tool gave: a mapping's, an object's, or those of a text that is JSON.

    What it does not have is missing.
    """
    if isinstance(value, str | bytes | bytearray):
        value = _parsed(value)
    if isinstance(value, Mapping):
        return {name: value[name] for name in names if name in value}
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def _parsed(text: str | bytes | bytearray) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
