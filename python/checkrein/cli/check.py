"""`checkrein check`: every mistake in the given policies, at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from checkrein.cli.files import SourceFile, sources
from checkrein.cli.output import count, paint

if TYPE_CHECKING:
    from checkrein.diagnostics import Diagnostic


@click.command()
@click.argument("paths", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--format", "style", type=click.Choice(["full", "json"]), default="full", show_default=True,
    help="How findings are printed: for people, or as one JSON list.",
)  # fmt: skip
@click.pass_context
def check(ctx: click.Context, paths: tuple[str, ...], style: str) -> None:
    """Find the mistakes in policies.

    Folders are searched for *.rein files; - is stdin. Nothing is run, and nothing is written.
    """
    from checkrein.diagnostics import render_all, to_json

    checked = [(source, *_findings(source)) for source in sources(paths)]
    found = sum(len(findings) for _source, findings, _is_default in checked)
    if style == "json":
        listed = [to_json(finding) for _source, findings, _is_default in checked for finding in findings]
        click.echo(json.dumps(listed, indent=2, ensure_ascii=False))
    else:
        for source, findings, _is_default in checked:
            if findings:
                click.echo(paint(render_all(findings, source.text)) + "\n")
        verdict = f"{count(found, 'finding')} in" if found else "no mistakes in"
        click.echo(f"{verdict} {count(len(checked), 'file')}")
        for source, findings, is_default in checked:
            if is_default and not findings:
                click.echo(f"{source.name}: no loop of its own, so the built-in one holds; see `loop off`")
    ctx.exit(1 if found else 0)


def _findings(source: SourceFile) -> tuple[list[Diagnostic], bool]:
    """What is wrong with a policy, and whether its loop is the built-in one."""
    from checkrein.language import check as check_policy
    from checkrein.language import parse
    from checkrein.language.defaults import has_built_in_loop

    policy, findings = parse(source.data, source.name)
    if policy is not None:
        findings = [*findings, *check_policy(policy)]
    is_default = policy is not None and not policy.broken and has_built_in_loop(policy.statements)
    return sorted(findings, key=lambda finding: finding.order), is_default
