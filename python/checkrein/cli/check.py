"""`checkrein check`: every mistake in the given policies, at once."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from checkrein.cache import keep, recall
from checkrein.cli.files import STDIN_NAME, SourceFile, policies, sources, write_whole
from checkrein.cli.settings import settings
from checkrein.errors import CheckreinError

if TYPE_CHECKING:
    from datetime import datetime

    from checkrein.cli.formats import Checked
    from checkrein.cli.settings import Settings

SOUND = "sound"


@click.command()
@click.argument("paths", metavar="[FILE]...", nargs=-1)
@click.option(
    "--format", "style", type=click.Choice(["full", "concise", "json", "github", "sarif"]), default="full",
    show_default=True, help="How findings are printed: for people, for editors, or for a service.",
)  # fmt: skip
@click.option("--fix", is_flag=True, help="Put right what can mean one thing only, and check what is left.")
@click.option("--deep", is_flag=True, help="Look for more, which takes longer: rules that others outdo, say.")
@click.option(
    "--today", type=click.DateTime(["%Y-%m-%d"]),
    help="The day to check `observe until` at; today if left out.",
)  # fmt: skip
@click.pass_context
def check(
    ctx: click.Context, paths: tuple[str, ...], style: str, fix: bool, deep: bool, today: datetime | None
) -> None:
    """Find the mistakes in policies.

    Folders are searched for *.rein files; - is stdin. Nothing is run, and without --fix nothing is written.
    """
    from checkrein.cli.formats import FORMATS

    project = settings()
    included: set[str] = set()
    found = policies(sources(paths, project), included)
    if fix:
        found = (_fixed(source, project) for source in found)
    checked: list[Checked] = []
    unread: CheckreinError | None = None
    try:
        day = date.today() if today is None else today.date()
        for source in found:
            checked.append(_checked(source, project, deep, day))
            included.update(checked[-1].included)
    except CheckreinError as error:  # what was found until then is told first
        unread = error
    if checked or unread is None:
        click.echo(FORMATS[style](_once(checked)))
    if unread is not None:
        raise unread
    ctx.exit(1 if any(each.findings for each in checked) else 0)


def _fixed(source: SourceFile, project: Settings) -> SourceFile:
    """The policy after its sure fixes, which are written and told on stderr."""
    from checkrein.language.fixes import fixed

    if source.name == STDIN_NAME:
        raise CheckreinError("stdin cannot be fixed in place; give a file")
    included: dict[str, str] = {}
    try:
        text, changes = fixed(source.data.decode(), source.name, project.wants, source.path, included)
    except UnicodeDecodeError:
        return source
    if text.encode() != source.data:
        write_whole(Path(source.name), text.encode())
    for path, part in included.items():
        write_whole(Path(path), part.encode())
    if changes:
        click.echo(f"{source.name}: {changes} fixed", err=True)
    return SourceFile(source.name, text.encode())


def _checked(source: SourceFile, project: Settings, deep: bool, today: date) -> Checked:
    """What is wrong with a policy, and whether its loop is the built-in one.

    That nothing is wrong with it is kept, and until which day, so that the compiler is not even loaded then.
    """
    from checkrein.cli.formats import Checked

    kept = None if deep else _kept(recall(SOUND, source.data, source.name, source.path), today)
    if kept is not None:
        return Checked(source, [], kept[0], "", kept[1])
    from checkrein.language import check as check_policy
    from checkrein.language import files_read, parse, shown
    from checkrein.language.check.observed import first_end
    from checkrein.language.defaults import has_built_in_loop

    policy, findings = parse(source.data, source.name, path=source.path)
    if policy is not None:
        findings = [*findings, *check_policy(policy, deep=deep, today=today)]
    is_default = policy is not None and not policy.broken and has_built_in_loop(policy.statements)
    included = tuple(file.path for file in policy.files[1:]) if policy is not None else ()
    if policy is not None and not findings:
        day = first_end(policy)
        body = json.dumps([is_default, included, f"{day or ''}"]).encode()
        keep(SOUND, source.data, source.name, body, files_read(policy), source.path)
    wanted = sorted((found for found in findings if project.wants(found)), key=lambda found: found.order)
    return Checked(source, wanted, is_default, shown(source.data, policy), included)


def _kept(body: bytes | None, today: date) -> tuple[bool, tuple[str, ...]] | None:
    """Of a policy without mistakes: whether its loop is the built-in one, and what it includes.

    None if that is not known, or no longer holds: something that is observed has come to its end since.
    """
    try:
        is_default, included, until = json.loads(body or b"null")
        holds = until == "" or until >= today.isoformat()
        return (bool(is_default), tuple(map(str, included))) if holds else None
    except (ValueError, TypeError, RecursionError):
        return None


def _once(checked: list[Checked]) -> list[Checked]:
    """What is wrong with a file that several policies include is told once."""
    told: set[tuple[object, ...]] = set()
    kept = []
    for each in checked:
        findings = [
            found for found in each.findings if not found.begins or (found.file, *found.order[1:]) not in told
        ]
        told.update((found.file, *found.order[1:]) for found in findings)
        kept.append(each._replace(findings=findings))
    return kept
