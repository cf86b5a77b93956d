"""Limits: whom they are kept for, over which time, what they bound, and who may give them more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import Related, quote
from checkrein.language.check.answers import check_gift
from checkrein.language.check.conditions import NOTHING
from checkrein.language.check.observed import check_observed_limit
from checkrein.language.check.zones import check_zone
from checkrein.language.facts import RESERVED, SCOPES, Context
from checkrein.language.translate.limits import LIMIT_DIMENSIONS
from checkrein.language.translate.walk import VALUE_MAX
from checkrein.language.tree import Calendar, Limit, Rolling, Store

if TYPE_CHECKING:
    from checkrein.diagnostics import Report
    from checkrein.language.check.conditions import ConditionChecker
    from checkrein.language.check.targets import Targets
    from checkrein.language.tree import Bound, Fact, Name, Policy, Queue, WrapUp

NEVER_ZERO = frozenset(
    "tokens input_tokens output_tokens steps model_calls attempts active_time wall_time".split()
)
COUNTED = frozenset({"steps", "model_calls", "tool_calls", "attempts", "calls of"})
"""What `counts` is about: retries and escalations are always counted when they are attempted."""
OF_A_CALL = ("steps", "model_calls", "attempts")
"""Counts that a call of the wrap-up takes one of."""
TIMES = frozenset({"active_time", "wall_time"})
WHOLE_PPM = 1_000_000
DAY_NS = 86_400 * 10**9
ROLLING_NS = (10**9, 100 * DAY_NS)


def is_wide(limit: Limit) -> bool:
    """Whether several runs share it."""
    return limit.scope.text != "run"


def written_bound(bound: Bound, source: str) -> str:
    """How the author would call a bound: `cost`, or `calls of tool "search"`."""
    if bound.selector is None:
        return bound.dimension
    return f"{bound.dimension} {source[bound.selector.span.start : bound.selector.span.end]}"


def check_store(policy: Policy, report: Report) -> None:
    """Report `store shared` that is there twice or for nothing."""
    stores = policy.of(Store)
    for again in stores[1:]:
        report.add(
            "R0025",
            again.span,
            "`store shared` is given twice",
            related=(Related("given here first", stores[0].span),),
            help="keep one of the two",
        )
    if stores and not policy.broken and not any(is_wide(limit) for limit in policy.enforced(Limit)):
        report.add(
            "R0318",
            stores[0].span,
            "`store shared` does nothing: no limit is wider than a run",
            help="remove it, or write a limit `on user`, for example",
            severity="warning",
        )


class LimitChecker:
    """Checks the limits of one policy."""

    def __init__(self, targets: Targets, conditions: ConditionChecker) -> None:
        self.targets = targets
        self.conditions = conditions
        self.names = targets.names
        self.report = targets.report

    def check(self, limit: Limit) -> None:
        """Report what is wrong with one limit."""
        self._scope(limit)
        self._window(limit)
        self._bounds(limit)
        self._counts(limit)
        for threshold in limit.thresholds:
            if threshold.percent.dimension != "percent" or not 0 < int(threshold.percent.value) <= WHOLE_PPM:
                self.report.add(
                    "R0304",
                    threshold.percent.span,
                    "a threshold is a percentage above 0% and up to 100%",
                    help="write `at 80% ...`",
                )
        if limit.wrap_up is not None:
            self._wrap_up(limit, limit.wrap_up)
        if limit.observed is not None:
            check_observed_limit(self.names, limit, self.report)
        check_gift(self.report, limit.otherwise, "limit")
        self.conditions.check_text(limit.otherwise, Context("any", "a limit"), NOTHING)
        queue = self.targets.limit_outcome(limit.otherwise)
        if queue is not None:
            self._escalates(limit, queue)

    # -- scope and window ---------------------------------------------------------------------

    def _scope(self, limit: Limit) -> None:
        scope = limit.scope
        if limit.failure is not None and not is_wide(limit):
            self.report.add(
                "R0313",
                limit.failure.span,
                "`on failure` is about a store, and a limit on a run needs none",
                help="remove it: what a run has spent is known in its own process",
            )
        if scope.text in SCOPES:
            return
        fact = self.names.facts.get(scope.text)
        if fact is not None:
            wrong = _unfit(fact)
            if wrong is not None:
                self._key(scope, *wrong)
        elif scope.text in self.names.defines:
            self._key(scope, "it is a condition", "declare a fact of type `text`")
        elif scope.text.split(".", 1)[0] in RESERVED:
            first = scope.text.split(".", 1)[0]
            better = f"write `on {first}`" if first in SCOPES else "declare a fact of type `text`"
            self._key(scope, f"`{first}.*` is set by the engine", better)
        elif not self.names.broken:
            help = self.names.did_you_mean(scope.text, sorted(self.names.facts))
            declare = f"declare it: `fact {scope.text} text`"
            self.report.add("R0103", scope.span, f"unknown fact {quote(scope.text)}", help=help or declare)

    def _key(self, scope: Name, why: str, help: str) -> None:
        message = f"a limit cannot be kept for each {quote(scope.text)}: {why}"
        self.report.add("R0112", scope.span, message, help=help)

    def _window(self, limit: Limit) -> None:
        match limit.window:
            case Calendar(zone=name) if name is not None:
                check_zone(self.names, self.report, name)
            case Rolling(duration=duration, span=span) if not ROLLING_NS[0] <= duration <= ROLLING_NS[1]:
                self.report.add(
                    "R0311",
                    span,
                    "`rolling` takes from `1 s` to `100 d`",
                    help="write `each month`, or leave the window out for a limit that never starts anew",
                )
            case _:
                pass

    # -- bounds -------------------------------------------------------------------------------

    def _bounds(self, limit: Limit) -> None:
        if not limit.bounds and not self.names.broken:
            self.report.add(
                "R0301",
                limit.name.span,
                f"limit {quote(limit.name.text)} bounds nothing",
                help="write a bound such as `cost <= $0.50`",
            )
        first: dict[str, Bound] = {}
        for bound in limit.bounds:
            if bound.selector is not None:
                self.targets.selector(bound.selector)
            measure = _measure(bound)
            same = first.setdefault(measure, bound)
            word = written_bound(bound, self.names.policy.source)
            if same is not bound:
                self.report.add(
                    "R0302",
                    bound.span,
                    f"`{word}` is bounded twice in limit {quote(limit.name.text)}",
                    related=(Related("bounded here first", same.span),),
                    help="keep the smaller one",
                )
            elif bound.literal.value == 0 and bound.dimension in NEVER_ZERO:
                message = f"`{word} <= 0` lets nothing run"
                self.report.add("R0303", bound.span, message, help="give at least 1")
            if bound.dimension in TIMES and (is_wide(limit) or limit.window is not None):
                what = "one `on run`" if is_wide(limit) else "one without a window"
                self.report.add(
                    "R0312",
                    bound.span,
                    f"`{word}` is the time of one run, from its beginning",
                    help=f"put it in a limit of its own, {what}",
                )

    def _counts(self, limit: Limit) -> None:
        if limit.basis is None or any(b.dimension in COUNTED for b in limit.bounds):
            return
        self.report.add(
            "R0314",
            limit.basis.span,
            f"`counts {limit.basis.text}` counts nothing in limit {quote(limit.name.text)}",
            help="remove it: it is about `steps`, `model_calls`, `tool_calls`, `attempts` and `calls of`",
        )

    # -- wrap-up and grants -------------------------------------------------------------------

    def _wrap_up(self, limit: Limit, wrap_up: WrapUp) -> None:
        if is_wide(limit) or limit.window is not None:
            self.report.add(
                "R0315",
                wrap_up.span,
                "`wrap up` keeps something back for the end of a run",
                help="put it in a limit `on run` without a window",
            )
            return
        amount = wrap_up.amount
        if amount.dimension not in ("money", "tokens"):
            self._wrap_up_number(
                wrap_up, "`wrap up` keeps back money or tokens", "write `wrap up 1 call $0.02`"
            )
            return
        own = "cost" if amount.dimension == "money" else "tokens"
        bounds = {b.dimension: b for b in limit.bounds}
        if own not in bounds:
            self.report.add(
                "R0315",
                wrap_up.span,
                f"limit {quote(limit.name.text)} does not bound `{own}`, so there is none to keep back",
                help=f"write a bound `{own} <= ...`",
            )
        elif not 0 < int(amount.value) < int(bounds[own].literal.value):
            help = f"give more than 0 and less than the bound of `{own}`"
            self._wrap_up_number(wrap_up, "`wrap up` has to leave something before the end", help)
        if wrap_up.calls < 1:
            self._wrap_up_number(wrap_up, "`wrap up 0 calls` keeps nothing", "write `wrap up 1 call ...`")
        for bound in (bounds[word] for word in OF_A_CALL if word in bounds):
            if int(bound.literal.value) <= wrap_up.calls:
                message = f"`wrap up` keeps back all of `{bound.dimension}`"
                self._wrap_up_number(wrap_up, message, "keep back fewer calls, or bound them higher")

    def _wrap_up_number(self, wrap_up: WrapUp, message: str, help: str) -> None:
        self.report.add("R0316", wrap_up.span, message, help=help)

    def _escalates(self, limit: Limit, queue: Queue) -> None:
        """An approval must be able to help: the queue grants what one bound of the limit is about."""
        span = limit.otherwise.span
        who = f"queue {quote(queue.name.text)}"
        if limit.otherwise.wants != "approval":
            message = f"a limit asks for more room, and a {limit.otherwise.wants} gives none"
            self.report.add("R0521", span, message, help="leave it out, or ask in a rule")
        grants = queue.grants
        if grants is None:
            help = f"write what an approval adds in {who}, such as `grants $5 at most 2 times`"
            self.report.add("R0317", span, f"{who} grants nothing, so an answer changes no limit", help=help)
            return
        dimension = grants.amount.dimension
        own = {"money": ["cost"], "tokens": ["tokens"]}.get(dimension)
        if own is None:
            own = [word for word, each in LIMIT_DIMENSIONS.items() if each == "count"]
        bounds = [b for b in limit.bounds if b.dimension in own]
        related = (Related("it grants here", grants.span),)
        if not bounds and not self.names.broken:
            what = {"money": "money", "tokens": "tokens"}.get(dimension, "a count")
            message = f"{who} grants {what}, but limit {quote(limit.name.text)} does not bound it"
            help = f"bound {' or '.join(f'`{w}`' for w in own[:1])} in this limit, or ask another queue"
            if dimension == "count":
                help = "bound a count such as `model_calls` in this limit, or ask another queue"
            self.report.add("R0317", span, message, help=help, related=related)
        elif len(bounds) > 1:
            message = f"{who} grants a count, but limit {quote(limit.name.text)} bounds more than one"
            help = "make a limit of its own of the one that may be raised"
            self.report.add("R0317", span, message, help=help, related=related)
        elif bounds:
            highest = int(bounds[0].literal.value) + int(grants.amount.value) * grants.times
            if highest > VALUE_MAX:
                message = f"with all its grants limit {quote(limit.name.text)} is too large"
                self.report.add("R0023", span, message, help=f"at most {VALUE_MAX:,} in the smallest unit")


def _unfit(fact: Fact) -> tuple[str, str] | None:
    """Why a declared fact cannot be the key of a limit, and what to do."""
    if fact.type.is_list:
        return "it is a list", "a limit is kept for one value: declare a fact of its own"
    if fact.type.dimension != "text":
        return f"it is no text but `{fact.type.dimension}`", "declare it as `text` or `one of`"
    if fact.default is not None:
        return "it has a default", "remove `default`: runs that leave it out would share one limit"
    if fact.optional:
        return "it is optional", "remove `optional`: every run must say whose limit it takes from"
    return None


def _measure(bound: Bound) -> str:
    """Equal for two bounds of one measure."""
    selector = bound.selector
    if selector is None:
        return bound.dimension
    name = selector.name.text if selector.name is not None else None
    return f"{bound.dimension} {selector.point} {selector.tool_class} {name!r}"
