"""`checkrein check`: every mistake in the given policies, at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from checkrein.cli.files import SourceFile, sources
from checkrein.cli.settings import settings

if TYPE_CHECKING:
    from checkrein.cli.formats import Checked
    from checkrein.cli.settings import Settings


@click.command()
@click.argument("paths", metavar="[FILE]...", nargs=-1)
@click.option(
    "--format", "style", type=click.Choice(["full", "concise", "json", "github", "sarif"]), default="full",
    show_default=True, help="How findings are printed: for people, for editors, or for a service.",
)  # fmt: skip
@click.pass_context
def check(ctx: click.Context, paths: tuple[str, ...], style: str) -> None:
    """Find the mistakes in policies.

    Folders are searched for *.rein files; - is stdin. Nothing is run, and nothing is written.
    """
    from checkrein.cli.formats import FORMATS

    project = settings()
    checked = [_checked(source, project) for source in sources(paths, project)]
    click.echo(FORMATS[style](checked))
    ctx.exit(1 if any(each.findings for each in checked) else 0)


def _checked(source: SourceFile, project: Settings) -> Checked:
    """What is wrong with a policy, and whether its loop is the built-in one."""
    from checkrein.cli.formats import Checked
    from checkrein.language import check as check_policy
    from checkrein.language import parse
    from checkrein.language.defaults import has_built_in_loop

    policy, findings = parse(source.data, source.name)
    if policy is not None:
        findings = [*findings, *check_policy(policy)]
    is_default = policy is not None and not policy.broken and has_built_in_loop(policy.statements)
    wanted = (found for found in findings if project.wants(found))
    return Checked(source, sorted(wanted, key=lambda found: found.order), is_default)
