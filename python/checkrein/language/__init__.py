"""The Rein compiler: text -> tree -> checked tree -> tables -> artifact bytes.

Total and the same always: no clock or network; for any input it gives findings or bytes, never a crash.
Besides the policy it reads the files that this includes, from its own folder, and two tables: the price
snapshot of this package, if a model has no price, and the machine's time zone database, if a limit names a
zone. Both tables are named in the artifact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import has_error, render_all
from checkrein.errors import PolicyError
from checkrein.language.check import check
from checkrein.language.syntax import parse
from checkrein.language.zones import clock_zone, zones_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from checkrein.language.tree import Policy

__all__ = [
    "artifact_of",
    "check",
    "compile_reading",
    "compile_source",
    "files_read",
    "parse",
    "shown",
    "sound",
]


def compile_source(source: str | bytes, file: str, *, path: str | None = None) -> bytes:
    """The artifact of a policy: the same bytes for the same texts, file name, prices and time zones, always.

    `file` is only recorded; `path` is where the policy is, from which it includes files, as for `parse`.
    Raises PolicyError with every finding if one is an error; warnings alone do not keep a policy from being
    compiled.
    """
    return compile_reading(source, file, path=path)[0]


def compile_reading(
    source: str | bytes, file: str, *, path: str | None = None
) -> tuple[bytes, dict[str, str | None]]:
    """The same, and what was read for it besides."""
    policy = sound(source, file, path=path)
    return artifact_of(policy), files_read(policy)


def artifact_of(policy: Policy) -> bytes:
    """The artifact of a policy without errors."""
    from checkrein.language.emit import emit
    from checkrein.language.lower import lower

    return emit(lower(policy))


def files_read(policy: Policy) -> dict[str, str | None]:
    """The files read besides a policy's own and the package, with their SHA-256; None if one is not there."""
    zones = zones_of(policy, clock_zone(policy))
    read: dict[str, str | None] = dict(pair for zone in zones for pair in zone.read)
    return read | {file.path: file.digest for file in policy.files[1:]}


def sound(
    source: str | bytes, file: str, *, path: str | None = None, held: Mapping[str, str] | None = None
) -> Policy:
    """The tree of a policy without errors; raises PolicyError as `compile_source` does."""
    policy, diagnostics = parse(source, file, path=path, held=held)
    if policy is not None:
        diagnostics = sorted([*diagnostics, *check(policy)], key=lambda d: d.order)
    if policy is None or has_error(diagnostics):
        raise PolicyError(render_all(diagnostics, shown(source, policy)), diagnostics)
    return policy


def shown(source: str | bytes, policy: Policy | None) -> str:
    """The text that the spans of findings are offsets in: the policy's source if it could be read."""
    if policy is not None:
        return policy.source
    return source if isinstance(source, str) else source.decode("utf-8", "replace")
