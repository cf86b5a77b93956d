"""`checkrein lsp`: the language server, which an editor starts and talks to over stdin and stdout."""

from __future__ import annotations

import importlib.util
import sys

import click

from checkrein.errors import CheckreinError


@click.command()
@click.option("--stdio", is_flag=True, help="Ignored: it is always stdin and stdout, but editors may say so.")
def lsp(stdio: bool) -> None:  # noqa: ARG001
    """Serve an editor: findings, help, completion and more while you type.

    Needs `pip install 'checkrein[lsp]'`. Editors start it by themselves; see docs/editors.md.
    """
    if importlib.util.find_spec("pygls") is None:
        raise CheckreinError("the language server needs pygls\n  help: pip install 'checkrein[lsp]'")
    if sys.stdin is None or sys.stdout is None:
        raise CheckreinError("the language server talks over stdin and stdout, and one of them is closed")
    from checkrein.lsp.server import Service

    Service().server.start_io()
