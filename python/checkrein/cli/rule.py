"""`checkrein rule`: the page of a finding's code, offline."""

from __future__ import annotations

import difflib
from importlib.resources import files
from typing import TYPE_CHECKING

import click

from checkrein.cli.output import table
from checkrein.errors import CheckreinError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


@click.command()
@click.argument("code", metavar="[CODE]", required=False)
def rule(code: str | None) -> None:
    """Explain the code of a finding, such as R0101.

    Without CODE, every code is listed.
    """
    pages = {page.name.removesuffix(".md"): page for page in _folder().iterdir() if page.name.endswith(".md")}
    if code is None:
        click.echo("\n".join(table([(name, _title(pages[name])) for name in sorted(pages)])))
        return
    page = pages.get(code.upper())
    if page is None:
        close = difflib.get_close_matches(code.upper(), pages, n=1)
        help = f"did you mean `{close[0]}`?" if close else "`checkrein rule` lists them all"
        raise CheckreinError(f"there is no code `{code}`\n  help: {help}")
    click.echo(page.read_text(encoding="utf-8").rstrip())


def _folder() -> Traversable:
    return files("checkrein") / "rules"


def _title(page: Traversable) -> str:
    """What follows the code in a page's heading."""
    heading = page.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
    return heading.removeprefix(page.name.removesuffix(".md")).lstrip(" :-")
