"""What a policy claims of itself: proved, or an error with a run that does otherwise, or not decided."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from checkrein.amounts import money
from checkrein.analysis.bound import bound
from checkrein.analysis.courses import model_courses, selects_model, selects_tool, tool_courses
from checkrein.diagnostics import Related, quote
from checkrein.language.check.vocabulary import currency_of
from checkrein.language.meaning.needs import may_pass
from checkrein.language.names import Names
from checkrein.language.tree import CostClaim, Order, OrderClaim

if TYPE_CHECKING:
    from checkrein.analysis.refute import Refuter
    from checkrein.diagnostics import Example, Report
    from checkrein.language.tree import Policy, Selector


def check_claims(policy: Policy, report: Report) -> None:
    """Report each claim that is not proved. The policy has no other error."""
    Claims(policy, report).check()


class Claims:
    """The claims of a policy; a run that refutes one is looked for only where one is not proved."""

    def __init__(self, policy: Policy, report: Report) -> None:
        self.policy = policy
        self.report = report
        self.names = Names(policy)

    def check(self) -> None:
        """Report what is not proved."""
        costs = self.policy.of(CostClaim)
        if costs:
            self._costs(costs)
        for claim in self.policy.of(OrderClaim):
            if claim.selector.point == "model":
                self._of_a_model(claim)
            else:
                self._of_tools(claim)

    @cached_property
    def refuter(self) -> Refuter:
        """What looks for a run against a claim."""
        from checkrein.analysis.refute import Refuter

        return Refuter(self.policy, self.names)

    def _costs(self, claims: list[CostClaim]) -> None:
        figure, currency = bound(self.policy).of("cost"), currency_of(self.policy)
        for claim in claims:
            most = int(claim.most.value)
            if figure.most is None:
                message = "nothing bounds the `cost` of a run"
            elif figure.most > most:
                message = f"a run may cost {money(figure.most, currency)}, more than {money(most, currency)}"
            else:
                continue
            example = self.refuter.costs_more(most)
            if example is None:
                dearest = money(self.refuter.dearest, currency)
                message += f"; not decided: of the runs that were tried none cost more than {dearest}"
            related = tuple(Related("it comes from here", term.held.bound.span) for term in figure.terms)
            help = f"write `cost <= {money(most, currency)}` in a limit `on run`, or see `checkrein bound`"
            self._tell("R0561", claim, message, help, related, example)

    def _of_a_model(self, claim: OrderClaim) -> None:
        courses = model_courses(self.policy, self.names)
        served = [each.name for each in courses if selects_model(claim.selector, each.name)]
        if served:
            message = f"nothing keeps model {quote(served[0])} from being called before that"
            example = self.refuter.asks_without(served[0])
            self._tell("R0562", claim, message, "claim it of tools: an order is about tools", (), example)

    def _of_tools(self, claim: OrderClaim) -> None:
        """Proved if each tool that can run has to wait for that one: by an order that nobody can lift."""
        for name in (each.name for each in tool_courses(self.policy, self.names)):
            tool = self.names.tools[name]
            if not selects_tool(claim.selector, tool):
                continue
            orders = [order for order in self.policy.enforced(Order) if selects_tool(order.after, tool)]
            if any(_waits(order, claim, self.names) for order in orders):
                continue
            related = tuple(Related("this order is no proof of it", order.span) for order in orders)
            wanted = quote(claim.tool.text)
            message = f"nothing keeps tool {quote(name)} from being run before {wanted} has succeeded"
            example = self.refuter.runs_without(name, claim.tool.text)
            if example is None:
                message = (
                    f"no order says that tool {quote(name)} is run only after {wanted} has succeeded; "
                    "not decided: no run that was tried does otherwise"
                )
            help = f'write `order "..." {{ "{claim.tool.text}" before "{name}" within run }} else deny`'
            self._tell("R0562", claim, message, help, related, example)
            return

    def _tell(
        self, code: str, claim: CostClaim | OrderClaim, message: str, help: str,
        related: tuple[Related, ...], example: Example | None,
    ) -> None:  # fmt: skip
        self.report.add(code, claim.span, message, help=help, related=related, example=example)


def _waits(order: Order, claim: OrderClaim, names: Names) -> bool:
    """Whether what the order waits for is that tool alone, and no person can let a call pass without it."""
    first = _selected(order.before, names)
    return first == [claim.tool.text] and not may_pass(order.otherwise)


def _selected(selector: Selector, names: Names) -> list[str]:
    return [name for name, tool in names.tools.items() if selects_tool(selector, tool)]
