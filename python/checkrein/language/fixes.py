"""A policy with everything put right that is sure: the fixes of its findings, until none is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from checkrein.language.check import check
from checkrein.language.syntax import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from checkrein.diagnostics import Diagnostic, Edit

ROUNDS_MAX = 100
"""A mistake hides what follows it in its statement, so each round may bring new ones to light."""


class Fixed(NamedTuple):
    """A text, and how many findings were put right in it."""

    text: str
    changes: int


def fixed(text: str, file: str, is_wanted: Callable[[Diagnostic], bool]) -> Fixed:
    """The text after the fixes of all wanted findings. What is left, `check` says of the new text."""
    changes = 0
    for _ in range(ROUNDS_MAX):
        policy, found = parse(text, file)
        found += check(policy) if policy is not None else []
        edits = _apart([each.fix for each in found if each.fix and is_wanted(each)])
        if not edits:
            break
        for edit in reversed(edits):
            text = text[: edit.start] + edit.text + text[edit.end :]
        changes += len(edits)
    return Fixed(text, changes)


def _apart(edits: list[Edit]) -> list[Edit]:
    """The edits in the order of the text, without those that reach into one before."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if not kept or edit.start >= kept[-1].end:
            kept.append(edit)
    return kept
