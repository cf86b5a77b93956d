"""Time zones: that there is one of that name, and the one clock that facts are read from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from checkrein.diagnostics import Related, quote
from checkrein.language.facts import CLOCK_PREFIX
from checkrein.language.tree import OWN, WallClock
from checkrein.language.zones import known_zones, zone

if TYPE_CHECKING:
    from collections.abc import Collection

    from checkrein.diagnostics import Report
    from checkrein.language.names import Names
    from checkrein.language.tree import Name


def check_clock(names: Names, report: Report, read: Collection[str]) -> None:
    """Report a `clock in` that is there twice, for nothing, or in no zone; `read` are the facts in use."""
    clocks = names.policy.of(WallClock)
    for clock in clocks:
        check_zone(names, report, clock.zone)
    for again in clocks[1:]:
        report.add(
            "R0025",
            again.span,
            "`clock in` is given twice",
            related=(Related("given here first", clocks[0].span),),
            help="keep one of the two: a policy has one clock",
        )
    # An included file's may be for another policy.
    is_own = len(clocks) == 1 and clocks[0].span.file == OWN
    if is_own and not names.broken and not any(fact.startswith(CLOCK_PREFIX) for fact in read):
        report.add(
            "R0585",
            clocks[0].span,
            "`clock in` does nothing: no statement reads `now.*`",
            help="remove it; a window of a limit names its own zone: `each day in ...`",
            severity="warning",
        )


def check_zone(names: Names, report: Report, name: Name) -> None:
    """Report the name of a time zone that this machine has no data for."""
    if zone(name.text) is not None:
        return
    known = known_zones()
    if not known:
        report.add(
            "R0310",
            name.span,
            f"unknown time zone {quote(name.text)}: this machine has no time zone data",
            help="install it: `pip install tzdata`",
        )
        return
    wanted = name.text.strip().replace(" ", "_").lower()
    by_city = {each.rsplit("/", 1)[-1].lower(): each for each in sorted(known, reverse=True)}
    exact = next((each for each in sorted(known) if each.lower() == wanted), by_city.get(wanted))
    meant = None if exact is None else f"did you mean {quote(exact)}?"
    if meant is None and not re.search("[0-9]", name.text):
        meant = names.did_you_mean(name.text, sorted(known))
    report.add(
        "R0310",
        name.span,
        f"unknown time zone {quote(name.text)}",
        help=meant or 'a zone is named by its area and city, such as `"Europe/Rome"`',
    )
