"""common-expression-language: compiled expressions, asked in turn until one gives a rule."""

from __future__ import annotations

from typing import Any

import cel

from tests.bench.field.expressions import answer, expressions
from tests.bench.field.rules import Answer, Call

PACKAGE = "common-expression-language"


class Peer:
    """The context is made once a call, and asked of by every expression."""

    def build(self, many: int) -> None:
        """Compile all expressions."""
        self._programs = [cel.compile(text) for text in expressions(many)]

    def shape(self, call: Call) -> Any:
        """The facts as they are."""
        return call

    def ask(self, call: Any) -> Any:
        """The first rule that holds."""
        context = cel.Context(variables=call)
        for program in self._programs:
            rule = program.execute(context)
            if rule:
                return rule
        return ""

    def read(self, rule: Any) -> Answer:
        """The outcome and the rule that decided."""
        return answer(rule)
