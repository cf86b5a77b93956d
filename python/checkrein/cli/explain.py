"""`checkrein explain`: why a logged decision came out as it did."""

from __future__ import annotations

from pathlib import Path

import click

from checkrein.errors import CheckreinError
from checkrein.record import DEFAULT_LOG, read_log


@click.command()
@click.argument("id", metavar="ID")
@click.option(
    "--log", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), default=DEFAULT_LOG,
    show_default=True, help="The decision log.",
)  # fmt: skip
def explain(id: str, log: Path) -> None:
    """Explain a decision from the log.

    ID is a decision's id (errors and records carry it), the beginning of one, or the word last.
    """
    from checkrein.explain import find

    if not log.is_file():
        raise CheckreinError(f"there is no decision log `{log}`\n  help: name another with `--log`")
    click.echo(str(find(read_log(log), id)), nl=False)
