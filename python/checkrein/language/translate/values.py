"""Builders of literals, types, conditions, selectors and outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.diagnostics import quote
from checkrein.frozen import replace
from checkrein.language.translate.walk import DROPPED, ONE_OF_TWO, Item, Nested, builds, exact
from checkrein.language.tree import (
    Affix,
    And,
    Compare,
    Defined,
    Elements,
    Has,
    Literal,
    Member,
    Name,
    Not,
    Or,
    Outcome,
    Quantified,
    Selector,
    Type,
)

if TYPE_CHECKING:
    from checkrein.language.translate.walk import Builder
    from checkrein.language.tree import Span

UNIT_NS = {
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
NANO = 1_000_000_000
PPM_PER_PERCENT = 10_000
MONEY_MAX = 2**53 - 1
ELEMENTS_MAX = 1_000
"""Most elements of a list; the loader's limit."""

# -- literals -------------------------------------------------------------------------------------


@builds("place_name", "class_name", "audience", "simple_type", "money_unit", "period", "comparator", "unit")
@builds("dimension", "count_basis", "failure_choice", "scope_word", "quantifier", "truth_value")
def word(_b: Builder, _span: Span, parts: list[Any]) -> str:
    return str(parts[0])


@builds("text")
def text(b: Builder, span: Span, parts: list[Any]) -> Literal:
    return Literal("text", b.name(parts[0]).text, span)


@builds("literal")
def literal(_b: Builder, span: Span, parts: list[Any]) -> Literal:
    value = parts[0]
    return value if isinstance(value, Literal) else Literal("flag", value == "true", span)


@builds("money")
def money(b: Builder, span: Span, parts: list[Any]) -> Any:
    token = str(parts[0])
    currency, digits = ("$", token[1:]) if token[0] == "$" else (token[:3], token[4:])
    value = exact(digits, NANO)
    if value is None:
        b.report.add(
            "R0024", span, f"{quote(token)} is finer than a billionth", help="use at most 9 decimals"
        )
        return DROPPED
    if value > MONEY_MAX:
        b.report.add("R0023", span, f"{quote(token)} is too large", help="at most 9,007,199")
        return DROPPED
    return Literal("money", value, span, currency)


@builds("percent")
def percent(b: Builder, span: Span, parts: list[Any]) -> Any:
    value = b.number(parts[0], PPM_PER_PERCENT, "a percentage of at most 4 decimals")
    if value is not DROPPED and value > 100 * PPM_PER_PERCENT:
        b.report.add(
            "R0208",
            span,
            f"{quote(b.source.text[span.start : span.end])} is more than 100%",
            help="no fact of this kind is",
        )
        return DROPPED
    return value if value is DROPPED else Literal("percent", value, span)


@builds("count")
def count(b: Builder, span: Span, parts: list[Any]) -> Any:
    token = parts[0]
    if exact(str(token), 1) is None:
        b.report.add(
            "R0024",
            span,
            f"{quote(token)} is not a whole number",
            help=f"a count is whole; if a unit is missing, write {_with_unit(str(token))}",
        )
        return DROPPED
    value = b.number(token)
    return value if value is DROPPED else Literal("count", value, span)


def _with_unit(number: str) -> str:
    """What a bare number may have meant."""
    share = exact(number, 100)
    meant = [f"`${number}`", f"`{number} s`"] if number[-1].isdigit() else [f"`{number} tokens`"]
    if share is not None and share <= 100:
        meant.append(f"`{share}%`")
    return " or ".join(filter(None, [", ".join(meant[:-1]), meant[-1]]))


@builds("tokens")
def tokens(b: Builder, span: Span, parts: list[Any]) -> Any:
    value = b.number(parts[0])
    return value if value is DROPPED else Literal("tokens", value, span)


@builds("duration")
def duration(b: Builder, span: Span, parts: list[Any]) -> Any:
    value = b.number(parts[0], UNIT_NS[parts[1]], "a whole number of nanoseconds")
    return value if value is DROPPED else Literal("duration", value, span)


@builds("elements")
def elements(_b: Builder, span: Span, parts: list[Any]) -> Elements:
    return Elements(tuple(parts), span)


# -- types ----------------------------------------------------------------------------------------


@builds("single_type")
def simple_type(_b: Builder, span: Span, parts: list[Any]) -> Type:
    return Type(parts[0], span)


@builds("money_type")
def money_type(_b: Builder, span: Span, parts: list[Any]) -> Type:
    return Type("money", span, unit=parts[0] if parts else "units")


@builds("choice_type")
def choice_type(b: Builder, span: Span, parts: list[Any]) -> Type:
    names = [b.name(p) for p in parts]
    seen: set[str] = set()
    for name in names:
        if name.text in seen:
            b.report.add("R0025", name.span, f"the choice {quote(name.text)} is given twice", help=ONE_OF_TWO)
        seen.add(name.text)
    return Type("text", span, choices=tuple(dict.fromkeys(n.text for n in names)))


@builds("list_type")
def list_type(b: Builder, span: Span, parts: list[Any]) -> Any:
    most = b.number(parts[1])
    if most is DROPPED:
        return DROPPED
    if not 1 <= most <= ELEMENTS_MAX:
        message = f"a list has at most {most:,} elements here, which is not from 1 to {ELEMENTS_MAX:,}"
        b.report.add("R0574", span, message, help="say how many elements the longest list has")
        return DROPPED
    return replace(parts[0], span=span, most=most)


# -- conditions -----------------------------------------------------------------------------------


@builds("compare")
def compare(b: Builder, span: Span, parts: list[Any]) -> Nested:
    return Nested(Compare(b.name(parts[0]), parts[1], parts[2], span), 1)


@builds("member")
def member(b: Builder, span: Span, parts: list[Any]) -> Nested:
    return Nested(Member(b.name(parts[0]), tuple(parts[1:]), span), 1)


@builds("has")
def has(b: Builder, span: Span, parts: list[Any]) -> Nested:
    return Nested(Has(b.name(parts[0]), span), 1)


@builds("starts_with")
def starts_with(b: Builder, span: Span, parts: list[Any]) -> Nested:
    return Nested(Affix(b.name(parts[0]), "starts", _affix(b, parts[1]), span), 1)


@builds("ends_with")
def ends_with(b: Builder, span: Span, parts: list[Any]) -> Nested:
    return Nested(Affix(b.name(parts[0]), "ends", _affix(b, parts[1]), span), 1)


def _affix(b: Builder, token: Any) -> Literal:
    name = b.name(token)
    return Literal("text", name.text, name.span)


@builds("quantified")
def quantified(_b: Builder, span: Span, parts: list[Any]) -> Nested:
    return Nested(Quantified(parts[0], parts[1].condition, span), 1)


@builds("defined")
def defined(b: Builder, span: Span, parts: list[Any]) -> Nested:
    return Nested(Defined(b.name(parts[0]), span), 1)


@builds("grouped")
def grouped(b: Builder, span: Span, parts: list[Any]) -> Any:
    return b.nested(parts[0].condition, parts[0].depth + 1, span)


@builds("not_")
def not_(b: Builder, span: Span, parts: list[Any]) -> Any:
    return b.nested(Not(parts[0].condition, span), parts[0].depth + 1, span)


@builds("conjunction_of")
def conjunction(b: Builder, span: Span, parts: list[Any]) -> Any:
    return b.nested(And(tuple(p.condition for p in parts), span), max(p.depth for p in parts) + 1, span)


@builds("disjunction")
def disjunction(b: Builder, span: Span, parts: list[Any]) -> Any:
    return b.nested(Or(tuple(p.condition for p in parts), span), max(p.depth for p in parts) + 1, span)


@builds("when")
def when(_b: Builder, span: Span, parts: list[Any]) -> Item:
    return Item("when", parts[0].condition, span)


# -- selectors and outcomes -----------------------------------------------------------------------


@builds("any_model")
def any_model(_b: Builder, span: Span, _parts: list[Any]) -> Selector:
    return Selector("model", span)


@builds("one_model")
def one_model(b: Builder, span: Span, parts: list[Any]) -> Selector:
    return Selector("model", span, name=b.name(parts[0]))


@builds("any_tool")
def any_tool(_b: Builder, span: Span, _parts: list[Any]) -> Selector:
    return Selector("tool", span)


@builds("one_tool", "named")
def one_tool(b: Builder, span: Span, parts: list[Any]) -> Selector:
    return Selector("tool", span, name=b.name(parts[0]))


@builds("tool_class_selector", "of_class")
def class_of_tools(_b: Builder, span: Span, parts: list[Any]) -> Selector:
    return Selector("tool", span, tool_class=parts[0])


@builds("stop")
def stop(b: Builder, span: Span, parts: list[Any]) -> Outcome:
    return Outcome("stop", span, target=b.name(parts[0]))


@builds("fail")
def fail(b: Builder, span: Span, parts: list[Any]) -> Outcome:
    return Outcome("fail", span, target=b.name(parts[0]))


@builds("escalate")
def escalate(b: Builder, span: Span, parts: list[Any]) -> Outcome:
    return Outcome("escalate", span, target=b.name(parts[0]))


@builds("ask")
def ask(b: Builder, span: Span, parts: list[Any]) -> Outcome:
    return Outcome("escalate", span, target=b.name(parts[0]), wants="question")


@builds("hand_over")
def hand_over(b: Builder, span: Span, parts: list[Any]) -> Outcome:
    return Outcome("escalate", span, target=b.name(parts[0]), wants="handover")


@builds("deny")
def deny(_b: Builder, span: Span, _parts: list[Any]) -> Outcome:
    return Outcome("deny", span)


@builds("because")
def because(b: Builder, _span: Span, parts: list[Any]) -> Name:
    return b.name(parts[0])


@builds("else_")
def otherwise(_b: Builder, _span: Span, parts: list[Any]) -> Outcome:
    outcome: Outcome = parts[0]
    reason = parts[1].text if len(parts) > 1 else None
    return replace(outcome, reason=reason)
