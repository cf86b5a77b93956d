"""Results of tools, retries and rules; orders, loops, requirements and routes with their own rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import quote
from checkrein.language.check.answers import check_gift
from checkrein.language.check.breakers import check_breaker, check_window
from checkrein.language.check.conditions import NOTHING
from checkrein.language.check.loops import check_loop
from checkrein.language.check.orders import check_order
from checkrein.language.check.routes import RouteChecker
from checkrein.language.facts import (
    BUILT_IN,
    CASCADE,
    RESULT_PREFIX,
    Context,
    context_of,
    result_of,
)
from checkrein.language.tree import Breaker, Loop, Order, Require, Retry, Route, Rule, Tool, Truth

if TYPE_CHECKING:
    from typing import Any

    from checkrein.language.check.conditions import ConditionChecker
    from checkrein.language.check.defines import Defines
    from checkrein.language.check.targets import Targets
    from checkrein.language.tree import Condition, Outcome, Selector


class EnforcedChecker:
    """Checks the statements that decide."""

    def __init__(self, targets: Targets, conditions: ConditionChecker, defines: Defines) -> None:
        self.targets = targets
        self.names = targets.names
        self.report = targets.report
        self.conditions = conditions
        self.defines = defines
        self.routes = RouteChecker(targets)

    def check(self, statement: Any) -> None:
        """Report what is wrong with one statement."""
        match statement:
            case Tool():
                self._tool(statement)
            case Retry():
                self._retry(statement)
            case Breaker():
                check_breaker(statement, self.targets)
            case Require():
                self.routes.require(statement)
                self._condition(statement.when, Context("model", "a requirement"))
            case Route():
                self.routes.route(statement)
                for arm in statement.arms:
                    self._condition(arm.when, Context("model", "a route"))
                    if arm.then is not None:
                        self._condition(arm.then.when, CASCADE)
            case Order():
                check_order(statement, self.targets)
            case Loop():
                check_loop(statement, self.targets)
            case Truth():
                self.targets.outcome(statement.otherwise)
                check_gift(self.report, statement.otherwise, "truth")
            case Rule():
                self.targets.selector(statement.selector)
                context = context_of(self.names, statement.selector, "rule")
                present = self._condition(statement.when, context)
                self.targets.outcome(statement.outcome)
                self._gift(statement.outcome, statement.selector, context, present)
                self.targets.asks(statement.outcome, statement.selector)
                if not (statement.outcome.reason or "").strip():
                    who = f"rule {quote(statement.name.text)}"
                    help = "say in a few words what the agent or a person should know"
                    self.report.add("R0015", statement.name.span, f"{who} gives no reason", help=help)
            case _:
                pass

    def _condition(self, condition: Condition | None, context: Context) -> frozenset[str]:
        """Report what is wrong with a condition; the facts that are there where it holds."""
        if condition is None or not self.defines.check_size(condition, condition.span):
            return NOTHING
        return self.conditions.check(condition, context)

    def _gift(self, outcome: Outcome, selector: Selector, context: Context, present: frozenset[str]) -> None:
        statement = "retry" if context.error else "rule"
        check_gift(self.report, outcome, statement, on_models=selector.point == "model")
        if selector.point == "model":
            self.conditions.check_text(outcome, context, present)

    # -- results ----------------------------------------------------------------------------

    def _tool(self, tool: Tool) -> None:
        for field in tool.results:
            if RESULT_PREFIX + field.name.text in BUILT_IN:
                message = f"{quote(RESULT_PREFIX + field.name.text)} is what a model's result has"
                self.report.add("R0324", field.name.span, message, help="give the field another name")
        self._condition(tool.succeeds, result_of(tool))

    # -- retries -------------------------------------------------------------------------------

    def _retry(self, retry: Retry) -> None:
        self.targets.selector(retry.selector)
        context = context_of(self.names, retry.selector, "retry", error=True)
        present = self._condition(retry.when, context)
        if retry.attempts is None and not self.names.broken:
            self.report.add(
                "R0401",
                retry.name.span,
                f"retry {quote(retry.name.text)} does not say how often",
                help="write `attempts <= 3`: it counts the first attempt too",
            )
        if retry.share is not None:
            check_window(self.targets, retry.share.span, retry.share.window)
        if retry.otherwise.kind == "escalate":
            self.report.add(
                "R0408",
                retry.otherwise.span,
                "a retry cannot escalate: the call has already been made",
                help='write `else fail "state"`',
            )
        else:
            self.targets.outcome(retry.otherwise)
            self._gift(retry.otherwise, retry.selector, context, present)
