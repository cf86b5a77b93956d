"""What `checkrein check` found, in the formats that people, editors and CI services read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from checkrein.cli.output import count, paint
from checkrein.diagnostics import place, render_all, to_json, with_notes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from checkrein.cli.files import SourceFile
    from checkrein.diagnostics import Diagnostic


class Checked(NamedTuple):
    """A policy, what is wrong with it, and whether the built-in loop holds.

    `text` is that of all its files, and `included` where those are that it includes.
    """

    source: SourceFile
    findings: list[Diagnostic]
    has_default_loop: bool
    text: str
    included: tuple[str, ...] = ()


def full(checked: Sequence[Checked]) -> str:
    """Each finding with its source line, what to do about it, and a last line that sums up."""
    found = [paint(render_all(each.findings, each.text)) + "\n" for each in checked if each.findings]
    notes = [
        f"{source.name}: no loop of its own, so the built-in one holds and stops it in `stuck` "
        "(docs/language.md#loop); `loop off` switches it off"
        for source, findings, has_default_loop, *_ in checked
        if has_default_loop and not findings
    ]
    return "\n".join([*found, _sum(checked), *notes])


def concise(checked: Sequence[Checked]) -> str:
    """A line for each finding, as editors and `grep` read them."""
    return "\n".join([*(_line(found) for each in checked for found in each.findings), _sum(checked)])


def github(checked: Sequence[Checked]) -> str:
    """Commands by which GitHub Actions annotate the lines of a change."""
    lines = [_command(found, each.text) for each in checked for found in each.findings]
    return "\n".join([*lines, _sum(checked)])


def as_json(checked: Sequence[Checked]) -> str:
    """One list with every finding."""
    found = [to_json(finding) for each in checked for finding in each.findings]
    return json.dumps(found, indent=2, ensure_ascii=False)


def as_sarif(checked: Sequence[Checked]) -> str:
    """A SARIF log, for code scanning services."""
    from checkrein.cli.sarif import log

    return json.dumps(log(checked), indent=2, ensure_ascii=False)


FORMATS: dict[str, Callable[[Sequence[Checked]], str]] = {
    "full": full,
    "concise": concise,
    "json": as_json,
    "github": github,
    "sarif": as_sarif,
}


def _sum(checked: Sequence[Checked]) -> str:
    found = sum(len(each.findings) for each in checked)
    verdict = f"{count(found, 'finding')} in" if found else "no mistakes in"
    fixable = sum(finding.fix is not None for each in checked for finding in each.findings)
    offer = f"; `--fix` puts {'all' if fixable == found else fixable} of them right" if fixable else ""
    files = len(checked) + len({path for each in checked for path in each.included})
    return f"{verdict} {count(files, 'file')}{offer}"


def _line(found: Diagnostic) -> str:
    help = f" ({found.help})" if found.help else ""
    place = f"{found.file}:{found.line}:{found.column}"
    return f"{place}: {found.severity} {found.code}: {found.message}{help}"


def _command(found: Diagnostic, text: str) -> str:
    """A workflow command. Its line breaks and percent signs are escaped, in its properties more."""
    properties = {"title": f"checkrein {found.code}", "file": found.file, "line": found.line}
    if found.span is not None:
        line, column = place(text, found.begins, found.span.end)
        properties["endLine"] = line
        if line == found.line:  # columns across lines mean nothing there
            properties |= {"col": found.column, "endColumn": column}
    listed = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in properties.items())
    message = with_notes(found)
    return f"::{found.severity} {listed}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + more else c for c in text)
