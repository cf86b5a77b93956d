"""The Rein compiler: text -> tree -> checked tree -> tables -> artifact bytes.

Total and the same always: no clock or network; for any input it gives findings or bytes, never a crash.
Besides the policy it reads two tables: the price snapshot of this package, if a model has no price, and the
machine's time zone database, if a limit names a zone. Both are named in the artifact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import has_error, render_all
from checkrein.errors import PolicyError
from checkrein.language.check import check
from checkrein.language.emit import emit
from checkrein.language.lower import clock_zone, lower, zones_of
from checkrein.language.syntax import parse

if TYPE_CHECKING:
    from checkrein.language.tree import Policy

__all__ = ["check", "compile_reading", "compile_source", "files_read", "parse", "sound"]


def compile_source(source: str | bytes, file: str) -> bytes:
    """The artifact of a policy: the same bytes for the same text, file name, prices and time zones, always.

    `file` is only recorded, never opened. Raises PolicyError with every finding if one is an error;
    warnings alone do not keep a policy from being compiled.
    """
    return compile_reading(source, file)[0]


def compile_reading(source: str | bytes, file: str) -> tuple[bytes, dict[str, str | None]]:
    """The same, and what was read for it besides."""
    policy = sound(source, file)
    return emit(lower(policy)), files_read(policy)


def files_read(policy: Policy) -> dict[str, str | None]:
    """The files read besides a policy and the package, with their SHA-256; None if one is not there."""
    return dict(pair for zone in zones_of(policy, clock_zone(policy)) for pair in zone.read)


def sound(source: str | bytes, file: str) -> Policy:
    """The tree of a policy without errors; raises PolicyError as `compile_source` does."""
    policy, diagnostics = parse(source, file)
    if policy is not None:
        diagnostics = sorted([*diagnostics, *check(policy)], key=lambda d: d.order)
    if policy is None or has_error(diagnostics):
        text = source if isinstance(source, str) else source.decode("utf-8", "replace")
        raise PolicyError(render_all(diagnostics, text), diagnostics)
    return policy
