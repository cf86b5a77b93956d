"""`checkrein bound`: what a run can use at worst, with and without the limits, and why."""

from __future__ import annotations

import json

import click

from checkrein.cli.files import read_source
from checkrein.cli.output import paint


@click.command()
@click.argument("path", metavar="FILE")
@click.option(
    "--format", "style", type=click.Choice(["full", "json"]), default="full", show_default=True,
    help="How it is printed: for people, or as JSON.",
)  # fmt: skip
@click.pass_context
def bound(ctx: click.Context, path: str, style: str) -> None:
    """Print what a run under a policy can use at worst, and which statements say so.

    - is stdin. Something without a bound is a finding. Nothing is run, and nothing is written.
    """
    from checkrein.analysis import bound as bound_of
    from checkrein.analysis import unbounded
    from checkrein.analysis.words import as_text, as_values
    from checkrein.diagnostics import render_all, to_json
    from checkrein.language import sound

    source = read_source(path)
    policy = sound(source.data, source.name, path=source.path)
    bounds = bound_of(policy)
    findings = unbounded(bounds)
    if style == "json":
        values = {**as_values(bounds), "findings": [to_json(finding) for finding in findings]}
        click.echo(json.dumps(values, indent=2, ensure_ascii=False))
    else:
        click.echo(as_text(bounds))
        if findings:
            click.echo("\n" + paint(render_all(findings, policy.source)))
    ctx.exit(1 if findings else 0)
