"""What a loop watches, and what it may say about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import quote
from checkrein.language.check.answers import check_gift
from checkrein.language.facts import ARG_PREFIX

if TYPE_CHECKING:
    from checkrein.language.check.targets import Targets
    from checkrein.language.tree import Loop, Name

RING = 256
"""The calls that loops look back on."""


def check_loop(loop: Loop, targets: Targets) -> None:
    """Report what is wrong with a loop."""
    report, names = targets.report, targets.names
    watched = (loop.same_call, loop.same_error, loop.cycle)
    if all(each is None for each in watched) and not names.broken:
        report.add(
            "R0502",
            loop.name.span,
            f"loop {quote(loop.name.text)} watches nothing",
            help="write `same call >= 3 within 10 steps` or `cycle <= 4 calls repeated >= 3`",
        )
    for word, pair in (("same call", loop.same_call), ("same error", loop.same_error)):
        if pair is not None and not (2 <= pair[0] <= RING and pair[1] >= 1):
            _number(loop, targets, f"`{word}` needs a count from 2 to {RING} within 1 step or more")
    if loop.cycle is not None:
        period, times = loop.cycle
        if period < 1 or times < 2 or period * times > RING:
            message = f"`cycle` needs at least 1 call repeated at least 2 times, {RING} calls in all at most"
            _number(loop, targets, message)
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
    check_gift(report, loop.otherwise, "loop")
    targets.asks(loop.otherwise, None)


def _number(loop: Loop, targets: Targets, message: str) -> None:
    help = f"a loop is looked for in the last {RING} tool calls"
    targets.report.add("R0503", loop.name.span, message, help=help)


def _ignored(loop: Loop, fact: Name, targets: Targets) -> None:
    report, names = targets.report, targets.names
    arg = fact.text.removeprefix(ARG_PREFIX)
    if not fact.text.startswith(ARG_PREFIX) or "." in arg:
        help = "write it as `ignoring call.args.request_id`"
        report.add("R0509", fact.span, f"{quote(fact.text)} is no argument of a call", help=help)
    elif loop.same_call is None and loop.cycle is None and not names.broken:
        message = f"loop {quote(loop.name.text)} compares no calls, so it can ignore no argument"
        report.add("R0509", fact.span, message, help="add `same call` or `cycle`, or remove `ignoring`")
    elif arg not in names.argument_names and not names.broken:
        meant = names.did_you_mean(arg, names.argument_names, prefix=ARG_PREFIX)
        declare = f'declare it: `tool "name" {{ args {{ "{arg}" text }} }}`'
        report.add("R0104", fact.span, f"no tool declares an argument {quote(arg)}", help=meant or declare)
