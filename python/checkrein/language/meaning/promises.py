"""Statements that nothing can come of: attempts never made, bounds never reached, tools never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.amounts import amount, duration, money
from checkrein.diagnostics import Related, quote
from checkrein.language.check.vocabulary import currency_of
from checkrein.language.facts import selected_tools
from checkrein.language.meaning.needs import may_pass, meets
from checkrein.language.prices import tariffs_of
from checkrein.language.tree import OWN, Limit, Model, Order, Require, Retry, Route, Rule

if TYPE_CHECKING:
    from checkrein.diagnostics import Report
    from checkrein.language.names import Names
    from checkrein.language.tree import Bound, Selector

MILLION = 1_000_000


def report_promises(names: Names, report: Report) -> None:
    """Add what is found; all are warnings."""
    for retry in names.policy.enforced(Retry):
        _attempts(names, retry, report)
    for limit in names.policy.enforced(Limit):
        _idle_bounds(names, limit, report)
        _fits(names, limit, report)
    _unmet_places(names, report)
    _unrun_tools(names, report)


# -- attempts --------------------------------------------------------------------------------------


def _attempts(names: Names, retry: Retry, report: Report) -> None:
    """Attempts of a retry that are never made: the one reason that leaves the fewest."""
    if retry.attempts is None:
        return
    found = [*_by_time(retry), *_by_tools(names, retry), *_by_limits(names, retry)]
    possible, why = min(found, default=(retry.attempts, ""))
    if possible < retry.attempts:
        message = (
            f"retry {quote(retry.name.text)} makes at most {possible} of its {retry.attempts} attempts: {why}"
        )
        help = "allow more, wait less, or try less often"
        report.add("R0630", retry.name.span, message, help=help, severity="warning")


def _by_time(retry: Retry) -> list[tuple[int, str]]:
    """The delays alone may take longer than the deadline; each is at least the first one."""
    if retry.within is None or retry.backoff is None or retry.backoff[0] == 0:
        return []
    least = retry.backoff[0]
    possible = 1 + (retry.within - 1) // least
    waits = f"{duration(least)} before each further one" if possible > 1 else f"{duration(least)} first"
    ends = f"ends {duration(retry.within)} after the call began"
    return [(possible, f"it waits at least {waits}, and {ends}")]


def _by_tools(names: Names, retry: Retry) -> list[tuple[int, str]]:
    tools = selected_tools(names, retry.selector) if retry.selector.point == "tool" else ()
    if not tools or not all(tool.once for tool in tools):
        return []
    return [(1, f"tool {quote(tools[0].name.text)} is `once`")]


def _by_limits(names: Names, retry: Retry) -> list[tuple[int, str]]:
    """Limits that one call can't go beyond. One that people raise, or that may be passed, is none."""
    found = []
    for limit in names.policy.enforced(Limit):
        is_raised = limit.otherwise.kind == "escalate"
        is_passed = limit.failure is not None and limit.failure.text == "allow"
        counts_all = limit.basis is None or limit.basis.text == "attempted"
        if limit.window is not None or is_raised or is_passed:
            continue
        for bound in limit.bounds:
            possible = _lets(names, retry, bound, counts_all=counts_all)
            if possible is not None:
                written = names.policy.source[bound.span.start : bound.span.end]
                why = f"limit {quote(limit.name.text)} says {quote(' '.join(written.split()))}"
                found.append((possible, why))
    return found


def _lets(names: Names, retry: Retry, bound: Bound, *, counts_all: bool) -> int | None:
    """How many attempts of one call a bound lets a retry make; None if that is not known to be few."""
    most = int(bound.literal.value)
    least = retry.backoff[0] if retry.backoff is not None else 0
    if bound.dimension == "wall_time":
        return 1 + most // least if least else None
    if bound.dimension == "active_time":  # it may stand still between two attempts, in a suspended run
        return 1 if least > most else None
    if bound.dimension == "retries":
        return most + 1
    is_of_all = bound.dimension in ("attempts", f"{retry.selector.point}_calls")
    is_of_these = bound.selector is not None and _covers(names, bound.selector, retry.selector)
    if not counts_all or most == 0 or not (is_of_all or is_of_these):
        return None
    return most


def _covers(names: Names, wide: Selector, narrow: Selector) -> bool:
    """Whether a selector takes all calls that another one takes."""
    if wide.point != narrow.point:
        return False
    if wide.point == "tool":
        return {t.name.text for t in selected_tools(names, narrow)} <= {
            t.name.text for t in selected_tools(names, wide)
        }
    return wide.name is None or (narrow.name is not None and narrow.name.text == wide.name.text)


# -- bounds ----------------------------------------------------------------------------------------


def _idle_bounds(names: Names, limit: Limit, report: Report) -> None:
    """Bounds that nothing of this policy counts in; one of 0 says that there shall be none.

    One of an included file may be for another policy.
    """
    if limit.span.file != OWN:
        return
    for bound in limit.bounds:
        why = _why_idle(names, bound)
        if why is not None and bound.literal.value != 0:
            message = (
                f"the bound `{bound.dimension}` of limit {quote(limit.name.text)} is never reached: {why}"
            )
            report.add("R0631", bound.span, message, help="remove it", severity="warning")


def _why_idle(names: Names, bound: Bound) -> str | None:
    models = names.policy.of(Model)
    if bound.dimension == "escalations" and not _asks(names):
        return "no statement asks a person"
    if bound.dimension == "retries" and not names.policy.enforced(Retry) and not names.policy.of(Route):
        return "nothing is tried again without a `retry` or a `route`"
    if bound.dimension == "cost" and models and all(model.price == "free" for model in models):
        return "every model is free"
    return None


def _asks(names: Names) -> bool:
    outcomes = [getattr(s, "otherwise", None) or getattr(s, "outcome", None) for s in names.policy.statements]
    return any(outcome is not None and outcome.kind == "escalate" for outcome in outcomes)


def _fits(names: Names, limit: Limit, report: Report) -> None:
    """Models of which not even the smallest reply that is worth a call fits a limit."""
    if limit.otherwise.kind == "escalate":
        return
    currency = currency_of(names.policy)
    for bound in limit.bounds:
        for model in names.models.values():
            needs = _least(model, bound.dimension, currency)
            if needs is None or bound.literal.value == 0 or needs <= int(bound.literal.value):
                continue
            least = money(needs, currency) if bound.dimension == "cost" else f"{needs:,} tokens"
            message = (
                f"no call of model {quote(model.name.text)} fits limit {quote(limit.name.text)}: its "
                f"`least output` of {model.least_output:,} tokens may take {least}, more than "
                f"{amount(bound.dimension, int(bound.literal.value), currency)}"
            )
            help = "allow more, or ask for a smaller `least output`; a host may still ask for less itself"
            related = (Related("the model is declared here", model.name.span),)
            report.add("R0638", bound.span, message, help=help, related=related, severity="warning")


def _least(model: Model, dimension: str, currency: str) -> int | None:
    """The worst case of a call without a prompt, with the fewest output tokens that are worth it."""
    if dimension in ("tokens", "output_tokens"):
        return model.least_output
    if dimension != "cost":
        return None
    tariffs = [each for each in tariffs_of(model, currency) or () if each.above == 0]
    dearest = max((max(each.output, each.reasoning) for each in tariffs), default=0)
    return -(-model.least_output * dearest // MILLION)


# -- models and tools ------------------------------------------------------------------------------


def _unmet_places(names: Names, report: Report) -> None:
    models = names.policy.of(Model)
    for require in names.policy.enforced(Require):
        if isinstance(require.need, str) and models and not any(meets(m, require) for m in models):
            message = f"no model has the place `{require.need}` that {quote(require.name.text)} requires"
            help = "where it applies every model call is denied; if that is meant, write a rule that says so"
            report.add("R0629", require.name.span, message, help=help, severity="warning")


def _unrun_tools(names: Names, report: Report) -> None:
    """Tools whose orders wait for what can't be run before, going by orders and by rules that always hold."""
    forbidden = {
        tool.name.text
        for rule in names.policy.enforced(Rule)
        if rule.when is None and rule.selector.point == "tool" and not may_pass(rule.outcome)
        for tool in selected_tools(names, rule.selector)
    }
    left = set(names.tools) - forbidden
    orders = [order for order in names.policy.enforced(Order) if not may_pass(order.otherwise)]
    before = [{t.name.text for t in selected_tools(names, order.before)} for order in orders]
    after = [{t.name.text for t in selected_tools(names, order.after)} for order in orders]
    run: set[str] = set()
    while True:
        waits = [place for place, wanted in enumerate(before) if not wanted & run]
        new = {name for name in left - run if not any(name in after[place] for place in waits)}
        if not new:
            break
        run |= new
    stuck = sorted(left - run)
    waiting = [place for place, held in enumerate(after) if held & set(stuck) and not before[place] & run]
    if not waiting:
        return
    many = f"tools {', '.join(map(quote, stuck[:-1]))} and {quote(stuck[-1])} can never be run: each waits"
    who = many if len(stuck) > 1 else f"tool {quote(stuck[0])} can never be run: it waits"
    related = tuple(
        Related(f"{quote(orders[place].name.text)} waits for {_listed(before[place])}", orders[place].span)
        for place in waiting
    )
    help = "let one of them be run first, or remove an order"
    report.add(
        "R0640", orders[waiting[0]].name.span, f"{who} for what can't be run before",
        help=help, related=related, severity="warning",
    )  # fmt: skip


def _listed(names: set[str]) -> str:
    return " or ".join(map(quote, sorted(names)))
