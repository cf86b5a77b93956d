"""Retries, requirements, routes, orders, loops and rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import Related, quote
from checkrein.language.facts import Context, context_of, selected_tools
from checkrein.language.tree import Loop, Order, Require, Retry, Route, Rule

if TYPE_CHECKING:
    from typing import Any

    from checkrein.language.check.conditions import ConditionChecker
    from checkrein.language.check.defines import Defines
    from checkrein.language.check.targets import Targets
    from checkrein.language.tree import Condition

RING = 256
"""The calls that loops look back on."""


class EnforcedChecker:
    """Checks the statements that decide."""

    def __init__(self, targets: Targets, conditions: ConditionChecker, defines: Defines) -> None:
        self.targets = targets
        self.names = targets.names
        self.report = targets.report
        self.conditions = conditions
        self.defines = defines
        self._route: Route | None = None

    def check(self, statement: Any) -> None:
        """Report what is wrong with one statement."""
        match statement:
            case Retry():
                self._retry(statement)
            case Require():
                self._condition(statement.when, Context("model", "a requirement"))
            case Route():
                self._check_route(statement)
            case Order():
                self._order(statement)
            case Loop():
                self._loop(statement)
            case Rule():
                self.targets.selector(statement.selector)
                context = context_of(self.names, statement.selector, "rule")
                self._condition(statement.when, context)
                self.targets.outcome(statement.outcome)
                if not (statement.outcome.reason or "").strip():
                    who = f"rule {quote(statement.name.text)}"
                    help = "say in a few words what the agent or a person should know"
                    self.report.add("R0015", statement.name.span, f"{who} gives no reason", help=help)
            case _:
                pass

    def _condition(self, condition: Condition | None, context: Context) -> None:
        if condition is not None and self.defines.check_size(condition, condition.span):
            self.conditions.check(condition, context)

    # -- retries -------------------------------------------------------------------------------

    def _retry(self, retry: Retry) -> None:
        self.targets.selector(retry.selector)
        context = context_of(self.names, retry.selector, "retry", error=True)
        self._condition(retry.when, context)
        if retry.attempts is None and not self.names.broken:
            self.report.add(
                "R0401",
                retry.name.span,
                f"retry {quote(retry.name.text)} does not say how often",
                help="write `attempts <= 3`: it counts the first attempt too",
            )
        if retry.otherwise.kind == "escalate":
            self.report.add(
                "R0408",
                retry.otherwise.span,
                "a retry cannot escalate: the call has already been made",
                help='write `else fail "state"`',
            )
        else:
            self.targets.outcome(retry.otherwise)

    # -- routes -------------------------------------------------------------------------------

    def _check_route(self, route: Route) -> None:
        if self._route is not None:
            self.report.add(
                "R0404",
                route.name.span,
                f"route {quote(route.name.text)} is a second route",
                related=(Related("the first route", self._route.name.span),),
                help="two routes would choose for the same call; make them one",
            )
        self._route = self._route or route
        if not route.arms and not route.fallbacks and not self.names.broken:
            self.report.add(
                "R0410",
                route.name.span,
                f"route {quote(route.name.text)} leads nowhere",
                help='write `to "model" when ...` or `fallback "model" -> "other"`',
            )
        catch_all = None
        for arm in route.arms:
            self.names.resolve(self.report, "model", arm.model, self.names.models)
            if catch_all is not None:
                self.report.add(
                    "R0407",
                    arm.span,
                    f"the arm to {quote(arm.model.text)} comes after an arm that is always true",
                    related=(Related("always true", catch_all.span),),
                    help="put it first, or write it as a `fallback` if it is meant as the reserve",
                )
            elif arm.when is None:
                catch_all = arm
            self._condition(arm.when, Context("model", "a route"))
        self._fallbacks(route)

    def _fallbacks(self, route: Route) -> None:
        edges: dict[str, list[str]] = {}
        seen: set[tuple[str, str]] = set()
        for start, end in route.fallbacks:
            known = [self.names.resolve(self.report, "model", n, self.names.models) for n in (start, end)]
            edge = (start.text, end.text)
            if edge in seen:
                message = f"fallback {quote(start.text)} -> {quote(end.text)} is given twice"
                self.report.add("R0406", end.span, message, help="keep one of the two")
            elif all(known) and (start.text == end.text or _reaches(edges, end.text, start.text)):
                own = start.text == end.text
                message = "a model cannot fall back to itself" if own else "the fallbacks go in a circle"
                self.report.add(
                    "R0405",
                    end.span,
                    f"{message}: {quote(start.text)} -> {quote(end.text)}",
                    help="remove one of the fallbacks",
                )
            else:
                edges.setdefault(start.text, []).append(end.text)
            seen.add(edge)

    # -- orders and loops ---------------------------------------------------------------------

    def _order(self, order: Order) -> None:
        self.targets.selector(order.before)
        self.targets.selector(order.after)
        before = [t.name.text for t in selected_tools(self.names, order.before)]
        after = [t.name.text for t in selected_tools(self.names, order.after)]
        if before and set(before) <= set(after) and len(before) == len(after):
            self.report.add(
                "R0505",
                order.name.span,
                f"order {quote(order.name.text)} can never be kept: the tools before and after are the same",
                help="name the tool that has to come first",
            )
        self.targets.outcome(order.otherwise)

    def _loop(self, loop: Loop) -> None:
        if loop.same_call is None and loop.cycle is None and not self.names.broken:
            self.report.add(
                "R0502",
                loop.name.span,
                f"loop {quote(loop.name.text)} watches nothing",
                help="write `same call >= 3 within 10 steps` or `cycle <= 4 calls repeated >= 3`",
            )
        if loop.same_call is not None:
            count, steps = loop.same_call
            if not 2 <= count <= RING or steps < 1:
                self._loop_number(loop, f"`same call` needs a count from 2 to {RING} within 1 step or more")
        if loop.cycle is not None:
            period, times = loop.cycle
            if period < 1 or times < 2 or period * times > RING:
                self._loop_number(
                    loop,
                    f"`cycle` needs at least 1 call repeated at least 2 times, {RING} calls in all at most",
                )
        self.targets.outcome(loop.otherwise)

    def _loop_number(self, loop: Loop, message: str) -> None:
        self.report.add(
            "R0503", loop.name.span, message, help=f"a loop is looked for in the last {RING} tool calls"
        )


def _reaches(edges: dict[str, list[str]], start: str, goal: str) -> bool:
    seen, todo = set(), [start]
    while todo:
        here = todo.pop()
        if here == goal:
            return True
        if here not in seen:
            seen.add(here)
            todo += edges.get(here, [])
    return False
