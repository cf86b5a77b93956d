"""Breakers: what they watch is there, they say when they open and how they are tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import quote

if TYPE_CHECKING:
    from checkrein.language.check.targets import Targets
    from checkrein.language.tree import Breaker, Span

CALLS_MAX = 1_000_000
PROBES_MAX = 1_000
WINDOW_MAX = 86_400 * 10**9


def check_breaker(breaker: Breaker, targets: Targets) -> None:
    """Report what is wrong with one breaker."""
    selector = breaker.selector
    if selector.point != "provider":
        targets.selector(selector)
    elif selector.name is not None:
        names = targets.names
        names.resolve(targets.report, "provider", selector.name, names.providers)
    opens, probes = breaker.opens, breaker.probes
    if not targets.names.broken:
        _missing(breaker, targets)
    if opens is not None:
        _range(targets, opens.span, "the calls of `opens`", opens.calls, CALLS_MAX)
        check_window(targets, opens.span, opens.window)
    if probes is not None:
        _range(targets, probes.span, "`probes`", probes.count, PROBES_MAX)
        check_window(targets, probes.span, probes.after)


def _missing(breaker: Breaker, targets: Targets) -> None:
    for item, says, example in (
        (breaker.opens, "when it opens", "`opens when failures >= 50% of 20 in 30 s`"),
        (breaker.probes, "how it is tried again", "`probes 1 after 15 s`"),
    ):
        if item is None:
            message = f"breaker {quote(breaker.name.text)} does not say {says}"
            targets.report.add("R0412", breaker.name.span, message, help=f"write {example}")


def check_window(targets: Targets, span: Span, window: int) -> None:
    """Report a time that is too long to be remembered."""
    if window > WINDOW_MAX:
        message = "what a process knows of models and tools is kept for a day at most"
        targets.report.add("R0413", span, message, help="write a time of `1 d` or less")


def _range(targets: Targets, span: Span, what: str, number: int, most: int) -> None:
    if not 1 <= number <= most:
        help = "write a number in that range"
        targets.report.add("R0413", span, f"{what} must be from 1 to {most:,}", help=help)
