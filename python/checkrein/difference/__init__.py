"""What a change of a policy changes: for every decision point equivalent, stricter, looser, or neither.

Conditions are compared exactly, statements over what a run has done by their terms. What cannot be told is
`not decided`: nothing is called equivalent that is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.difference.verdict import Change, Difference, Lean, Point

if TYPE_CHECKING:
    from checkrein.language.tree import Policy

__all__ = ["Change", "Difference", "Lean", "Point", "diff"]


def diff(
    old: str | bytes, new: str | bytes, *, files: tuple[str, str] = ("old.rein", "new.rein")
) -> Difference:
    """Compare two policies, given as text. Raises PolicyError if one of them does not compile."""
    return compared(old, new, files)[0]


def compared(
    old: str | bytes,
    new: str | bytes,
    files: tuple[str, str],
    paths: tuple[str | None, str | None] = (None, None),
) -> tuple[Difference, Policy, Policy]:
    """The same, with the trees of both; `paths` are where they are, from which they include files."""
    from checkrein._core import Program
    from checkrein.difference.compare import difference
    from checkrein.language import sound
    from checkrein.language.emit import emit
    from checkrein.language.lower import lower

    given = zip((old, new), files, paths, strict=True)
    before, after = (sound(text, file, path=path) for text, file, path in given)
    programs = Program.load(emit(lower(before))), Program.load(emit(lower(after)))
    return difference(before, after, programs), before, after
