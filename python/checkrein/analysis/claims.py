"""What a policy claims of itself: proved, or an error that says what stands against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.amounts import money
from checkrein.analysis.bound import bound
from checkrein.analysis.courses import may_pass, model_courses, selects_model, selects_tool, tool_courses
from checkrein.diagnostics import Related, quote
from checkrein.language.check.vocabulary import currency_of
from checkrein.language.names import Names
from checkrein.language.tree import CostClaim, Order, OrderClaim

if TYPE_CHECKING:
    from checkrein.diagnostics import Report
    from checkrein.language.tree import Policy, Selector


def check_claims(policy: Policy, report: Report) -> None:
    """Report each claim that is not proved. The policy has no other error."""
    costs = policy.of(CostClaim)
    if costs:
        _check_costs(policy, costs, report)
    for claim in policy.of(OrderClaim):
        _check_order(policy, claim, report)


def _check_costs(policy: Policy, claims: list[CostClaim], report: Report) -> None:
    figure, currency = bound(policy).of("cost"), currency_of(policy)
    for claim in claims:
        most = int(claim.most.value)
        if figure.most is None:
            message = "nothing bounds the `cost` of a run"
        elif figure.most > most:
            message = f"a run may cost {money(figure.most, currency)}, more than {money(most, currency)}"
        else:
            continue
        because = (Related("it comes from here", term.held.bound.span) for term in figure.terms)
        help = f"write `cost <= {money(most, currency)}` in a limit `on run`, or see `checkrein bound`"
        report.add("R0561", claim.span, message, help=help, related=tuple(because))


def _check_order(policy: Policy, claim: OrderClaim, report: Report) -> None:
    """Proved if each tool that can run has to wait for that one: by an order that nobody can lift."""
    names = Names(policy)
    if claim.selector.point == "model":
        courses = model_courses(policy, names)
        served = [each.name for each in courses if selects_model(claim.selector, each.name)]
        if served:
            message = f"nothing keeps model {quote(served[0])} from being called before that"
            report.add("R0562", claim.span, message, help="claim it of tools: an order is about tools")
        return
    tools = {each.name: names.tools[each.name] for each in tool_courses(policy, names)}
    for name, tool in tools.items():
        if not selects_tool(claim.selector, tool):
            continue
        orders = [order for order in policy.of(Order) if selects_tool(order.after, tool)]
        if any(_waits(order, claim, names) for order in orders):
            continue
        related = tuple(Related("this order is no proof of it", order.span) for order in orders)
        wanted = quote(claim.tool.text)
        message = f"nothing keeps tool {quote(name)} from being run before {wanted} has succeeded"
        help = f'write `order "..." {{ "{claim.tool.text}" before "{name}" within run }} else deny`'
        report.add("R0562", claim.span, message, help=help, related=related)
        return


def _waits(order: Order, claim: OrderClaim, names: Names) -> bool:
    """Whether what the order waits for is that tool alone, and no person can let a call pass without it."""
    first = _selected(order.before, names)
    return first == [claim.tool.text] and not may_pass(order.otherwise)


def _selected(selector: Selector, names: Names) -> list[str]:
    return [name for name, tool in names.tools.items() if selects_tool(selector, tool)]
