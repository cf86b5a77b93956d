"""`checkrein test`: the `test` blocks of policies, through the real engine."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from checkrein.cli.files import policies, sources, write_whole
from checkrein.cli.output import count, fail, paint
from checkrein.cli.settings import settings
from checkrein.errors import CheckreinError, PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkrein.cli.files import SourceFile
    from checkrein.coverage import Coverage
    from checkrein.testing import Result


class Tested(NamedTuple):
    """A policy, how its tests went, and its mistakes if it could not be compiled."""

    file: str
    results: list[Result]
    error: str | None = None
    coverage: Coverage | None = None

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
@click.option("--cov", is_flag=True, help="Say what the tests cover of the policies, and what they do not.")
@click.option(
    "--fail-under", "least", metavar="PERCENT", type=click.FloatRange(0, 100),
    help="Fail if the tests cover less; it brings --cov with it.",
)  # fmt: skip
@click.pass_context
def test(
    ctx: click.Context, paths: tuple[str, ...], only: str | None, style: str, junit: Path | None,
    cov: bool, least: float | None,
) -> None:  # fmt: skip
    """Run the test blocks of policies.

    Time is virtual, and no model or tool is called. Folders are searched for *.rein files; - is stdin.
    """
    if least is not None and math.isnan(least):
        raise click.BadParameter("it is not a number.", param_hint="--fail-under")
    project = settings()
    covers = cov or least is not None
    included: set[str] = set()
    found = policies(sources(paths, project), included)
    tested = [_tested(source, only, included, covers=covers) for source in found]
    if not any(each.results or each.error for each in tested):
        named = f"with `{only}` in its name " if only is not None else ""
        raise CheckreinError(f"there is no `test` block {named}in what was given")
    click.echo(_as_json(tested) if style == "json" else _as_text(tested))
    if junit is not None:
        if str(junit.resolve()) in {*included, *(str(Path(each.file).resolve()) for each in tested)}:
            raise CheckreinError(f"`{junit}` is the policy itself; write the results elsewhere")
        from checkrein.cli.junit import report

        write_whole(junit, report(tested))
    # What the project asks for is asked of all tests, not of those that `-k` chose.
    least = project.fail_under if least is None and cov and only is None else least
    too_little = least is not None and _covers_less(tested, least)
    ctx.exit(1 if too_little or any(each.failed or each.error for each in tested) else 0)


def _tested(source: SourceFile, only: str | None, included: set[str], *, covers: bool) -> Tested:
    from checkrein import _core
    from checkrein.language import artifact_of, parse, sound
    from checkrein.testing import run_tests

    try:
        policy = sound(source.data, source.name, path=source.path)
    except PolicyError as error:
        click.echo(paint(str(error)) + "\n", err=True)
        broken, _findings = parse(source.data, source.name, path=source.path)
        included.update(file.path for file in (broken.files[1:] if broken is not None else ()))
        return Tested(source.name, [], str(error))
    included.update(file.path for file in policy.files[1:])
    program = _core.Program.load(artifact_of(policy))
    if not covers:
        return Tested(source.name, run_tests(policy, program, only=only))
    from checkrein.coverage import measure

    results, coverage = measure(policy, program, only=only)
    return Tested(source.name, results, coverage=coverage)


def _covers_less(tested: Sequence[Tested], least: float) -> bool:
    from checkrein.coverage.words import percent

    covered = percent(each.coverage for each in tested if each.coverage is not None)
    if covered < least:
        fail(f"the tests cover {covered:g}%, less than {least:g}%")
    return covered < least


def _as_text(tested: Sequence[Tested]) -> str:
    lines = [line for each in tested for result in each.results for line in _lines(result)]
    total, failed = sum(len(each.results) for each in tested), sum(each.failed for each in tested)
    broken = sum(each.error is not None for each in tested)
    untested = f", {count(broken, 'file')} with mistakes" if broken else ""
    lines.append(f"{count(total, 'test')}, {failed or 'none'} failed{untested}")
    covered = {each.file: each.coverage for each in tested if each.coverage is not None}
    if covered:
        from checkrein.coverage.words import as_text, percent

        for file, coverage in covered.items():
            lines += ["", *as_text(file, coverage)]
        if len(covered) > 1:
            lines += ["", f"{percent(covered.values()):g}% covered in all"]
    return "\n".join(lines)


def _lines(result: Result) -> list[str]:
    verdict = click.style("ok  ", fg="green") if result.passed else click.style("FAIL", fg="red", bold=True)
    lines = [f"{verdict}  {result.file}:{result.line}  {result.name}"]
    for miss in result.misses:
        lines.append(f"      {miss.file}:{miss.line}:{miss.column}")
        lines.append(f"        expected  {miss.expected}")
        lines.append(f"        came      {miss.came}")
        lines += [f"          {each}" for each in miss.decided]
    return lines


def _as_json(tested: Sequence[Tested]) -> str:
    values: dict[str, Any] = {"files": [_of_file(each) for each in tested]}
    covered = [each.coverage for each in tested if each.coverage is not None]
    if covered:
        from checkrein.coverage.words import percent

        values["percent"] = percent(covered)
    return json.dumps(values, indent=2, ensure_ascii=False)


def _of_file(tested: Tested) -> dict[str, Any]:
    tests = [_values(result) for result in tested.results]
    values: dict[str, Any] = {"file": tested.file, "mistakes": tested.error, "tests": tests}
    if tested.coverage is not None:
        from checkrein.coverage.words import as_values

        values["coverage"] = as_values(tested.file, tested.coverage)
    return values


def _values(result: Result) -> dict[str, Any]:
    misses = [
        {
            "file": miss.file,
            "line": miss.line,
            "column": miss.column,
            "expected": miss.expected,
            "came": miss.came,
            "decided": list(miss.decided),
        }
        for miss in result.misses
    ]
    return {
        "name": result.name,
        "file": result.file,
        "line": result.line,
        "passed": result.passed,
        "misses": misses,
    }
