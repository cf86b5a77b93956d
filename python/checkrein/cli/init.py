"""`checkrein init`: a first policy with tests, and the project's settings for it."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import click

from checkrein.cli.files import SUFFIX
from checkrein.cli.settings import FILE, SECTION
from checkrein.errors import CheckreinError

TEMPLATES = ("support", "coding", "research", "batch", "edge")
POLICIES = "policies"
SETTINGS = f'{SECTION}\npaths = ["{POLICIES}"]  # what check, fmt and test take when no file is given\n'


@click.command()
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--template", type=click.Choice(TEMPLATES), default="support", show_default=True,
    help="The kind of agent that the policy is for.",
)  # fmt: skip
def init(folder: Path, template: str) -> None:
    """Begin with a policy that works.

    Writes policies/TEMPLATE.rein, with tests in it, and pyproject.toml into FOLDER (the current one if left
    out). A file that is there is never overwritten.
    """
    policy, project = folder / POLICIES / (template + SUFFIX), folder / FILE
    _free(policy.parent, project)
    policy.parent.mkdir(parents=True, exist_ok=True)
    if not _wrote(policy, (files("checkrein") / "templates" / policy.name).read_bytes()):
        raise CheckreinError(f"`{policy}` is there already\n  help: move it away, or take another template")
    is_new = _wrote(project, SETTINGS.encode())
    if not is_new and SECTION not in project.read_text(encoding="utf-8", errors="replace"):
        click.echo(f"left {project} as it is; add to it:\n\n{SETTINGS}")
    quoted = f'"{folder}"' if " " in str(folder) else folder
    where = "" if folder == Path() else f"cd {quoted} && "
    click.echo(f"next: {where}checkrein test")


def _free(policies: Path, project: Path) -> None:
    """Refuse what is in the way before anything is written."""
    for path, there, wanted in (
        (policies, policies.is_dir(), "folder"),
        (project, project.is_file(), "file"),
    ):
        if os.path.lexists(path) and not there:
            raise CheckreinError(f"`{path}` is no {wanted}, and one is needed there\n  help: move it away")


def _wrote(path: Path, data: bytes) -> bool:
    """Write a new file, and say so; False if there is one, even one that came a moment ago."""
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        return False
    click.echo(f"wrote {path}")
    return True
