"""Conditions to postfix operations, and the facts that they read to rows of the fact table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.language.facts import (
    ARG_PREFIX,
    BUILT_IN,
    CASCADE,
    RESULT_PREFIX,
    BuiltIn,
    Context,
    Unknown,
    context_of,
    find,
    result_of,
)
from checkrein.language.lower.codes import DIMENSIONS, OPERATORS, QUANTIFIERS
from checkrein.language.lower.tables import FactEntry
from checkrein.language.names import ordered
from checkrein.language.tree import (
    Affix,
    And,
    Compare,
    Defined,
    Elements,
    Has,
    Limit,
    Member,
    Not,
    Or,
    Order,
    Quantified,
    Require,
    Retry,
    Route,
    Rule,
)

if TYPE_CHECKING:
    from checkrein.language.facts import Known
    from checkrein.language.lower.tables import Constant, Key, Tables
    from checkrein.language.tree import Condition, Define, Fact, Literal, Outcome, Type


def constant_of(literal: Literal) -> Constant:
    """A literal with its dimension."""
    return (DIMENSIONS.index(literal.dimension), literal.value)


def key_of(name: str, kind: Type) -> Key:
    """The key of a fact, or of an argument's or a field's, of that type."""
    return (name, DIMENSIONS.index(kind.dimension), kind.is_list)


def declared_entry(fact: Fact) -> FactEntry:
    """The row of a fact that the policy declares."""
    kind, default = fact.type, fact.default
    choices = tuple(sorted(kind.choices))
    if default is None:
        return FactEntry(0, int(fact.optional), None, choices, kind.most)
    if isinstance(default, Elements):
        return FactEntry(0, 3, None, choices, kind.most)
    return FactEntry(0, 2, constant_of(default), choices)


def _built_in_entry(fact: BuiltIn) -> FactEntry:
    if fact.default is not None:
        return FactEntry(2, 2, (DIMENSIONS.index(fact.dimension), fact.default))
    return FactEntry(2, int(fact.optional))


class Conditions:
    """Lowers the conditions in the order in which the artifact's sections use them."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.names = tables.names

    def lower_all(self) -> None:
        for kind in (Rule, Retry, Require, Route):
            for _, statement in self.tables.statements:
                match statement:
                    case Rule() if kind is Rule:
                        self._lower(statement.when, context_of(self.names, statement.selector, "rule"))
                    case Retry() if kind is Retry:
                        context = context_of(self.names, statement.selector, "retry", error=True)
                        self._lower(statement.when, context)
                    case Require() if kind is Require:
                        self._lower(statement.when, Context("model", "a requirement"))
                    case Route() if kind is Route:
                        for arm in statement.arms:
                            self._lower(arm.when, Context("model", "a route"))
                            if arm.then is not None:
                                self._lower(arm.then.when, CASCADE)
                        for canary in statement.canaries:
                            self._key(canary.fact.text, Context("model", "a route"))
                    case _:
                        pass

        for name in ordered(self.names.tools):
            tool = self.names.tools[name]
            self._lower(tool.succeeds, result_of(tool))

    def lower_orders(self) -> None:
        """What orders compare: arguments by the fact that every tool of both sides fills."""
        for _, statement in self.tables.statements:
            if isinstance(statement, Order):
                context = context_of(self.names, statement.after, "order")
                keys = {self._key(ARG_PREFIX + name.text, context) for name in statement.matching}
                self.tables.matched[id(statement)] = keys

    def lower_texts(self) -> None:
        """The texts of answers, in the same order."""
        for kind in (Rule, Limit, Retry):
            for _, statement in self.tables.statements:
                match statement:
                    case Rule() if kind is Rule:
                        context = context_of(self.names, statement.selector, "rule")
                        self._lower_text(statement.outcome, context)
                    case Limit() if kind is Limit:
                        self._lower_text(statement.otherwise, Context("any", "a limit"))
                    case Retry() if kind is Retry:
                        context = context_of(self.names, statement.selector, "retry", error=True)
                        self._lower_text(statement.otherwise, context)
                    case _:
                        pass

    def _lower_text(self, outcome: Outcome, context: Context) -> None:
        if outcome.text:
            self.tables.template_of[id(outcome)] = len(self.tables.templates)
            keys = (part if isinstance(part, str) else self._key(part.text, context) for part in outcome.text)
            self.tables.templates.append(list(keys))

    def _lower(self, condition: Condition | None, context: Context) -> None:
        if condition is None:
            return
        self.tables.condition_of[id(condition)] = len(self.tables.conditions)
        self.tables.conditions.append(self._operations(condition, context))

    def _operations(self, condition: Condition, context: Context) -> list[tuple[Any, ...]]:
        match condition:
            case Not():
                return [*self._operations(condition.operand, context), ("not",)]
            case And():
                return self._joined(condition.operands, context, "jump_if_false", "and")
            case Or():
                return self._joined(condition.operands, context, "jump_if_true", "or")
            case Defined():
                define: Define = self.names.defines[condition.name.text]
                return self._operations(define.condition, context)
            case Has():
                return [("has", self._key(condition.fact.text, context))]
            case Quantified():
                (asked,) = self._operations(condition.element, context)
                return [("each", QUANTIFIERS.index(condition.quantifier), asked)]
            case Compare():
                operator = OPERATORS.index(condition.operator)
                key = self._key(condition.fact.text, context)
                return [("compare", key, operator, constant_of(condition.literal))]
            case Member():
                constants = sorted({constant_of(x) for x in condition.literals}, key=_constant_order)
                return [("member", self._key(condition.fact.text, context), constants)]
            case Affix():
                key = self._key(condition.fact.text, context)
                return [(condition.end, key, condition.literal.value)]

    def _joined(
        self, operands: tuple[Condition, ...], context: Context, jump: str, join: str
    ) -> list[tuple[Any, ...]]:
        """The first operand, then for each further one: jump over it and its join if that is decided."""
        operations = self._operations(operands[0], context)
        for operand in operands[1:]:
            further = self._operations(operand, context)
            operations += [(jump, len(further) + 1), *further, (join,)]
        return operations

    def _key(self, name: str, context: Context) -> Key:
        known = find(self.names, name, context)
        if isinstance(known, Unknown):
            raise ValueError(f"a policy with errors cannot be lowered: {known.message}")  # noqa: TRY004
        return self._enter(known)

    def _enter(self, known: Known) -> Key:
        """The fact's key, after its row is in the table."""
        key = (known.name, DIMENSIONS.index(known.dimension), known.most > 0)
        if key not in self.tables.facts:
            if known.source in ("arg", "result"):
                self.tables.facts[key] = self._filled_entry(known)
            else:
                fact = BUILT_IN[known.name]
                self.tables.facts[key] = _built_in_entry(fact)
                if fact.is_shared:
                    # A decision says how old the store's word was that it went by.
                    age = f"{known.name.rpartition('.')[0]}.age"
                    self.tables.facts[(age, DIMENSIONS.index("duration"), False)] = FactEntry(2, 0)
        return key

    def _filled_entry(self, known: Known) -> FactEntry:
        """A row of an argument or a field holds for every tool that declares it with this dimension."""
        is_arg = known.source == "arg"
        name = known.name.removeprefix(ARG_PREFIX if is_arg else RESULT_PREFIX)
        fields = (f for tool in self.names.tools.values() for f in (tool.args if is_arg else tool.results))
        key = (known.dimension, known.most > 0)
        declared = [f for f in fields if f.name.text == name and (f.type.dimension, f.type.is_list) == key]
        most = max(f.type.most for f in declared)
        return FactEntry(1 if is_arg else 3, int(any(f.optional for f in declared)), most=most)


def _constant_order(constant: Constant) -> Any:
    value = constant[1]
    return value.encode() if isinstance(value, str) else value
