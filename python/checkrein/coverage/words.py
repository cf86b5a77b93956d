"""What tests cover, as people read it and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checkrein.coverage import Coverage
    from checkrein.coverage.points import Atom, Point

_NEVER = {"true": "true", "false": "false", "unknown": "unknown (a call without this value)"}


def percent(coverages: Iterable[Coverage]) -> float:
    """The share that was covered, rounded down to a tenth: 100 is all of it. Nothing to cover is covered."""
    coverages = list(coverages)
    met, total = sum(c.met for c in coverages), sum(c.total for c in coverages)
    return met * 1000 // total / 10 if total else 100.0


def as_text(file: str, coverage: Coverage) -> list[str]:
    """A line that sums up, and one for everything that no test showed."""
    points, atoms = coverage.points, coverage.atoms
    voted = sum(point.times > 0 for point in points)
    wanted, met = sum(len(a.wanted) for a in atoms), sum(len(a.met & a.wanted) for a in atoms)
    lines = [f"{file}: {percent([coverage]):g}% covered"]
    lines.append(f"  {voted} of {len(points)} statements decided something")
    if wanted:
        lines.append(f"  {met} of {wanted} outcomes of conditions were met")
    gaps = [(p.span.start, _gap(p.span.file.name or file, p)) for p in points if not p.times]
    gaps += [(a.span.start, _missing(a.span.file.name or file, a)) for a in atoms if not a.is_done]
    lines += [f"  {line}" for _, line in sorted(gaps)]
    lines += [
        f"  test `{name}` is too long: the conditions of its later calls were not looked at"
        for name in coverage.unseen
    ]
    return lines


def as_values(file: str, coverage: Coverage) -> dict[str, Any]:
    """The same, and all that was covered, for programs."""
    return {
        "percent": percent([coverage]),
        "covered": coverage.met,
        "total": coverage.total,
        "statements": [
            {
                "kind": p.kind, "name": p.name, "file": p.span.file.name or file,
                "line": p.span.line, "column": p.span.column, "decisions": p.times,
            }
            for p in coverage.points
        ],
        "conditions": [
            {
                "text": a.text, "file": a.span.file.name or file,
                "line": a.span.line, "column": a.span.column,
                "outcomes": {value: value in a.met for value in _NEVER if value in a.wanted},
            }
            for a in coverage.atoms
        ],
        "too_long": coverage.unseen,
    }  # fmt: skip


def _gap(file: str, point: Point) -> str:
    did = "taken" if point.kind == "route" else "voted"
    return f"{file}:{point.span.line}:{point.span.column}  {point.kind} `{point.name}` never {did}"


def _missing(file: str, atom: Atom) -> str:
    never = [word for value, word in _NEVER.items() if value in atom.wanted - atom.met]
    place = f"{file}:{atom.span.line}:{atom.span.column}"
    if not atom.met:
        return f"{place}  `{atom.text}` was never looked at"
    return f"{place}  `{atom.text}` was never {' or '.join(never)}"
