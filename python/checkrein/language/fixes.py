"""A policy with everything put right that is sure: the fixes of its findings, until none is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from checkrein.diagnostics import Edit
from checkrein.language.check import check
from checkrein.language.syntax import parse
from checkrein.language.tree import OWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from checkrein.diagnostics import Diagnostic

ROUNDS_MAX = 100
"""A mistake hides what follows it in its statement, so each round may bring new ones to light."""


class Fixed(NamedTuple):
    """A text, and how many findings were put right in it and in what it includes."""

    text: str
    changes: int


def fixed(
    text: str,
    file: str,
    is_wanted: Callable[[Diagnostic], bool],
    path: str | None = None,
    included: dict[str, str] | None = None,
) -> Fixed:
    """The text after the fixes of all wanted findings. What is left, `check` says of the new text.

    `path` is where the policy is, if it is a file. Then what it includes is put right, too: the texts that
    changed are put into `included`, by where their files are.
    """
    included = {} if included is None else included
    changes = 0
    for _ in range(ROUNDS_MAX):
        policy, found = parse(text, file, path=path, held=included)
        found += check(policy) if policy is not None else []
        edits = _apart([(each.begins, each.fix) for each in found if each.fix and is_wanted(each)])
        if not edits:
            break
        changes += len(edits)
        for source in policy.files if policy is not None else (OWN,):
            own = [edit for begins, edit in edits if begins == source.start]
            if policy is None or source == OWN:
                text = _edited(text, own)
            elif own:
                end = policy.end_of(source)
                moved = [Edit(e.start - source.start, e.end - source.start, e.text) for e in own]
                included[source.path] = _edited(policy.source[source.start : end], moved)
    return Fixed(text, changes)


def _edited(text: str, edits: list[Edit]) -> str:
    for edit in reversed(edits):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _apart(edits: list[tuple[int, Edit]]) -> list[tuple[int, Edit]]:
    """The edits in the order of the text, without those that reach into one before."""
    kept: list[tuple[int, Edit]] = []
    for begins, edit in sorted(edits, key=lambda each: (each[1].start, each[1].end)):
        if not kept or edit.start >= kept[-1][1].end:
            kept.append((begins, edit))
    return kept
