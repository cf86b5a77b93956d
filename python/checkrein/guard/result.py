"""What came back from a call, as the engine compares and reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from checkrein import _core
from checkrein.errors import EngineError
from checkrein.guard.dialects import get

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

    So are a text and the parts of a message that make it up. Inside, what is no JSON counts by its text, or
    by its type if it has none; a value that is nested too deep, or too large, has no fingerprint.
    """
    value = _joined(value)
    parsed = _parsed(value) if isinstance(value, str) else value
    try:
        if parsed is NO_JSON and isinstance(value, str):
            return _core.xxh3_64(b"text\0" + value.encode("utf-8", "surrogatepass"))
        return _core.xxh3_64(b"json\0" + _core.canonical(parsed))
    except EngineError:
        return None


@dataclass(frozen=True, slots=True)
class Said:
    """A tool result in a conversation, and the id of the call that it is said to be of."""

    content: Any
    id: str


def told_mark(text: Any, id: str | None = None) -> int | None:
    """What is compared with a result that the agent was told: by anybody, or as the one of the call `id`."""
    mark = fingerprint(text)
    if mark is None:
        return None
    whose = b"told" if id is None else b"of\0" + id.encode("utf-8", "surrogatepass")
    return _core.xxh3_64(whose + b"\0" + mark.to_bytes(8, "little"))


def marks_of(results: Iterable[Any]) -> list[tuple[int, int]]:
    """The fingerprints of the tool results of a conversation, as tools gave them and as the agent was told.

    With an id it has to be the result of that very call. One that has no fingerprint is like no other.
    """
    return [
        (told_mark(each.content, each.id) or 0, told_mark(each.content) or 0)
        if isinstance(each, Said)
        else (fingerprint(each) or 0, told_mark(each) or 0)
        for each in results
    ]


def _joined(value: Any) -> Any:
    """The text of a list of nothing but texts, as messages have them in parts; else the value."""
    if not isinstance(value, list | tuple) or not value:
        return value
    texts = [_text(part) for part in value]
    return value if None in texts else "".join(map(str, texts))


def _text(part: Any) -> str | None:
    if not str(get(part, "type")).endswith("text"):
        return None
    text = get(part, "text")
    return text if isinstance(text, str) else None


def _parsed(text: str | bytes | bytearray) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return NO_JSON
