"""`checkrein ledger`: what is spent under limits wider than a run, for those who run the agents."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from checkrein.cli.ledger_words import amount_of, is_meant, parse_amount, place_of, when
from checkrein.cli.output import count, table
from checkrein.errors import CheckreinError, StoreError
from checkrein.guard.approvals import user
from checkrein.guard.store import DEFAULT_STORE
from checkrein.sentences import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

store_option = click.option(
    "--store", metavar="URL", default=str(DEFAULT_STORE), show_default=True,
    help="Where the ledger is: a file, or redis://HOST:PORT/DB.",
)  # fmt: skip
_why = click.option("--why", metavar="TEXT", required=True, help="The reason, for the audit.")
_who = click.option("--who", metavar="NAME", help="Who does it, for the audit; the system's user by default.")
_id = click.option(
    "--id", "act", metavar="ID", help="The act's own id: done again with the same one, it changes nothing."
)


class _Days(click.ParamType[int]):
    """A number of days, `90d` or `90`, at least one."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = str(value).removesuffix("d")
        if not (number.isascii() and number.isdigit() and 1 <= int(number) <= 36_500):
            why = "is no whole number of days from 1 to 36500; write it like 90d"
            self.fail(f"`{printable(str(value))}` {why}", param, ctx)
        return int(number)


@click.group()
def ledger() -> None:
    """See and correct what is spent under shared limits.

    ACCOUNT is an account's name as `show` prints it, or words that only one has, such as "u1 cost".
    """


@ledger.command()
@click.argument("account", metavar="[ACCOUNT]", required=False)
@store_option
def show(account: str | None, store: str) -> None:
    """Show what is spent, leased and left."""
    operator = opened(store)
    accounts = operator.accounts()
    chosen = [a for a in accounts if account is None or is_meant(account, a)]
    if account is not None and not chosen:
        raise CheckreinError(f"no account has `{account}` in its name in {operator.place}")
    if not chosen:
        click.echo(f"no account has been used yet in {operator.place}")
        return
    rows: list[tuple[str, ...]] = [("account", "window", "spent", "leased", "left", "of")]
    for each in chosen:
        rows += [_window_row(each, window) for window in each["windows"]]
    click.echo("\n".join(table(rows, right=frozenset({2, 3, 4, 5}))))
    leased = _leases(operator, {each["account"] for each in chosen})
    if leased:
        click.echo("\n" + "\n".join(table([("leased to", "account", "amount", "heard of"), *leased])))


@ledger.command()
@click.argument("account", metavar="ACCOUNT")
@click.argument("amount", metavar="[AMOUNT]", required=False)
@click.option(
    "--write-off",
    is_flag=True,
    help="Take back what processes have leased that are gone: not heard of for a minute.",
)
@_why
@_who
@_id
@store_option
def adjust(
    account: str, amount: str | None, write_off: bool, why: str, who: str | None, act: str | None, store: str
) -> None:
    """Correct what is spent: AMOUNT is added, so -0.50 gives back fifty cents.

    Write -- before an amount with a minus sign. Only the latest window of the account can be corrected.
    """
    if (amount is None) != write_off:
        raise click.UsageError("give an AMOUNT or --write-off, one of them")
    operator = opened(store)
    found = _one(operator, account)
    delta = 0 if amount is None else parse_amount(found["measure"], amount)

    def order(id: str, who: str) -> bool:
        if write_off:
            return bool(operator.write_off(found["account"], id, who, why))
        return bool(operator.adjust(found["account"], delta, id, who, why))

    _do(operator, order, who, act)


@ledger.group(invoke_without_command=True)
@store_option
@click.pass_context
def limits(ctx: click.Context, store: str) -> None:
    """List the limit of every account, with what an operator has pinned; or pin one."""
    ctx.obj = store
    if ctx.invoked_subcommand is not None:
        return
    operator = opened(store)
    accounts = operator.accounts()
    if not accounts:
        click.echo(f"no account has been used yet in {operator.place}")
        return
    rows = [("account", "limit", "pinned")]
    rows += [(place_of(a), *_bounds(a)) for a in accounts]
    click.echo("\n".join(table(rows, right=frozenset({1, 2}))))


@limits.command()
@click.argument("account", metavar="ACCOUNT")
@click.argument("amount", metavar="AMOUNT|none")
@_why
@_who
@_id
@click.option("--store", metavar="URL", help="Where the ledger is.")
@click.pass_context
def pin(
    ctx: click.Context,
    account: str,
    amount: str,
    why: str,
    who: str | None,
    act: str | None,
    store: str | None,
) -> None:
    """Hold an account's limit at AMOUNT at most, whatever policies say; none takes that back."""
    operator = opened(store or ctx.obj)
    found = _one(operator, account)
    most = None if amount == "none" else parse_amount(found["measure"], amount)
    if most is not None and most < 0:
        raise CheckreinError(f"a limit is not negative, and `{amount}` is")

    def order(id: str, who: str) -> bool:
        return bool(operator.pin(found["account"], most, id, who, why))

    _do(operator, order, who, act)


@ledger.command()
@store_option
def runs(store: str) -> None:
    """List the runs that were suspended: those that wait, and those that were resumed and have not ended."""
    operator = opened(store)
    found = operator.runs()
    if not found:
        click.echo(f"no run waits in {operator.place}, and none that was resumed goes on")
        return
    rows = [("run", "policy", "state", "since")]
    for r in found:
        if r["damaged"]:
            rows.append((printable(r["run"]), "", "damaged", ""))
        else:
            state = "waits" if r["waits"] else "resumed"
            rows.append((printable(r["run"]), r["meaning"][:12], state, _when(r["since"])))
    click.echo("\n".join(table(rows)))
    if any(r["damaged"] for r in found):
        click.echo(
            "nobody can go on with a run whose row is damaged: restore the ledger from a backup, or give the "
            "run up with `checkrein ledger drop-run`",
            err=True,
        )


@ledger.command("drop-run")
@click.argument("run", metavar="RUN")
@_why
@_who
@_id
@store_option
def drop_run(run: str, why: str, who: str | None, act: str | None, store: str) -> None:
    """Let nobody go on with a suspended run.

    It is not wanted any more, or the process that resumed it is gone. What it spent stays spent.
    """
    operator = opened(store)

    def order(id: str, who: str) -> bool:
        return bool(operator.drop_run(run, id, who, why))

    _do(operator, order, who, act)


@ledger.command()
@click.option(
    "--older-than", "days", metavar="DAYS", required=True, type=_Days(),
    help="As in 90d: what was heard of since then stays.",
)  # fmt: skip
@_why
@_who
@store_option
def prune(days: int, why: str, who: str | None, store: str) -> None:
    """Forget processes, their leases and ended accounts that were not heard of for long.

    Nobody gains room by it: what dead processes had leased stays spent (see `adjust --write-off`). Debts,
    pinned accounts and those without a window stay; so do audit entries and records.
    """
    operator = opened(store)
    before = max(0, time.time_ns() - days * 86_400 * 10**9)
    gone = 0

    def order(id: str, who: str) -> bool:
        nonlocal gone
        gone = operator.prune(before, id, who, why)
        return True

    _do(operator, order, who, None)
    click.echo(f"{count(gone, 'row')} forgotten")


@ledger.command()
@store_option
def export(store: str) -> None:
    """Print everything as JSON lines: accounts, runs, audit, processes, and the record of every attempt."""
    operator = opened(store)
    for kind, rows in (
        ("account", operator.accounts()),
        ("run", operator.runs()),
        ("approval", [{**row, "shown": row.get("shown", b"").decode()} for row in operator.approvals()]),
        ("audit", operator.audit()),
        ("node", operator.nodes()),
    ):
        _print_lines(kind, rows)
    operator.records(lambda batch: _print_lines("record", batch))


@ledger.command()
@store_option
def init(store: str) -> None:
    """Make a ledger where there is none. A file is also made by the first run that needs it."""
    from checkrein import _core

    try:
        operator = _core.Operator.open(store)
        made = operator.init()
    except StoreError as error:
        if error.kind != "no_ledger":
            raise
        operator = _core.Operator.open(store, create=True)
        operator.init()
        made = True
    click.echo(f"{operator.place}: {'made' if made else 'was there already'}")


# -- inside -------------------------------------------------------------------------------------------


def opened(store: str) -> Any:
    """The store as operators see it; where there is none, how to name another or make one."""
    from checkrein import _core

    try:
        return _core.Operator.open(store)
    except StoreError as error:
        if error.kind != "no_ledger":
            raise
        raise StoreError(
            f"{error}\n  help: name another with `--store`, or make one with `checkrein ledger init`",
            error.kind,
        ) from error


def _one(operator: Any, wanted: str) -> dict[str, Any]:
    """The account that `wanted` names: all of its name, or words that no other has."""
    accounts = operator.accounts()
    exact = [a for a in accounts if wanted in (place_of(a), a["account"])]
    found = exact or [a for a in accounts if is_meant(wanted, a)]
    if len(found) == 1:
        return dict(found[0])
    if not found:
        raise CheckreinError(f"no account has `{wanted}` in its name; see `checkrein ledger show`")
    names = "".join(f"\n  {place_of(a)}" for a in found[:8]) + ("\n  ..." if len(found) > 8 else "")
    raise CheckreinError(f"`{wanted}` is in the names of {len(found)} accounts; give more of it:{names}")


def _do(operator: Any, order: Callable[[str, str], bool], who: str | None, act: str | None) -> None:
    """Do an operator's act, and print its entry in the audit."""
    id = act or os.urandom(6).hex()
    done = order(id, who or user())
    entry = next((e for e in operator.audit() if e["order"] == id), None)
    if not done:
        click.echo(f"act {id} was done before; nothing has changed", err=True)
    if entry is not None:
        click.echo("\n".join(_entry(entry)))


def _entry(entry: dict[str, Any]) -> list[str]:
    shown = ""
    if "amount" in entry:
        amount, signed = entry["amount"], entry["act"] == "adjust"
        shown = " none" if amount is None else f" {amount_of(entry['measure'], amount, signed=signed)}"
    return [
        f"{entry['act']}{shown}",
        _about(entry),
        f"  who      {entry['who']}",
        f"  why      {entry['why']}",
        f"  when     {_when(entry['time'])}",
        f"  act      {entry['order']}",
    ]


def _about(entry: dict[str, Any]) -> str:
    if "run" in entry:
        request = f"/{entry['request']}" if "request" in entry else ""
        return f"  run      {printable(entry['run'])}{request}"
    if "before" in entry:
        return f"  before   {_when(entry['before'])}"
    return f"  account  {place_of(entry)}"


def _when(at: int) -> str:
    return datetime.fromtimestamp(at / 1e9, UTC).isoformat(timespec="seconds")


def _window_row(account: dict[str, Any], window: dict[str, Any]) -> tuple[str, ...]:
    def shown(value: int) -> str:
        return amount_of(account["measure"], value)

    most, pinned = window["most"], account["pinned"]
    marks = [] if pinned is None else ["pinned"]
    marks += [f"{count(window['grants_used'], 'grant')}"] if window["grants_used"] else []
    marks += [f"{shown(window['carried'])} of it an old debt"] if window["carried"] else []
    adjusted = window["adjusted"]
    marks += [f"corrected {amount_of(account['measure'], adjusted, signed=True)}"] if adjusted else []
    return (
        place_of(account),
        when(account["window"], window["start"]),
        shown(window["spent"]),
        shown(window["leased"]),
        shown(most - window["spent"] - window["leased"]),
        shown(most) + (f" ({', '.join(marks)})" if marks else ""),
    )


def _bounds(account: dict[str, Any]) -> tuple[str, str]:
    """What a policy asked for last, and the pin."""
    measure, windows, pinned = account["measure"], account["windows"], account["pinned"]
    asked = amount_of(measure, windows[-1]["asked"]) if windows else "-"
    return asked, "-" if pinned is None else amount_of(measure, pinned)


def _leases(operator: Any, accounts: set[str]) -> list[tuple[str, ...]]:
    """What processes have leased of these accounts and not reported, and when they were heard of."""
    nodes = {node["node"]: node for node in operator.nodes()}
    rows: list[tuple[str, ...]] = []
    for lease in operator.leases():
        out = sum(granted - reported for _window, granted, reported in lease["windows"])
        if out > 0 and lease["account"] in accounts:
            heard = nodes.get(lease["node"], {}).get("heard")
            seen = "unknown" if heard is None else when("", heard, seconds=True)
            rows.append((lease["node"][:12], place_of(lease), amount_of(lease["measure"], out), seen))
    return rows


def _print_lines(kind: str, rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        click.echo(json.dumps({"kind": kind, **row}, ensure_ascii=False))
