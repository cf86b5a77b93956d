"""Which provider and which model a target means, by the matchers of the price snapshot.

A matcher is a text whose first character says how the rest is compared, in lower case: `=` equals,
`^` starts with, `$` ends with, `*` contains; `#` equals and `%` starts with, where a `#` in the rest is
one digit. A list is any of its matchers, `{"and": [...]}` all of them, `{"not": ...}` the opposite.
"""

from __future__ import annotations

import re
from typing import Any

_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def matches(matcher: Any, text: str) -> bool:
    """Does the lower-case `text` match? Raises `ValueError` for a matcher of an unknown kind."""
    if isinstance(matcher, list):
        return any(matches(part, text) for part in matcher)
    if isinstance(matcher, dict):
        if set(matcher) == {"and"}:
            return all(matches(part, text) for part in matcher["and"])
        if set(matcher) == {"not"}:
            return not matches(matcher["not"], text)
        raise ValueError(f"an unknown kind of matcher: {sorted(matcher)}")
    kind, rest = str(matcher)[:1], str(matcher)[1:]
    match kind:
        case "=":
            return text == rest
        case "^":
            return text.startswith(rest)
        case "$":
            return text.endswith(rest)
        case "*":
            return rest in text
        case "#":
            return len(text) == len(rest) and _shaped(rest, text)
        case "%":
            return len(text) >= len(rest) and _shaped(rest, text)
        case _:
            raise ValueError(f"an unknown kind of matcher: `{matcher}`")


def _shaped(shape: str, text: str) -> bool:
    """Is `text`, as far as `shape` goes, the same but for digits where the shape has a `#`?"""
    return all(
        ("0" <= seen <= "9") if wanted == "#" else seen == wanted
        for wanted, seen in zip(shape, text, strict=False)
    )


def find_provider(providers: tuple[dict[str, Any], ...], name: str) -> dict[str, Any] | None:
    """The provider that `name` is the id of, else the first that it matches."""
    name = name.lower().strip()
    for provider in providers:
        if provider["id"] == name:
            return provider
    for provider in providers:
        if "match" in provider and matches(provider["match"], name):
            return provider
    return None


def find_model(
    providers: tuple[dict[str, Any], ...], provider: dict[str, Any], name: str
) -> dict[str, Any] | None:
    """The first model of `provider` that `name` matches, else of those whose models it serves.

    A name that matches nothing is tried again with a date like `-20251211` written `-2025-12-11`, and last
    as the id that the snapshot itself gives a model.
    """
    name = name.lower()
    found = _find(providers, provider, name)
    if found is None and (dashed := _DATE.sub(_dash, name)) != name:
        found = _find(providers, provider, dashed)
    return found or next((entry for entry in provider["models"] if entry["id"].lower() == name), None)


def _find(
    providers: tuple[dict[str, Any], ...], provider: dict[str, Any], name: str
) -> dict[str, Any] | None:
    others = [p for id in provider.get("serves", ()) for p in providers if p["id"] == id]
    for place in (provider, *others):
        for entry in place["models"]:
            if matches(entry["match"], name):
                return entry  # type: ignore[no-any-return]
    return None


def _dash(date: re.Match[str]) -> str:
    year, month, day = (int(part) for part in date.groups())
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return date[0] if day > _DAYS[month - 1] + leap else f"-{date[1]}-{date[2]}-{date[3]}"
