"""`checkrein fmt`: policies in the canonical layout, with every comment where it was."""

from __future__ import annotations

import difflib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from checkrein.cli.files import STDIN_NAME, sources, write_whole
from checkrein.cli.output import count, paint
from checkrein.cli.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.cli.files import SourceFile


@click.command()
@click.argument("paths", metavar="[FILE]...", nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing; the exit code is 1 if a policy would change.")
@click.option("--diff", is_flag=True, help="As --check, and print what would change.")
@click.pass_context
def fmt(ctx: click.Context, paths: tuple[str, ...], check: bool, diff: bool) -> None:
    """Lay policies out in the canonical way.

    Only white space changes; comments stay where they are. Folders are searched for *.rein files. - is stdin,
    and is printed. A policy that can't be read is left alone, and the exit code is then 2.
    """
    from checkrein.diagnostics import render_all
    from checkrein.language.layout import laid_out

    is_dry = check or diff
    would = "would be " if is_dry else ""
    seen: Counter[str] = Counter()
    for source in sources(paths, settings()):
        laid, findings = laid_out(source.data, source.name)
        if laid is None:
            seen["broken"] += 1
            click.echo(paint(render_all(findings, source.text)) + "\n", err=True)
            continue
        differs = laid.encode() != source.data
        seen["formatted" if differs else "unchanged"] += 1
        if diff:
            click.echo("".join(_diff(source, laid)), nl=False)
        if source.name == STDIN_NAME and not is_dry:
            click.echo(laid.encode(), nl=False)
        elif differs:
            if not is_dry:
                write_whole(Path(source.name), laid.encode())
            click.echo(f"{source.name}: {would}formatted", err=True)
    told = f"{count(seen['formatted'], 'file')} {would}formatted, {seen['unchanged']} unchanged"
    left_alone = f", {seen['broken']} left alone" if seen["broken"] else ""
    click.echo(told + left_alone, err=True)
    ctx.exit(2 if seen["broken"] else 1 if is_dry and seen["formatted"] else 0)


def _diff(source: SourceFile, laid: str) -> Iterator[str]:
    """A unified diff from the text as it is to its layout, in colour where a terminal takes it."""
    before, after = (text.splitlines(keepends=True) for text in (source.text, laid))
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in difflib.unified_diff(before, after, source.name, source.name):
        is_name = line.startswith(("+++", "---"))
        yield click.style(line.rstrip("\n"), fg=None if is_name else colours.get(line[0])) + "\n"
        if not line.endswith("\n"):
            yield "\\ No newline at end of file\n"
