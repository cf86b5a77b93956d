"""Time zones for calendar windows: when their clocks change, exact to the second, and whose word that is.

The artifact holds the changes themselves, so that the engine needs no time zone data.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from checkrein.frozen import Frozen
from checkrein.language.tree import Calendar, Limit, WallClock
from checkrein.policy_files import file_digest

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from checkrein.language.tree import Policy

__all__ = ["UTC_NAME", "Zone", "clock_zone", "known_zones", "zone", "zone_name", "zones_of"]

UTC_NAME = "UTC"
"""The default; it never changes, so it needs no data."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = int((datetime(2000, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
END = int((datetime(2100, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
STEP = 6 * 24 * 3600
"""No zone has changed its clock twice within it since 2000: the least was nearly 7 days."""
UNKNOWN_VERSION = "unknown"
VERSION_FILES = ("tzdata.zi", "+VERSION")


class Zone(Frozen):
    """`offset` seconds east of UTC before the first transition; each transition with the offset after it."""

    name: str
    version: str
    """Of the time zone database, such as `2025b`; empty for UTC."""
    offset: int
    transitions: tuple[tuple[int, int], ...]
    read: tuple[tuple[str, str | None], ...] = ()
    """The files that say so, with their SHA-256; None for one that is not there."""


def zones_of(policy: Policy, clock: str | None) -> list[Zone]:
    """The zones that the windows of a policy name, and the one of its clock, ascending."""
    windows = (limit.window for limit in policy.of(Limit))
    used = {zone_name(window) for window in windows if isinstance(window, Calendar)}
    used |= {clock} if clock is not None else set()
    found = [zone(name) for name in sorted(used, key=lambda name: name.encode())]
    return [each for each in found if each is not None]


def zone_name(window: Calendar) -> str:
    """The zone of a calendar window, UTC if it names none."""
    return UTC_NAME if window.zone is None else window.zone.text


def clock_zone(policy: Policy) -> str:
    """The zone of the clock that facts are read from."""
    return next((clock.zone.text for clock in policy.of(WallClock)), UTC_NAME)


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """The names of all zones that this machine has data for."""
    import zoneinfo

    return frozenset(zoneinfo.available_timezones())


@lru_cache(maxsize=64)
def zone(name: str) -> Zone | None:
    """The zone from 2000 to 2099; None if this machine has no data for it."""
    if name == UTC_NAME:
        return Zone(name, "", 0, ())
    if name not in known_zones():
        return None
    import zoneinfo

    files = _files(name)
    try:
        rules = zoneinfo.ZoneInfo.no_cache(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
    transitions = []
    before = first = _offset(rules, FIRST)
    for start in range(FIRST, END, STEP):
        end = min(start + STEP, END - 1)
        after = _offset(rules, end)
        if after != before:
            transitions.append((_change(rules, start, end), after))
            before = after
    return Zone(name, _version(name), first, tuple(transitions), files)


def _offset(rules: ZoneInfo, second: int) -> int:
    moved = (EPOCH + timedelta(seconds=second)).astimezone(rules).utcoffset()
    return 0 if moved is None else moved.days * 86_400 + moved.seconds


def _change(rules: ZoneInfo, low: int, high: int) -> int:
    """The first second in (low, high] that has the offset of `high`."""
    target = _offset(rules, high)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(rules, middle) == target:
            high = middle
        else:
            low = middle
    return high


def _files(name: str) -> tuple[tuple[str, str | None], ...]:
    """What decides about the zone: its own file where it is looked for, and those that name the version."""
    import importlib.util
    from zoneinfo import TZPATH

    found: list[tuple[str, str | None]] = []
    for folder in map(Path, TZPATH):
        found.append((str(folder / name), file_digest(folder / name)))
        if found[-1][1] is not None:
            return (*found, *((str(folder / file), file_digest(folder / file)) for file in VERSION_FILES))
    package = importlib.util.find_spec("tzdata")
    place = Path(package.origin) if package is not None and package.origin else Path("tzdata")
    return (*found, (str(place), file_digest(place)))


def _version(name: str) -> str:
    """The version of the database that `zoneinfo` takes this zone from: the system's, else the package's."""
    from zoneinfo import TZPATH

    for folder in map(Path, TZPATH):
        if (folder / name).is_file():
            return _system_version(folder)
    try:
        import tzdata  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        return UNKNOWN_VERSION
    return str(tzdata.IANA_VERSION)


def _system_version(folder: Path) -> str:
    """`# version 2025b` at the top of tzdata.zi, or a file `+VERSION` as on macOS."""
    for file in VERSION_FILES:
        try:
            with (folder / file).open(encoding="ascii", errors="replace") as lines:
                words = lines.readline(200).split()
        except OSError:
            continue
        if words and words[-1][:4].isdigit():
            return words[-1][:16]
    return UNKNOWN_VERSION
