"""`checkrein explain`: why a logged decision came out as it did, and what rules are found by."""

from __future__ import annotations

import json
from pathlib import Path

import click

from checkrein.cli.files import read_source
from checkrein.errors import CheckreinError
from checkrein.record import DEFAULT_LOG, read_log


@click.command()
@click.argument("id", metavar="[ID]", required=False)
@click.option(
    "--log", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), default=DEFAULT_LOG,
    show_default=True, help="The decision log.",
)  # fmt: skip
@click.option("--index", metavar="FILE", help="What the engine finds each rule of this policy by.")
@click.option(
    "--format", "style", type=click.Choice(["full", "json"]), default="full", show_default=True,
    help="With --index: for people, or as JSON.",
)  # fmt: skip
def explain(id: str | None, log: Path, index: str | None, style: str) -> None:
    """Explain a decision from the log, or how the rules of a policy are found.

    ID is a decision's id (errors and records carry it), the beginning of one, or the word last.
    """
    from checkrein.explain import find

    if (id is None) == (index is None):
        raise click.UsageError("name a decision's id, or a policy with --index")
    if index is not None:
        _explain_index(index, style)
        return
    if not log.is_file():
        raise CheckreinError(f"there is no decision log `{log}`\n  help: name another with `--log`")
    click.echo(str(find(read_log(log), id or "")), nl=False)


def _explain_index(name: str, style: str) -> None:
    from checkrein.compiled import program_of
    from checkrein.indexed import as_text, as_values

    source = read_source(name)
    program = program_of(source.data, source.name, source.path)
    if style == "json":
        click.echo(json.dumps({"rules": as_values(program)}, indent=2, ensure_ascii=False))
    else:
        click.echo(as_text(program), nl=False)
