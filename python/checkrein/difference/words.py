"""A difference as text for people and as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.amounts import amount
from checkrein.analysis.bound import bound
from checkrein.difference.compare import points_of
from checkrein.difference.verdict import VERDICTS, Change, Difference, Point, joined
from checkrein.language.check.vocabulary import currency_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.difference.examples import Example
    from checkrein.language.tree import Policy, Span

Row = tuple[str, int | None, int | None]


def bounds(old: Policy, new: Policy) -> list[Row]:
    """What a run can use at most under either policy, where that differs; None is no bound."""
    found = [bound(policy) for policy in (old, new)]
    rows = [
        (before.measure, before.most, after.most)
        for before, after in zip(found[0].figures, found[1].figures, strict=True)
    ]
    times = [each.time.most if each.time else None for each in found]
    rows.append(("active_time", times[0], times[1]))
    return [row for row in rows if row[1] != row[2]]


def as_text(found: Difference, old: Policy, new: Policy) -> str:
    """The whole answer of `checkrein diff`."""
    verdict = found.whole.verdict
    parts = [_SAID[verdict].format(old=old.file, new=new.file)]
    parts += _table(found)
    for change in found.changes:
        parts += ["", *_change(change, found, (old, new))]
    rows = bounds(old, new)
    if rows:
        parts += ["", "worst case of a run", *_bounds(rows, old, new)]
    if found.notes:
        parts += ["", "what decides nothing", *(f"  {note}" for note in found.notes)]
    return "\n".join(parts)


_SAID = {
    "equivalent": "{new} is equivalent to {old}",
    "stricter": "{new} is stricter than {old}",
    "looser": "{new} is looser than {old}",
    "incomparable": "{new} is incomparable with {old}: neither stricter nor looser",
    "not decided": "{new} may be stricter or looser than {old}: not decided",
}


def _table(found: Difference) -> list[str]:
    """The points by verdict, those that want to be looked at first."""
    lines = []
    for verdict in VERDICTS:
        names = [str(point) for point in found.points if found.lean(point).verdict == verdict]
        if names and (verdict != "equivalent" or len(names) < len(found.points)):
            shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            lines.append(f"  {verdict:12}  {shown}")
    return lines


def _change(change: Change, found: Difference, policies: tuple[Policy, Policy]) -> Iterator[str]:
    name = f" `{change.name}`" if change.name else ""
    where = points_of(change, found.points)
    own = [Point("tool", change.name), Point("model", change.name)]
    place = "" if len(change.points) == 1 and change.points[0] in own else f", {where}"
    yield f"{change.lean.verdict}: {change.kind}{name}{_place(change, policies)}{place}"
    yield f"  {change.says}"
    if change.example is None:
        return
    yield f"  for example: {_example(change.example)}"
    for policy, said in zip(policies, change.example.decided, strict=False):
        yield f"    {policy.file}: {said}"


def _example(example: Example) -> str:
    """Which call of which run it is."""
    story, parts = example.story, []
    if story.first:
        parts.append(f"after {', '.join(f'`{tool}`' for tool in story.first)}")
    if story.times > 1:
        what = f"`{story.event['tool']}`" if "tool" in story.event else "a model"
        parts.append(f"call {story.times} of {what}" + ("" if story.varied else ", each the same"))
    parts += [f"{fact} = {value}" for fact, value in example.facts]
    return ", ".join(parts) or "any such call"


def _place(change: Change, policies: tuple[Policy, Policy]) -> str:
    """Where the statement is now, else where it was. What is built in is in no file."""
    for policy, span in reversed(list(zip(policies, change.spans, strict=True))):
        if span is not None and span.line:
            return f" ({policy.file_of(span)}:{span.line})"
    return ""


def _bounds(rows: list[Row], old: Policy, new: Policy) -> list[str]:
    """One line a measure, figures under each other."""
    currencies = (currency_of(old), currency_of(new))
    cells = [
        (
            measure.replace("_", " "),
            *(_amount(measure, most, currency) for most, currency in zip(mosts, currencies, strict=True)),
        )
        for measure, *mosts in rows
    ]
    widths = [max(len(row[at]) for row in cells) for at in range(3)]
    return [f"  {a:{widths[0]}}  {b:>{widths[1]}} -> {c:>{widths[2]}}" for a, b, c in cells]


def _amount(measure: str, most: int | None, currency: str) -> str:
    return "no bound" if most is None else amount(measure, most, currency)


# -- values ------------------------------------------------------------------------------------------


def as_values(found: Difference, old: Policy, new: Policy) -> dict[str, Any]:
    """The same for programs. Money and times are in billionths; what is null has no bound."""
    return {
        "old": old.file,
        "new": new.file,
        "verdict": found.whole.verdict,
        "points": [_point_values(found, point) for point in found.points],
        "changes": [_change_values(change, (old, new)) for change in found.changes],
        "bounds": {measure: {"old": before, "new": after} for measure, before, after in bounds(old, new)},
        "notes": list(found.notes),
    }


def _point_values(found: Difference, point: Point) -> dict[str, Any]:
    kinds: dict[str, list[Any]] = {}
    for change in found.changes:
        if point in change.points:
            kinds.setdefault(change.kind, []).append(change.lean)
    said = {kind: joined(leans).verdict for kind, leans in sorted(kinds.items())}
    return {"kind": point.kind, "name": point.name, "verdict": found.lean(point).verdict, "by": said}


def _span_values(policy: Policy, span: Span | None) -> dict[str, Any] | None:
    return None if span is None or not span.line else {"file": policy.file_of(span), "line": span.line}


def _change_values(change: Change, policies: tuple[Policy, Policy]) -> dict[str, Any]:
    example = change.example
    return {
        "kind": change.kind,
        "name": change.name,
        "verdict": change.lean.verdict,
        "says": change.says,
        "old": _span_values(policies[0], change.spans[0]),
        "new": _span_values(policies[1], change.spans[1]),
        "points": [{"kind": point.kind, "name": point.name} for point in change.points],
        "example": example
        and {
            "facts": dict(example.facts),
            "event": example.story.event,
            "first": list(example.story.first),
            "calls": example.story.times,
            "varied": example.story.varied,
            "decided": dict(zip(("old", "new"), example.decided, strict=False)),
        },
    }
