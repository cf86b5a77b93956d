"""`checkrein approvals`: what suspended runs ask people, for those who answer."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from checkrein import amounts
from checkrein.cli.ledger import opened, store_option
from checkrein.cli.output import table
from checkrein.guard.approvals import Approvals
from checkrein.sentences import printable

if TYPE_CHECKING:
    from checkrein.guard.approvals import Waiting

NANO = 10**9
_who = click.option("--who", metavar="NAME", help="Who answers; the system's user by default.")
_why = click.option("--why", metavar="TEXT", required=True, help="The reason, for the audit.")
_act = click.option(
    "--id",
    "act",
    metavar="ID",
    help="The answer's own id: given again with it, it changes nothing.",
)


@click.group()
def approvals() -> None:
    """See and answer what suspended runs ask people.

    ID is RUN/NUMBER as `list` prints it, or RUN if it has one request; `show` takes any beginning that no
    other has. One answer stands; the run takes it along when it is resumed.
    """


@approvals.command("list")
@click.option("--all", "with_answered", is_flag=True, help="Those that were answered or have expired, too.")
@click.option("--json", "as_json", is_flag=True, help="As JSON lines, with everything that `show` shows.")
@store_option
def list_(with_answered: bool, as_json: bool, store: str) -> None:
    """List the requests that wait, the one that expires first first."""
    found, place = _open(store)
    waiting = [each for each in found.waiting() if with_answered or each.state == "open"]
    for name in found.damaged():
        click.echo(f"error: the row `{printable(name)}` was changed; nobody can answer it", err=True)
    if as_json:
        for each in waiting:
            click.echo(json.dumps(_plain(each), ensure_ascii=False))
        return
    if not waiting:
        click.echo(f"no request waits in {place}")
        return
    click.echo("\n".join(_rows(waiting)))


@approvals.command()
@click.argument("request", metavar="ID")
@store_option
def show(request: str, store: str) -> None:
    """Show one request: the exact arguments, the rule, what was spent and is left, and the default."""
    found, _place = _open(store)
    click.echo("\n".join(_page(found.get(request))))


@approvals.command()
@click.argument("request", metavar="ID")
@_why
@_who
@_act
@store_option
def approve(request: str, why: str, who: str | None, act: str | None, store: str) -> None:
    """Say yes: the call may run once, with these arguments; or take a handover."""
    found, _place = _open(store)
    _said(found.approve(request, why=why, who=who, act=act))


@approvals.command()
@click.argument("request", metavar="ID")
@_why
@_who
@_act
@store_option
def reject(request: str, why: str, who: str | None, act: str | None, store: str) -> None:
    """Say no."""
    found, _place = _open(store)
    _said(found.reject(request, why=why, who=who, act=act))


@approvals.command()
@click.argument("request", metavar="ID")
@click.argument("text", metavar="TEXT")
@_who
@_act
@store_option
def answer(request: str, text: str, who: str | None, act: str | None, store: str) -> None:
    """Answer a question: the call ends with TEXT."""
    found, _place = _open(store)
    _said(found.answer(request, text, who=who, act=act))


@approvals.command()
@click.option(
    "--every", metavar="SECONDS", type=click.FloatRange(0.1), default=2.0, show_default=True,
    help="How often to look.",
)  # fmt: skip
@click.option("--once", is_flag=True, help="Print what waits now, and end.")
@store_option
def watch(every: float, once: bool, store: str) -> None:
    """Print each request as it comes, and each answer, until Ctrl-C."""
    found, _place = _open(store)
    known: dict[str, str] = {}
    while True:
        for each in found.waiting():
            if known.get(each.id) != each.state:
                known[each.id] = each.state
                by = f" by {printable(each.answer.who)}" if each.answer else ""
                click.echo(f"{each.state:<8}  {printable(each.id)}  {each.queue}  {each.subject}{by}")
        if once:
            return
        time.sleep(every)


# -- inside -------------------------------------------------------------------------------------------


def _open(store: str) -> tuple[Approvals, str]:
    operator = opened(store)
    return Approvals(operator), operator.place


def _rows(waiting: list[Waiting]) -> list[str]:
    rows = [("id", "queue", "asks for", "what", "state")]
    for each in waiting:
        state = _left(each) if each.state == "open" else each.state
        rows.append((printable(each.id), each.queue, each.kind, printable(each.subject), state))
    return table(rows)


def _left(each: Waiting) -> str:
    return f"{max(0, each.expires - each.now) // NANO} s left"


def _page(each: Waiting) -> list[str]:
    """Everything that a person has to know to answer."""
    whose = ", ".join(f"{word} {printable(str(name))}" for word, name in each.whose.items())
    binds = f"  (only {', '.join(each.binds)} have to be equal)" if each.binds else ""
    lines = [
        f"request    {printable(each.id)}",
        f"asks for   {each.kind} in queue `{each.queue}` of policy `{each.policy}`",
        f"call       {printable(each.subject)}",
        f"arguments  {printable(each.arguments)}{binds}",
        f"sha256     {each.sha256}",
        *([f"run of     {whose}"] if whose else []),
        f"asked by   {each.by_kind} `{each.by}` at {each.place}: {printable(each.reason)}",
        *(f"           | {line}" for line in each.source.splitlines()),
        *_limits(each),
        f"asked at   {_when(each.asked)}",
        f"until      {_when(each.expires)} ({_left(each)}), then {each.default}",
    ]
    if each.answer is not None:
        said = each.answer.word if each.answer.text is None else f"{each.answer.word} {each.answer.text!r}"
        why = printable(each.answer.why)
        lines.append(f"answer     {said} by {printable(each.answer.who)} at {_when(each.answer.at)}: {why}")
    return lines


def _limits(each: Waiting) -> list[str]:
    rows = []
    for row in each.limits:
        shown = [amounts.amount(row["dimension"], max(0, row[it]), each.currency) for it in ("spent", "free")]
        rows.append(f"{row['name']} {row['dimension']}: {shown[0]} spent, {shown[1]} left")
    return [f"{'limits' if n == 0 else '':<11}{printable(row)}" for n, row in enumerate(rows)]


def _when(at: int) -> str:
    return datetime.fromtimestamp(at / NANO, UTC).isoformat(timespec="seconds")


def _said(each: Waiting) -> None:
    click.echo("\n".join(_page(each)))


def _plain(each: Waiting) -> dict[str, Any]:
    from dataclasses import asdict

    return {"id": each.id, "state": each.state, "sha256": each.sha256, **asdict(each)}
