"""What a loop watches, and what it may say about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import quote
from checkrein.language.check.answers import check_gift
from checkrein.language.facts import ARG_PREFIX
from checkrein.language.tree import Selector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.language.check.targets import Targets
    from checkrein.language.tree import Loop, Name

RING = 256
"""The calls that loops look back on."""


def check_loop(loop: Loop, targets: Targets) -> None:
    """Report what is wrong with a loop."""
    report, names = targets.report, targets.names
    is_watching = loop.compares_calls or loop.finds_at_models or loop.same_error is not None
    if not is_watching and not names.broken:
        report.add(
            "R0502",
            loop.name.span,
            f"loop {quote(loop.name.text)} watches nothing",
            help="write at least one of `same call >= 3 within 10 steps`, `same error >= 4 within 10 steps`, "
            "`cycle <= 4 calls repeated >= 3`, `no progress >= 8 steps` and `repeated_context >= 60%`",
        )
    for message, help in _out_of_range(loop):
        report.add("R0503", loop.name.span, message, help=help)
    for fact in loop.ignoring:
        _ignored(loop, fact, targets)
    if loop.same_error is not None and loop.otherwise.kind in ("escalate", "reuse"):
        what = "escalate" if loop.otherwise.kind == "escalate" else "hand a known result back"
        report.add(
            "R0508",
            loop.otherwise.span,
            f"a loop that finds the same error cannot {what}: the call has already been made",
            help='write `else stop "state"`, or put `same error` into a loop of its own',
        )
    targets.outcome(loop.otherwise)
    check_gift(report, loop.otherwise, "loop", on_models=loop.finds_at_models)
    _asks(loop, targets)


def _asks(loop: Loop, targets: Targets) -> None:
    """Report a queue that binds arguments which the calls that ask it do not have."""
    if loop.compares_calls or not loop.finds_at_models:
        targets.asks(loop.otherwise, None)
    if loop.finds_at_models:
        targets.asks(loop.otherwise, Selector("model", loop.otherwise.span))


def _out_of_range(loop: Loop) -> Iterator[tuple[str, str]]:
    """What is wrong with the numbers of a loop, and what helps."""
    looked_at = f"a loop is looked for in the last {RING} tool calls"
    for word, pair in (("same call", loop.same_call), ("same error", loop.same_error)):
        if pair is not None and not (2 <= pair[0] <= RING and pair[1] >= 1):
            yield f"`{word}` needs a count from 2 to {RING} within 1 step or more", looked_at
    period, times = loop.cycle or (1, 2)
    if period < 1 or times < 2 or period * times > RING:
        least = "at least 1 call repeated at least 2 times"
        yield f"`cycle` needs {least}, {RING} calls in all at most", looked_at
    if loop.no_progress is not None and not 2 <= loop.no_progress <= RING:
        yield f"`no progress` needs 2 to {RING} steps", "one step that brings nothing new is no loop"


def _ignored(loop: Loop, fact: Name, targets: Targets) -> None:
    report, names = targets.report, targets.names
    arg = fact.text.removeprefix(ARG_PREFIX)
    if not fact.text.startswith(ARG_PREFIX) or "." in arg:
        help = "write it as `ignoring call.args.request_id`"
        report.add("R0509", fact.span, f"{quote(fact.text)} is no argument of a call", help=help)
    elif not (loop.compares_calls or loop.no_progress is not None) and not names.broken:
        message = f"loop {quote(loop.name.text)} compares no calls, so it can ignore no argument"
        help = "add `same call`, `cycle` or `no progress`, or remove `ignoring`"
        report.add("R0509", fact.span, message, help=help)
    elif arg not in names.argument_names and not names.broken:
        meant = names.did_you_mean(arg, names.argument_names, prefix=ARG_PREFIX)
        declare = f'declare it: `tool "name" {{ args {{ "{arg}" text }} }}`'
        report.add("R0104", fact.span, f"no tool declares an argument {quote(arg)}", help=meant or declare)
