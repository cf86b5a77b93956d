"""`checkrein demo`: a real agent fails in every known way, without and with a policy."""

from __future__ import annotations

from pathlib import Path

import click

from checkrein.record import DEFAULT_LOG


@click.command()
@click.option(
    "--log", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), default=DEFAULT_LOG,
    show_default=True, help="Where the decisions are kept, for `checkrein explain`.",
)  # fmt: skip
@click.pass_context
def demo(ctx: click.Context, log: Path) -> None:
    """See agents fail without a policy, and not with one.

    Runs offline: the models are a server on this machine and a tiny model in this process.
    """
    from checkrein.demo import main

    ctx.exit(main(log))
