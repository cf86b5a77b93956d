"""What an order compares, what makes it begin anew, and whether it can be kept at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import Related, quote
from checkrein.language.check.answers import check_gift
from checkrein.language.facts import selected_tools

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checkrein.language.check.targets import Targets
    from checkrein.language.tree import Name, Order, Tool


def check_order(order: Order, targets: Targets) -> None:
    """Report what is wrong with an order."""
    targets.selector(order.before)
    targets.selector(order.after)
    before = selected_tools(targets.names, order.before)
    after = selected_tools(targets.names, order.after)
    for name in _once(order.matching, "argument", "matched", targets):
        _matched(name, {tool.name.text: tool for tool in (*before, *after)}, targets)
    for name in _once(order.again_after, "tool", "named after `again after`", targets):
        targets.names.resolve(targets.report, "tool", name, targets.names.tools)
    _can_be_kept(order, before, after, targets)
    targets.outcome(order.otherwise)
    check_gift(targets.report, order.otherwise, "order")
    targets.asks(order.otherwise, order.after)


def _once(names: Iterable[Name], kind: str, done: str, targets: Targets) -> list[Name]:
    """The names, each once; one that is there twice is reported."""
    first: dict[str, Name] = {}
    for name in names:
        if name.text in first:
            related = (Related("it is named first here", first[name.text].span),)
            message = f"{kind} {quote(name.text)} is {done} twice"
            targets.report.add("R0528", name.span, message, help="name it once", related=related)
        first.setdefault(name.text, name)
    return list(first.values())


def _matched(name: Name, tools: dict[str, Tool], targets: Targets) -> None:
    """Calls can only be about the same thing if all the tools say in one way what they are about."""
    declared = {tool: arg for tool in tools.values() for arg in tool.args if arg.name.text == name.text}
    lacking = [tool for tool in tools.values() if tool not in declared]
    if lacking and not targets.names.broken:
        without = quote(lacking[0].name.text)
        who = f"tool {without} declares no" if declared else "none of these tools declares an"
        related = (Related("the tool is declared here", lacking[0].name.span),)
        candidates = sorted({arg.name.text for tool in lacking for arg in tool.args})
        targets.report.add(
            "R0525",
            name.span,
            f"{who} argument {quote(name.text)} to match",
            related=related if declared else (),
            help=targets.names.did_you_mean(name.text, candidates)
            or f'declare it: `args {{ "{name.text}" ... }}`, or write an order for each tool',
        )
    lists = [tool for tool, arg in declared.items() if arg.type.is_list]
    if lists:
        related = (Related("the tool is declared here", lists[0].name.span),)
        whose = f"argument {quote(name.text)} of tool {quote(lists[0].name.text)}"
        message = f"{whose} is a list, an order matches single values"
        help = "match an argument that says what one call is about"
        targets.report.add("R0572", name.span, message, help=help, related=related)
        return
    kinds = {arg.type.dimension: tool for tool, arg in reversed(declared.items())}
    if len(kinds) > 1:
        (one, tool), (other, another) = sorted(kinds.items(), key=lambda each: each[1].name.text)[:2]
        targets.report.add(
            "R0526",
            name.span,
            f"argument {quote(name.text)} is {one} for tool {quote(tool.name.text)} and {other} for tool "
            f"{quote(another.name.text)}, so they are never equal",
            help="give it one type, or write an order for each tool",
        )


def _can_be_kept(order: Order, before: tuple[Tool, ...], after: tuple[Tool, ...], targets: Targets) -> None:
    who = f"order {quote(order.name.text)} can never be kept"
    if before and set(before) <= set(after) and len(before) == len(after):
        targets.report.add(
            "R0505",
            order.name.span,
            f"{who}: the tools before and after are the same",
            help="name the tool that has to come first",
        )
    again = {name.text for name in order.again_after}
    if before and all(tool.name.text in again for tool in before):
        first = next(name for name in order.again_after if name.text == before[0].name.text)
        targets.report.add(
            "R0527",
            first.span,
            f"{who}: what has to come first makes itself count no more",
            help="name after `again after` the tools that change what was looked at",
        )
