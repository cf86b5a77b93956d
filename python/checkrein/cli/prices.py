"""`checkrein prices`: the price snapshot of this version, to read, to search and to compare models by."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from checkrein.cli.output import count, table
from checkrein.errors import CheckreinError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checkrein.prices import Price, Tariff

_FIGURE = re.compile(r"(\d+(?:_\d+)*(?:\.\d+)?)([kM]?)")
_TIMES = {"": 1, "k": 1_000, "M": 1_000_000}
_COUNT_MAX = 2**53 - 1

_STYLE = click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="How the result is printed: for people, or as one JSON object.",
)  # fmt: skip


def _tokens(_ctx: click.Context, _option: click.Parameter, value: str) -> int:
    """A number of tokens: 800, 10k, 1.5M."""
    found = _FIGURE.fullmatch(value)
    figure = Decimal(found[1]) * _TIMES[found[2]] if found else Decimal(-1)
    if figure % 1 or not 0 <= figure <= _COUNT_MAX:
        raise click.BadParameter(f"`{value}` is no number of tokens; write 800, 10k or 1.5M")
    return int(figure)


def _minute(_ctx: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    """A time of the day: 16:30."""
    if value is None:
        return None
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", value)
    if found is None:
        raise click.BadParameter(f"`{value}` is no time of the day; write it like 16:30")
    return int(found[1]) * 60 + int(found[2])


@click.group()
def prices() -> None:
    """See what models cost, by the list prices that are part of this version.

    A policy takes them from here for a model without a `price`. Nothing is fetched from anywhere.
    """


@prices.command("list")
@click.option("--provider", metavar="NAME", help="Only the models of this provider.")
@click.option("--all", "everything", is_flag=True, help="Also models without a price, with the reason.")
@_STYLE
def list_prices(provider: str | None, everything: bool, style: str) -> None:
    """List the models that have a price."""
    from checkrein import prices

    found = prices.search()
    known = sorted({price.provider for price in found})
    if provider is not None and provider not in known:
        raise CheckreinError(_printable(f"no provider is named `{provider}`\n  help: {', '.join(known)}"))
    _show([p for p in found if provider in (None, p.provider) and (everything or p.tariffs)], style)


@prices.command("search")
@click.argument("words", nargs=-1, required=True)
@_STYLE
def search_prices(words: tuple[str, ...], style: str) -> None:
    """Find the models that have all of WORDS in their name, or that a policy's target means."""
    from checkrein import prices

    found = prices.search(" ".join(words))
    if len(words) == 1 and (meant := prices.price_of(words[0])) and meant not in found:
        found.append(meant)
    _show(found, style)


@prices.command("compare")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option(
    "--input",
    "input_tokens",
    metavar="TOKENS",
    required=True,
    callback=_tokens,
    help="Input tokens of the call.",
)
@click.option(
    "--output",
    "output_tokens",
    metavar="TOKENS",
    required=True,
    callback=_tokens,
    help="Output tokens of the call.",
)
@click.option(
    "--cache-read", metavar="TOKENS", default="0", callback=_tokens, help="Of the input: read from a cache."
)
@click.option(
    "--cache-write", metavar="TOKENS", default="0", callback=_tokens, help="Of the input: written to a cache."
)
@click.option(
    "--reasoning", metavar="TOKENS", default="0", callback=_tokens, help="Of the output: reasoning."
)
@click.option(
    "--at", "minute", metavar="HH:MM", callback=_minute, help="Time of the day, UTC; otherwise the dearest."
)
@_STYLE
def compare_prices(
    targets: tuple[str, ...],
    input_tokens: int,
    output_tokens: int,
    cache_read: int,
    cache_write: int,
    reasoning: int,
    minute: int | None,
    style: str,
) -> None:
    """See what one call costs with each TARGET (provider/model), the cheapest first."""
    from checkrein import prices
    from checkrein.amounts import decimal, money

    if cache_read + cache_write > input_tokens:
        raise click.UsageError("--cache-read and --cache-write are part of --input, and more than it here")
    if reasoning > output_tokens:
        raise click.UsageError("--reasoning is part of --output, and more than it here")
    parts = {"cache_read": cache_read, "cache_write": cache_write, "reasoning": reasoning}

    def costs(price: Price) -> int:
        starts = {tariff.start for tariff in price.tariffs} if minute is None else {minute}
        return max(
            prices.cost(price.tariffs, input_tokens, output_tokens, minute=start, **parts) for start in starts
        )

    rows = sorted((costs(price), target, price) for target, price in _known(targets))
    if style == "json":
        call = {"input": input_tokens, "output": output_tokens, **parts}
        models = [
            {"target": target, "model": price.target, "cost": decimal(cost)} for cost, target, price in rows
        ]
        click.echo(json.dumps({"snapshot": prices.SNAPSHOT_ID, "tokens": call, "models": models}, indent=2))
        return
    least = rows[0][0]
    lines = [("COST", "TIMES", "MODEL")]
    lines += [
        (
            money(cost),
            f"{Decimal(cost) / least:.2f}" if least else "",
            f"{target} (as {price.target})" if price.target != target else target,
        )
        for cost, target, price in rows
    ]
    click.echo("\n".join(table(lines, right=frozenset({0, 1}))))
    click.echo(f"prices: {prices.SNAPSHOT_ID}")


def _known(targets: tuple[str, ...]) -> list[tuple[str, Price]]:
    """Each target once with its price, which has tariffs."""
    from checkrein import prices

    found = []
    for target in dict.fromkeys(targets):
        price = prices.price_of(target)
        if price is None:
            help = "write provider/model, as in `openai/gpt-5`; `checkrein prices search` finds names"
            raise CheckreinError(_printable(f"the price of `{target}` is not known\n  help: {help}"))
        if not price.tariffs:
            raise CheckreinError(_printable(f"`{target}` has no price here: {price.reason}"))
        found.append((target, price))
    return found


def _printable(text: str) -> str:
    from checkrein.sentences import printable

    return "\n".join(printable(line) for line in text.split("\n"))


# -- how models are shown --------------------------------------------------------------------------


def _show(found: list[Price], style: str) -> None:
    from checkrein import prices

    if style == "json":
        models = [_as_json(price) for price in found]
        click.echo(json.dumps({"snapshot": prices.SNAPSHOT_ID, "models": models}, indent=2))
        return
    if found:
        head = ("MODEL", "WHEN", "INPUT", "OUTPUT", "CACHE READ", "CACHE WRITE", "REASONING", "")
        rows = [row for price in found for row in _rows(price)]
        click.echo("\n".join(table([head, *rows], right=frozenset({2, 3, 4, 5, 6}))))
    click.echo(f"{count(len(found), 'model')}, $ per 1M tokens; prices: {prices.SNAPSHOT_ID}")


def _rows(price: Price) -> Iterable[tuple[str, ...]]:
    """A line a tariff, the model's name on the first."""
    if not price.tariffs:
        yield (price.target, "", "", "", "", "", "", price.reason)
    notes = [f"another price from {price.until}"] if price.until else []
    notes += ["audio costs more"] if price.audio else []
    for number, tariff in enumerate(price.tariffs):
        rates = [_dollars(rate) for rate in tariff[3:]]
        yield (
            price.target if number == 0 else "",
            _when(tariff),
            *rates,
            "; ".join(notes) if number == 0 else "",
        )


def _when(tariff: Tariff) -> str:
    """For which calls the tariff is; nothing for all."""
    above = [f"above {tariff.above:,}"] if tariff.above else []
    whole = (tariff.start, tariff.end) == (0, 1440)
    return ", ".join(above + ([] if whole else [f"{_clock(tariff.start)} to {_clock(tariff.end)} UTC"]))


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _dollars(rate: int) -> str:
    from checkrein.amounts import money

    return money(rate).removeprefix("$")


def _as_json(price: Price) -> dict[str, Any]:
    from checkrein.amounts import decimal

    shown: dict[str, Any] = {"target": price.target}
    if price.reason:
        shown["reason"] = price.reason
    shown["tariffs"] = [
        {
            name: value if name in ("above", "start", "end") else decimal(value)
            for name, value in tariff._asdict().items()
        }
        for tariff in price.tariffs
    ]
    if price.until:
        shown["until"] = price.until
    return {**shown, "audio": price.audio}
