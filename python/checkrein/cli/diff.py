"""`checkrein diff`: what a change of a policy lets through, and what it keeps back."""

from __future__ import annotations

import json

import click

from checkrein.cli.files import read_source

FAILS = {
    "looser": ("looser", "incomparable", "not decided"),
    "change": ("looser", "incomparable", "not decided", "stricter"),
}
"""For each `--fail-on` the verdicts that fail."""


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option(
    "--fail-on", type=click.Choice(list(FAILS)),
    help="Exit with 1 if NEW may be looser than OLD, or if it decides anything in another way.",
)  # fmt: skip
@click.option(
    "--format", "style", type=click.Choice(["full", "json"]), default="full", show_default=True,
    help="How it is printed: for people, or as JSON.",
)  # fmt: skip
@click.pass_context
def diff(ctx: click.Context, old: str, new: str, fail_on: str | None, style: str) -> None:
    """See where a changed policy is stricter, and where looser.

    Compares NEW with OLD; either may be - for stdin. Nothing is written.
    """
    from checkrein.difference import compared
    from checkrein.difference.words import as_text, as_values

    if old == new == "-":
        raise click.UsageError("Only one of OLD and NEW can be stdin.")
    before, after = read_source(old), read_source(new)
    found, *policies = compared(before.data, after.data, (before.name, after.name), (before.path, after.path))
    if style == "json":
        click.echo(json.dumps(as_values(found, *policies), indent=2, ensure_ascii=False))
    else:
        click.echo(as_text(found, *policies))
    ctx.exit(1 if fail_on and found.whole.verdict in FAILS[fail_on] else 0)
