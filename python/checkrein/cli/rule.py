"""`checkrein rule`: the page of a finding's code, offline."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from checkrein.cli.output import table
from checkrein.errors import CheckreinError

RULES = Path(__file__).parents[1] / "rules"


@click.command()
@click.argument("code", metavar="[CODE]", required=False)
def rule(code: str | None) -> None:
    """Explain the code of a finding, such as R0101.

    Without CODE, every code is listed.
    """
    known = pages()
    if code is None:
        rows = [(name, title(name, known[name].read_text(encoding="utf-8"))) for name in sorted(known)]
        click.echo("\n".join(table(rows)))
        return
    page = known.get(code.upper())
    if page is None:
        close = difflib.get_close_matches(code.upper(), known, n=1)
        help = f"did you mean `{close[0]}`?" if close else "`checkrein rule` lists them all"
        raise CheckreinError(f"there is no code `{code}`\n  help: {help}")
    click.echo(page.read_text(encoding="utf-8").rstrip())


def pages() -> dict[str, Path]:
    """The page of every code."""
    return {page.stem: page for page in RULES.glob("*.md")}


def title(code: str, page: str) -> str:
    """What follows the code in a page's heading."""
    heading = page.partition("\n")[0].lstrip("# ")
    return heading.removeprefix(code).lstrip(" :-")
