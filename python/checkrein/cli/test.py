"""`checkrein test`: the `test` blocks of policies, through the real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from checkrein.cli.files import sources
from checkrein.cli.output import count, paint
from checkrein.cli.settings import settings
from checkrein.errors import CheckreinError, PolicyError

if TYPE_CHECKING:
    from checkrein.testing import Result


@click.command()
@click.argument("paths", metavar="[FILE]...", nargs=-1)
@click.pass_context
def test(ctx: click.Context, paths: tuple[str, ...]) -> None:
    """Run the test blocks of policies.

    Time is virtual, and no model or tool is called. Folders are searched for *.rein files; - is stdin.
    """
    from checkrein.testing import run_source

    results: list[Result] = []
    broken = 0
    for source in sources(paths, settings()):
        try:
            of_file = run_source(source.data, source.name)
        except PolicyError as error:
            broken += 1
            click.echo(paint(str(error)) + "\n", err=True)
            continue
        for result in of_file:
            _show(result)
        results += of_file
    if not results and not broken:
        raise CheckreinError("there is no `test` block in what was given")
    failed = sum(not result.passed for result in results)
    untested = f", {count(broken, 'file')} with mistakes" if broken else ""
    click.echo(f"{count(len(results), 'test')}, {failed or 'none'} failed{untested}")
    ctx.exit(1 if failed or broken else 0)


def _show(result: Result) -> None:
    verdict = click.style("ok  ", fg="green") if result.passed else click.style("FAIL", fg="red", bold=True)
    click.echo(f"{verdict}  {result.file}:{result.line}  {result.name}")
    for miss in result.misses:
        click.echo(f"      {miss.file}:{miss.line}:{miss.column}")
        click.echo(f"        expected  {miss.expected}")
        click.echo(f"        came      {miss.came}")
