"""`checkrein compile`: a policy becomes an artifact that needs no compiler to be loaded."""

from __future__ import annotations

from pathlib import Path

import click

from checkrein.cli.files import COMPILED_SUFFIX, STDIN, read_source, write_whole
from checkrein.errors import CheckreinError


@click.command()
@click.argument("file", metavar="FILE")
@click.option(
    "-o", "--output", metavar="OUT", type=click.Path(dir_okay=False),
    help=f"Where to write the artifact.  [default: FILE with the ending {COMPILED_SUFFIX}]",
)  # fmt: skip
def compile(file: str, output: str | None) -> None:
    """Compile a policy to an artifact.

    The same policy always gives the same bytes. A policy with mistakes writes nothing.
    """
    from checkrein._core import Program
    from checkrein.language import compile_source

    source = read_source(file)
    if output is None:
        if file == STDIN:
            raise CheckreinError("say where the artifact of stdin is to be written, with `--output`")
        output = str(Path(file).with_suffix(COMPILED_SUFFIX))
    elif Path(output).resolve() == Path(file).resolve():
        raise CheckreinError(f"`{output}` is the policy itself; write the artifact elsewhere")
    data = compile_source(source.data, source.name, path=source.path)
    program = Program.load(data)
    write_whole(Path(output), data)
    click.echo(f"{output}: {len(data)} bytes, sha256 {program.digest}, meaning {program.meaning}")
