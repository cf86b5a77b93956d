"""The plots of docs/benchmarks.md, as SVG. Runs in an environment of its own and reads what to draw.

python -m tests.bench.plots FOLDER < drawn.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import altair

OURS, THEIRS, HAND = "#c2410c", "#64748b", "#0f766e"
COLOURS = altair.Scale(domain=["Checkrein", "by hand", "others"], range=[OURS, HAND, THEIRS])
WIDTH = 560


def bars(points: list[dict[str, Any]], title: str) -> altair.Chart:
    """Microseconds of each contender, on a scale where ten times is a step."""
    base = altair.Chart(altair.Data(values=points), title=title, width=WIDTH, height={"step": 22})
    names = altair.Y("name:N", sort=None, title=None, axis=altair.Axis(labelLimit=320))
    times = altair.X("us:Q", scale=altair.Scale(type="log"), title="p50, microseconds (logarithmic)")
    drawn = base.mark_bar().encode(
        y=names, x=times, x2=altair.datum(min(point["us"] for point in points) / 3),
        color=altair.Color("whose:N", scale=COLOURS, title=None),
    )  # fmt: skip
    text = base.mark_text(align="left", dx=4).encode(
        y=names, x=times, text=altair.Text("us:Q", format=",.3~r")
    )
    return drawn + text


def stacked(points: list[dict[str, Any]], title: str) -> altair.Chart:
    """What the parts of a decision and its settlement add up to."""
    base = altair.Chart(altair.Data(values=points), title=title, width=WIDTH, height={"step": 26})
    return base.mark_bar().encode(
        y=altair.Y("name:N", sort=None, title=None, axis=altair.Axis(labelLimit=320)),
        x=altair.X("us:Q", title="p50, microseconds, added up"),
        color=altair.Color("part:N", sort=None, title=None, scale=altair.Scale(scheme="tableau10")),
        order=altair.Order("order:Q"),
    )


def lines(points: list[dict[str, Any]], title: str) -> altair.Chart:
    """Microseconds by the number of rules."""
    base = altair.Chart(altair.Data(values=points), title=title, width=WIDTH, height=360)
    return base.mark_line(point=True).encode(
        x=altair.X("rules:Q", scale=altair.Scale(type="log"), title="rules (logarithmic)"),
        y=altair.Y("us:Q", scale=altair.Scale(type="log"), title="p50, microseconds (logarithmic)"),
        color=altair.Color(
            "name:N",
            sort=None,
            title=None,
            legend=altair.Legend(labelLimit=320),
            scale=altair.Scale(scheme="category20"),
        ),
        strokeWidth=altair.condition("datum.whose == 'Checkrein'", altair.value(4), altair.value(1.5)),
    )


KINDS = {"bars": bars, "stacked": stacked, "lines": lines}


def main() -> None:
    """Draw everything that is asked for."""
    folder = Path(sys.argv[1])
    for name, (kind, title, points) in json.load(sys.stdin).items():
        chart = KINDS[kind](points, title).configure(background="white", font="sans-serif")
        chart.save(folder / name, format="svg")


if __name__ == "__main__":
    main()
