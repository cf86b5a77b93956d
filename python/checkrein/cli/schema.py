"""`checkrein schema`: `tool` statements from the schemas of tools, and where a policy differs from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from checkrein.cli.files import STDIN, STDIN_NAME, read_source
from checkrein.diagnostics import quote
from checkrein.errors import CheckreinError

JSON_BYTES_MAX = 16 * 1024 * 1024


@click.command()
@click.argument("paths", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--check", "policy", metavar="POLICY", help="Write nothing; say where the tools of a policy differ."
)
@click.option("--strict", is_flag=True, help="With --check: also what the policy leaves unsaid without harm.")
@click.option(
    "--format", "style", type=click.Choice(["full", "concise", "json", "github", "sarif"]), default="full",
    show_default=True, help="With --check: how differences are printed.",
)  # fmt: skip
@click.pass_context
def schema(ctx: click.Context, paths: tuple[str, ...], policy: str | None, strict: bool, style: str) -> None:
    """Print `tool` statements for the tools in JSON files.

    A file is an MCP `tools/list` result, the tools of an OpenAI or Anthropic request, or a JSON Schema; - is
    stdin. Nothing is called and nothing is fetched. With --check, the exit code is 1 if something differs.
    """
    from checkrein.schema.reading import tools_in
    from checkrein.schema.writing import written

    if policy is None and (strict or style != "full"):
        raise click.UsageError("--strict and --format go with --check POLICY.")
    tools = [tool for path in paths for tool in tools_in(_json(path), Path(path).stem)]
    _once(tools)
    if policy is None:
        click.echo(written(tools), nl=False)
        return
    from checkrein.cli.formats import FORMATS, Checked
    from checkrein.language import sound
    from checkrein.schema.drift import compare

    source = read_source(policy)
    whole = sound(source.data, source.name, path=source.path)
    differences = compare(whole, tools, strict=strict)
    click.echo(FORMATS[style]([Checked(source, differences, False, whole.source)]))
    ctx.exit(1 if differences else 0)


def _once(tools: list[Any]) -> None:
    seen: set[str] = set()
    for tool in tools:
        if tool.name in seen:
            raise CheckreinError(f"two tools are called {quote(tool.name)}; a policy has one of a name")
        seen.add(tool.name)


def _json(path: str) -> Any:
    """What a JSON file holds. A number that JSON does not have is a mistake in the file, like any other."""
    name = STDIN_NAME if path == STDIN else path
    try:
        with click.open_file(path, "rb") as file:
            data = file.read(JSON_BYTES_MAX + 1)
    except OSError as error:
        raise CheckreinError(f"cannot read `{name}`: {(error.strerror or str(error)).lower()}") from error
    if len(data) > JSON_BYTES_MAX:
        raise CheckreinError(f"`{name}` is larger than {JSON_BYTES_MAX // 2**20} MiB")
    try:
        value = json.loads(data)
    except UnicodeDecodeError as error:
        raise CheckreinError(f"`{name}` is no UTF-8 text (byte {error.start})") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise CheckreinError(f"`{name}` is no JSON: {error.msg.lower()} ({where})") from error
    except RecursionError as error:
        raise CheckreinError(f"`{name}` is nested too deeply") from error
    except ValueError as error:  # a number of thousands of digits
        raise CheckreinError(f"`{name}` is no JSON that can be read: {error}") from error
    if isinstance(value, dict) and (value.get("nextCursor") or _page(value.get("result"))):
        click.echo(
            f"note: `{name}` is one page of a longer list (`nextCursor`); give the others, too", err=True
        )
    return value


def _page(value: Any) -> bool:
    return isinstance(value, dict) and bool(value.get("nextCursor"))
