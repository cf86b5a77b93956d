"""Models, tools, queues, states and facts: complete, consistent, in one currency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.diagnostics import Related, quote
from checkrein.language.check.conditions import value_problems
from checkrein.language.facts import RESERVED
from checkrein.language.prices import tariffs_of, why_unknown
from checkrein.language.translate.walk import ARTICLE
from checkrein.language.tree import (
    Affix,
    And,
    Call,
    Compare,
    CostClaim,
    Define,
    Elements,
    Fact,
    Grants,
    Limit,
    Member,
    Model,
    NewRun,
    Not,
    Or,
    Quantified,
    Queue,
    Repeat,
    Test,
    Tool,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from checkrein.diagnostics import Report
    from checkrein.language.names import Names
    from checkrein.language.tree import Condition, Literal, Name, Policy, Span, TestItem, Value

GRANTS_MAX = 1_000


def check_vocabulary(names: Names, report: Report) -> None:
    """Report what is wrong with the declarations."""
    currency = currency_of(names.policy)
    for statement in names.policy.statements:
        match statement:
            case Model():
                _model(statement, currency, report)
            case Tool():
                _tool(statement, report)
            case Queue():
                _queue(statement, names, report)
            case Fact() | Define():
                _fact(statement, names, report)
            case _:
                pass
    _currencies(names, report)


def _model(model: Model, currency: str, report: Report) -> None:
    who = f"model {quote(model.name.text)}"
    if model.price is None and tariffs_of(model, currency) is None:
        report.add(
            "R0305",
            model.name.span,
            f"{who} has no price, and {why_unknown(model, currency)}",
            help="write `price input $1 output $4 per 1M tokens` or `price free`: unknown is never $0",
        )
    missing = [w for w in ("place", "window", "output") if getattr(model, w) is None]
    if missing:
        examples = {
            "place": "place edge` or `place cloud",
            "window": "window 128k tokens",
            "output": "output 4k tokens",
        }
        report.add(
            "R0306",
            model.name.span,
            f"{who} does not give its " + _listed(missing),
            help="write " + _listed([examples[w] for w in missing]),
        )
    if model.output is None:
        return
    if model.least_output > model.output:
        report.add("R0307", model.name.span, f"`least output` of {who} is more than its `output`")
    if model.window is not None and model.window <= model.output:
        report.add(
            "R0307",
            model.name.span,
            f"{who} has no room for input: its `output` fills its `window`",
            help="`window` holds input and output together and must be the larger",
        )


def _listed(words: list[str]) -> str:
    quoted = [f"`{w}`" for w in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _tool(tool: Tool, report: Report) -> None:
    if tool.once and tool.may_repeat:
        report.add(
            "R0319",
            tool.name.span,
            f"tool {quote(tool.name.text)} is `once` and `may repeat`",
            help="keep `once` if a second run does harm, `may repeat` if it does none",
        )


def _queue(queue: Queue, names: Names, report: Report) -> None:
    if queue.expires is None:
        report.add(
            "R0504",
            queue.name.span,
            f"queue {quote(queue.name.text)} never expires",
            help="write `expires 30 min`: an unanswered request has to end",
        )
    if queue.default_stop is not None:
        names.resolve(report, "state", queue.default_stop, names.states)
    if queue.grants is not None:
        _grants(queue.grants, names, report)
    first: dict[str, Name] = {}
    for name in queue.binds:
        if name.text in first:
            related = (Related("it is named first here", first[name.text].span),)
            message = f"argument {quote(name.text)} is bound twice"
            report.add("R0522", name.span, message, help="name it once", related=related)
        first.setdefault(name.text, name)
    if queue.grants is not None and queue.binds:
        report.add(
            "R0522",
            queue.binds[0].span,
            f"queue {quote(queue.name.text)} grants room in limits, which has no arguments to bind",
            help="leave `binds` out, or make another queue for rules",
        )


def _grants(grants: Grants, names: Names, report: Report) -> None:
    amount = grants.amount
    written = names.policy.source[amount.span.start : amount.span.end]
    if amount.dimension not in ("money", "tokens", "count"):
        report.add(
            "R0201",
            amount.span,
            f"`grants` is money, tokens or a count, {quote(written)} is {ARTICLE[amount.dimension]}",
            help="write what an approval adds, such as `grants $5 at most 2 times`",
        )
    elif amount.value == 0:
        report.add("R0411", amount.span, "`grants` cannot be zero", help="write a value such as `$5`")
    if not 1 <= grants.times <= GRANTS_MAX:
        report.add(
            "R0507",
            grants.span,
            f"`grants` takes from 1 to {GRANTS_MAX:,} times",
            help="leave `grants` out of a queue that adds nothing",
        )


def _fact(fact: Fact | Define, names: Names, report: Report) -> None:
    first = fact.name.text.split(".", 1)[0]
    if first in RESERVED:
        report.add(
            "R0106",
            fact.name.span,
            f"`{first}.*` is set by the engine",
            help="begin the name with another word, such as `data.`",
        )
    if isinstance(fact, Fact) and fact.default is not None:
        _default(fact.default, fact, names, report)


def _default(default: Value, fact: Fact, names: Names, report: Report) -> None:
    if fact.type.is_list and not (isinstance(default, Elements) and not default.literals):
        message = f"the default of the list {quote(fact.name.text)} is not the empty list"
        help = "write `default []`, or make it `optional`: only the empty list can be a default"
        report.add("R0573", default.span, message, help=help)
        return
    for span, found in value_problems(names, default, fact.name.text, fact.type):
        report.add(found.code, span, found.message, help=found.help)


DEFAULT_CURRENCY = "$"


def currency_of(policy: Policy) -> str:
    """The currency that the file writes, else the dollar."""
    return next((currency for currency, _ in currencies(policy.statements)), DEFAULT_CURRENCY)


# -- one currency ---------------------------------------------------------------------------------


def _currencies(names: Names, report: Report) -> None:
    first: tuple[str, Span] | None = None
    for currency, span in currencies(names.policy.statements):
        if first is None:
            first = (currency, span)
        elif currency != first[0]:
            report.add(
                "R0308",
                span,
                f"`{currency}` and `{first[0]}` are two currencies in one file",
                related=(Related(f"`{first[0]}` is used here first", first[1]),),
                help="a policy counts in one currency",
            )
            return


def currencies(statements: tuple[Any, ...]) -> Iterator[tuple[str, Span]]:
    """Every currency that is written, in source order."""
    for statement in statements:
        match statement:
            case Model():
                if statement.currency is not None:
                    yield statement.currency, statement.name.span
            case Limit():
                yield from _of_literals([b.literal for b in statement.bounds])
                yield from _of_literals([statement.wrap_up.amount] if statement.wrap_up else [])
            case Queue():
                yield from _of_literals([statement.grants.amount] if statement.grants else [])
            case Fact():
                yield from _of_values([statement.default] if statement.default else [])
            case CostClaim():
                yield from _of_literals([statement.most])
            case Define():
                yield from _of_condition(statement.condition)
            case Test():
                yield from _of_values([value for _, value in statement.facts])
                yield from _of_items(statement.items)
            case _:
                for condition in conditions_of(statement):
                    yield from _of_condition(condition)


def conditions_of(statement: Any) -> list[Condition]:
    """The conditions that a statement holds, in source order."""
    arms = [when for arm in getattr(statement, "arms", ()) for when in (arm.when, arm.then and arm.then.when)]
    own = (getattr(statement, "when", None), getattr(statement, "succeeds", None))
    return [c for c in (*own, *arms) if c is not None]


def _of_values(values: Iterable[Value]) -> Iterator[tuple[str, Span]]:
    for value in values:
        yield from _of_literals(list(value.literals) if isinstance(value, Elements) else [value])


def _of_literals(literals: list[Literal]) -> Iterator[tuple[str, Span]]:
    for literal in literals:
        if literal.currency is not None:
            yield literal.currency, literal.span


def _of_condition(condition: Condition) -> Iterator[tuple[str, Span]]:
    match condition:
        case Not():
            yield from _of_condition(condition.operand)
        case And() | Or():
            for operand in condition.operands:
                yield from _of_condition(operand)
        case Compare() | Affix():
            yield from _of_literals([condition.literal])
        case Member():
            yield from _of_literals(list(condition.literals))
        case Quantified():
            yield from _of_condition(condition.element)
        case _:
            pass


def _of_items(items: tuple[TestItem, ...]) -> Iterator[tuple[str, Span]]:
    for item in items:
        match item:
            case Repeat():
                yield from _of_items(item.items)
            case NewRun():
                yield from _of_values(value for _, value in item.facts)
            case Call():
                given = item.gives.fields if item.gives else ()
                yield from _of_values(value for _, value in (*item.args, *item.facts, *given))
            case _:
                pass
