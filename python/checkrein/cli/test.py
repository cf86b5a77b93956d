"""`checkrein test`: the `test` blocks of policies, through the real engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from checkrein.cli.files import sources, write_whole
from checkrein.cli.output import count, paint
from checkrein.cli.settings import settings
from checkrein.errors import CheckreinError, PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkrein.cli.files import SourceFile
    from checkrein.testing import Result


class Tested(NamedTuple):
    """A policy, how its tests went, and its mistakes if it could not be compiled."""

    file: str
    results: list[Result]
    error: str | None = None

    @property
    def failed(self) -> int:
        """How many of its tests failed."""
        return sum(not result.passed for result in self.results)


@click.command()
@click.argument("paths", metavar="[FILE]...", nargs=-1)
@click.option(
    "-k", "only", metavar="TEXT", help="Run the tests with TEXT in their names, in capitals or not."
)
@click.option(
    "--format", "style", type=click.Choice(["full", "json"]), default="full", show_default=True,
    help="How it is printed: for people, or as JSON.",
)  # fmt: skip
@click.option(
    "--junit", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
    help="Write the results as JUnit XML too, for CI services.",
)  # fmt: skip
@click.pass_context
def test(
    ctx: click.Context, paths: tuple[str, ...], only: str | None, style: str, junit: Path | None
) -> None:
    """Run the test blocks of policies.

    Time is virtual, and no model or tool is called. Folders are searched for *.rein files; - is stdin.
    """
    tested = [_tested(source, only) for source in sources(paths, settings())]
    if not any(each.results or each.error for each in tested):
        named = f"with `{only}` in its name " if only is not None else ""
        raise CheckreinError(f"there is no `test` block {named}in what was given")
    click.echo(_as_json(tested) if style == "json" else _as_text(tested))
    if junit is not None:
        from checkrein.cli.junit import report

        write_whole(junit, report(tested))
    ctx.exit(1 if any(each.failed or each.error for each in tested) else 0)


def _tested(source: SourceFile, only: str | None) -> Tested:
    from checkrein.testing import run_source

    try:
        return Tested(source.name, run_source(source.data, source.name, only=only))
    except PolicyError as error:
        click.echo(paint(str(error)) + "\n", err=True)
        return Tested(source.name, [], str(error))


def _as_text(tested: Sequence[Tested]) -> str:
    lines = [line for each in tested for result in each.results for line in _lines(result)]
    total, failed = sum(len(each.results) for each in tested), sum(each.failed for each in tested)
    broken = sum(each.error is not None for each in tested)
    untested = f", {count(broken, 'file')} with mistakes" if broken else ""
    return "\n".join([*lines, f"{count(total, 'test')}, {failed or 'none'} failed{untested}"])


def _lines(result: Result) -> list[str]:
    verdict = click.style("ok  ", fg="green") if result.passed else click.style("FAIL", fg="red", bold=True)
    lines = [f"{verdict}  {result.file}:{result.line}  {result.name}"]
    for miss in result.misses:
        lines.append(f"      {miss.file}:{miss.line}:{miss.column}")
        lines.append(f"        expected  {miss.expected}")
        lines.append(f"        came      {miss.came}")
    return lines


def _as_json(tested: Sequence[Tested]) -> str:
    files = [
        {
            "file": each.file,
            "mistakes": each.error,
            "tests": [_values(result) for result in each.results],
        }
        for each in tested
    ]
    return json.dumps({"files": files}, indent=2, ensure_ascii=False)


def _values(result: Result) -> dict[str, Any]:
    misses = [
        {"line": miss.line, "column": miss.column, "expected": miss.expected, "came": miss.came}
        for miss in result.misses
    ]
    return {"name": result.name, "line": result.line, "passed": result.passed, "misses": misses}
