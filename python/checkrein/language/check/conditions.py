"""Conditions: every fact known, every comparison of one dimension, every optional fact guarded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from checkrein.diagnostics import Related, quote
from checkrein.language.facts import ARG_PREFIX, Unknown, find
from checkrein.language.translate.walk import ARTICLE, example
from checkrein.language.tree import Affix, And, Compare, Defined, Elements, Has, Member, Not, Or, Quantified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.diagnostics import Report
    from checkrein.language.facts import Context, Known
    from checkrein.language.names import Names
    from checkrein.language.tree import Condition, Literal, Name, Outcome, Span, Type, Value

ORDERINGS = frozenset({"<", "<=", ">", ">="})
BROKEN_MAY_DECLARE = frozenset({"R0103", "R0104", "R0111"})
"""Findings that a statement which could not be read may be the cause of."""


class Present(NamedTuple):
    """The facts that are surely there if the condition is true, and if it is false."""

    when_true: frozenset[str]
    when_false: frozenset[str]


NOTHING: frozenset[str] = frozenset()


class ConditionChecker:
    """Checks the conditions of one policy. Expects `defines.py` to have refused cycles and depth."""

    def __init__(self, names: Names, report: Report, sound: frozenset[str]) -> None:
        self.names = names
        self.report = report
        self.sound = sound
        """The defines that may be looked into."""
        self.used: set[str] = set()
        """The facts that are read, and the defines that are used."""
        self._told: set[tuple[str, int]] = set()
        """What was found in defines: (code, place)."""

    def check(self, condition: Condition, context: Context) -> frozenset[str]:
        """Report what is wrong with a condition in a context; the facts that are there where it holds."""
        return self._walk(condition, context, NOTHING, None).when_true

    def check_text(self, outcome: Outcome, context: Context, guarded: frozenset[str]) -> None:
        """Report the facts in an answer that are not known, or may be missing, where it is given."""
        for fact in outcome.text:
            if isinstance(fact, str):
                continue
            known = self._find(fact, context, None)
            if known is not None and known.is_list:
                help = "write the text without it, or declare what the text needs as a fact of its own"
                self._add(
                    "R0572",
                    fact.span,
                    f"{quote(fact.text)} is a list, a text holds single values",
                    None,
                    help,
                )
            elif known is not None and known.optional and known.name not in guarded:
                self._unguarded(fact, known, None)

    def _walk(
        self, condition: Condition, context: Context, guarded: frozenset[str], use: Span | None
    ) -> Present:
        match condition:
            case Not():
                inner = self._walk(condition.operand, context, guarded, use)
                return Present(inner.when_false, inner.when_true)
            case And():
                whens = self._operands(condition.operands, context, guarded, use, wants=True)
                falses = [w.when_false for w in whens]
                return Present(NOTHING.union(*(w.when_true for w in whens)), falses[0].intersection(*falses))
            case Or():
                whens = self._operands(condition.operands, context, guarded, use, wants=False)
                trues = [w.when_true for w in whens]
                return Present(trues[0].intersection(*trues), NOTHING.union(*(w.when_false for w in whens)))
            case Defined():
                return self._define(condition, context, guarded, use)
            case Has():
                self._find(condition.fact, context, use)
                return Present(frozenset({condition.fact.text}), NOTHING)
            case _:
                return self._leaf(condition, context, guarded, use)

    def _operands(
        self,
        operands: tuple[Condition, ...],
        context: Context,
        guarded: frozenset[str],
        use: Span | None,
        *,
        wants: bool,
    ) -> list[Present]:
        """Each operand stands under what the operands before it guarantee if they did not decide."""
        seen = []
        for operand in operands:
            present = self._walk(operand, context, guarded, use)
            seen.append(present)
            guarded = guarded | (present.when_true if wants else present.when_false)
        return seen

    def _define(
        self, condition: Defined, context: Context, guarded: frozenset[str], use: Span | None
    ) -> Present:
        name = condition.name.text
        define = self.names.defines.get(name)
        if define is not None:
            self.used.add(name)
            if name not in self.sound:
                return Present(NOTHING, NOTHING)
            return self._walk(define.condition, context, guarded, use or condition.span)
        known = self._find(condition.name, context, use)
        if known is not None:
            is_flag = known.dimension == "flag" and not known.is_list
            better = f"{name} == true" if is_flag else f"has {name}"
            self._add(
                "R0203", condition.span, f"{quote(name)} is a fact, not a condition", use, f"write `{better}`"
            )
        return Present(NOTHING, NOTHING)

    def _leaf(
        self,
        condition: Compare | Member | Affix | Quantified,
        context: Context,
        guarded: frozenset[str],
        use: Span | None,
    ) -> Present:
        fact = condition.fact
        present = frozenset({fact.text})
        known = self._find(fact, context, use)
        if known is None:
            return Present(present, present)
        if known.optional and fact.text not in guarded:
            self._unguarded(fact, known, use)
        asked = condition.element if isinstance(condition, Quantified) else condition
        if known.is_list != isinstance(condition, Quantified):
            self._misread(condition, known, use)
            return Present(present, present)
        match asked:
            case Compare():
                self._compare(asked, known, use)
            case Member():
                for literal in asked.literals:
                    self._literal(literal, known, use)
            case Affix():
                if known.dimension != "text":
                    kind = f"{_one_of(known)} is {ARTICLE[known.dimension]}"
                    self._add("R0202", asked.span, f"`{asked.end} with` needs text, {kind}", use)
        return Present(present, present)

    def _misread(
        self, condition: Compare | Member | Affix | Quantified, known: Known, use: Span | None
    ) -> None:
        """A list is read as one value, or one value as a list."""
        if isinstance(condition, Quantified):
            message = (
                f"`{condition.quantifier} of` asks each element of a list, {quote(known.name)} is one value"
            )
            self._add("R0571", condition.span, message, use, f"leave `{condition.quantifier} of` out")
            return
        message = f"{quote(known.name)} is a list, so this may be true of some of its elements only"
        name = known.name
        self._add("R0570", condition.span, message, use, f"write `any of {name} ...` or `all of {name} ...`")

    def _unguarded(self, fact: Name, known: Known, use: Span | None) -> None:
        help = f"write `has {fact.text} and ...`{_or_default(known)}"
        self._add("R0204", fact.span, f"{quote(fact.text)} is optional and not guarded", use, help)

    def _compare(self, condition: Compare, known: Known, use: Span | None) -> None:
        ordering = condition.operator in ORDERINGS
        if ordering and known.dimension in ("text", "flag"):
            self._add(
                "R0202",
                condition.span,
                f"`{condition.operator}` needs a number, {_one_of(known)} is {ARTICLE[known.dimension]}",
                use,
                "use `==`, `!=` or `in [...]`",
            )
            return
        self._literal(condition.literal, known, use)

    def _literal(self, literal: Literal, known: Known, use: Span | None) -> None:
        found = literal_problem(self.names, literal, _one_of(known), known.dimension, known.choices)
        if found is not None:
            self._add(found.code, literal.span, found.message, use, found.help)

    def _find(self, name: Name, context: Context, use: Span | None) -> Known | None:
        """The fact as this context sees it; None after a report."""
        if name.text in self.names.defines:
            self.used.add(name.text)
            self._add(
                "R0203", name.span, f"{quote(name.text)} is a condition, not a fact", use, "use it by itself"
            )
            return None
        if name.text.startswith(ARG_PREFIX) and context.unresolved:
            return None
        found = find(self.names, name.text, context)
        if not isinstance(found, Unknown):
            self.used.add(name.text)
            return found
        if not (self.names.broken and found.code in BROKEN_MAY_DECLARE):
            self._add(found.code, name.span, found.message, use, found.help)
        return None

    def _add(self, code: str, span: Span, message: str, use: Span | None, help: str | None = None) -> None:
        if use is not None:
            # Each tool words a mistake of a define anew, but mending it once mends it: the first use tells.
            if (code, span.start) in self._told:
                return
            self._told.add((code, span.start))
        related = () if use is None else (Related("used here", use),)
        self.report.add(code, span, message, help=help, related=related)


def _one_of(known: Known) -> str:
    """What is compared, in words."""
    return f"an element of {quote(known.name)}" if known.is_list else quote(known.name)


def _or_default(known: Known) -> str:
    return ", or give it a `default`" if known.source == "host" else ""


def value_problems(names: Names, value: Value, subject: str, kind: Type) -> Iterator[tuple[Span, Unknown]]:
    """What is wrong with a value that is given for a fact or argument of that type, and where."""
    is_list = isinstance(value, Elements)
    if is_list != kind.is_list:
        written = quote(names.policy.source[value.span.start : value.span.end])
        one, other = ("a list", "one value") if kind.is_list else (ARTICLE[kind.dimension], "a list")
        help = f"write `[{written[1:-1]}]`" if kind.is_list else "write the value without brackets"
        yield value.span, Unknown("R0201", f"{quote(subject)} is {one}, {written} is {other}", help)
        return
    literals = value.literals if isinstance(value, Elements) else (value,)
    one = f"an element of {quote(subject)}" if kind.is_list else quote(subject)
    if kind.is_list and len(literals) > kind.most:
        message = f"{quote(subject)} has at most {kind.most:,} elements, this list has {len(literals):,}"
        yield value.span, Unknown("R0574", message, "write fewer, or raise the maximum where it is declared")
    for literal in literals:
        found = literal_problem(names, literal, one, kind.dimension, kind.choices)
        if found is not None:
            yield literal.span, found


def literal_problem(
    names: Names, literal: Literal, subject: str, dimension: str, choices: tuple[str, ...]
) -> Unknown | None:
    """What is wrong with a literal beside a fact or argument of that type; `subject` is it in words."""
    written = names.policy.source[literal.span.start : literal.span.end]
    if literal.dimension != dimension:
        return Unknown(
            "R0201",
            f"{subject} is {ARTICLE[dimension]}, {quote(written)} is {ARTICLE[literal.dimension]}",
            f"write {ARTICLE[dimension]} such as {example(dimension, written)}",
        )
    if choices and literal.value not in choices:
        help = names.did_you_mean(str(literal.value), choices)
        if help is None:
            help = "it is one of " + ", ".join(quote(c) for c in choices)
        return Unknown("R0205", f"{subject} is never {quote(written)}", help)
    return None
