"""What a run may use without end: one finding for each limit that is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import Related, Report

if TYPE_CHECKING:
    from checkrein.analysis.bound import Bounds
    from checkrein.diagnostics import Diagnostic

MISSING = {
    "steps": ("steps <= 25", ("steps", "model_calls")),
    "tool_calls": ("tool_calls <= 40", ("tool_calls",)),
    "active_time": ("active_time <= 2 min", ()),
}
"""Measure to a bound that helps, and the bounds that would have helped. All else follows from these."""
ALSO = ("attempts", "calls of")


def unbounded(bounds: Bounds) -> list[Diagnostic]:
    """A finding for each of steps, tool calls and active time that has no bound."""
    report = Report(bounds.policy.file)
    for measure, (example, helpful) in MISSING.items():
        most = bounds.time if measure == "active_time" else bounds.of(measure).most
        if most is not None:
            continue
        report.add(
            "R0560",
            bounds.policy.name.span,
            f"nothing bounds the `{measure}` of a run{_follows(bounds, measure)}",
            help=f"add `{example}` to a limit `on run`, with the number that you mean",
            related=_related(bounds, helpful),
        )
    return report.diagnostics


def _follows(bounds: Bounds, measure: str) -> str:
    if measure != "steps":
        return ""
    more = [f.measure for f in bounds.figures if f.most is None and f.measure not in MISSING]
    return f", so nothing bounds {', '.join(f'`{each}`' for each in more)}" if more else ""


def _related(bounds: Bounds, helpful: tuple[str, ...]) -> tuple[Related, ...]:
    loose = [each for each in bounds.loose if helpful and each.bound.dimension in (*helpful, *ALSO)]
    return tuple(Related(f"limit `{each.limit.name.text}`: {each.why}", each.bound.span) for each in loose)
