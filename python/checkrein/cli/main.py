"""The `checkrein` command: its table of commands, its exit codes, and what users see of failures.

Exit codes: 0 all is well, 1 the command found something (mistakes, failed tests, unreadable lines),
2 it could not do its work (wrong usage, a file that can't be read, a failure of our own).
Data goes to stdout, everything else to stderr. Colour only on terminals, and never with NO_COLOR.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from pathlib import Path
from typing import Any

import click

import checkrein
from checkrein.cli.output import fail, paint
from checkrein.errors import CheckreinError, PolicyError

FOUND = 1
"""Exit code: the command did its work and found something to mend."""
UNABLE = 2
"""Exit code: the command could not do its work."""
INTERRUPTED = 130
"""Exit code: someone pressed Ctrl-C, as shells report it."""

TRACEBACK = "CHECKREIN_TRACEBACK"
"""Set this variable to see the traceback of an internal error."""

# The order in which people meet them, which is the order of the help.
_COMMANDS = (
    "init",
    "schema",
    "check",
    "fmt",
    "test",
    "bound",
    "diff",
    "compile",
    "replay",
    "explain",
    "ledger",
    "approvals",
    "rule",
    "prices",
    "lsp",
    "demo",
)


class _Commands(click.Group):
    """Commands by name, imported on use, so that `checkrein check` does not pay for the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click passes it)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(f"checkrein.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101  (every module above defines its command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            if close:
                raise click.UsageError(f"{error.message} Did you mean `{close[0]}`?", ctx) from error
            raise

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PolicyError as error:
            click.echo(paint(str(error)), err=True)
            ctx.exit(FOUND)
        except CheckreinError as error:
            fail(str(error))
            ctx.exit(UNABLE)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            fail(f"cannot use `{error.filename}`: {error.strerror}" if error.filename else str(error))
            ctx.exit(UNABLE)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001  (the last place where a failure of ours becomes words)
            _internal_error(error)
            ctx.exit(UNABLE)


def _internal_error(error: Exception) -> None:
    import platform
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    if os.environ.get(TRACEBACK):
        click.echo("".join(traceback.format_exception(error)), err=True)
    versions = f"checkrein {checkrein.__version__}, Python {platform.python_version()}, {sys.platform}"
    fail(
        f"internal error: {type(error).__name__}: {error}{where}",
        f"this is a mistake in checkrein, not in your policy; please report it with your command, the file, "
        f"what it prints with {TRACEBACK}=1 set, and: {versions}",
    )


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 fine, 1 something was found, 2 the command could not do its work.",
)
@click.version_option(package_name="checkrein", prog_name="checkrein", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Policies for AI agents: check them, test them, and see why they decided."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        ctx.color = False


def main() -> None:
    """The entry point of the `checkrein` script."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows its escape; nothing fails for it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    cli(prog_name="checkrein")
