"""Which known name was probably meant by one that nobody declared."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def closest(word: str, candidates: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The candidate that is most like the word, or None."""
    if not 2 <= len(word) <= 64:
        return None
    lowered = {c.lower(): c for c in sorted(candidates, reverse=True)}
    found = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=cutoff)
    return lowered[found[0]] if found else None
