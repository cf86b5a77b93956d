"""cel-python: the same expressions, compiled to Python by its own runner."""

from __future__ import annotations

from typing import Any

import celpy

from tests.bench.field.expressions import answer, expressions
from tests.bench.field.rules import Answer, Call

PACKAGE = "cel-python"


class Peer:
    """Values become CEL's once a call."""

    def build(self, many: int) -> None:
        """Compile all expressions."""
        environment = celpy.Environment(runner_class=celpy.CompiledRunner)
        self._programs = [environment.program(environment.compile(text)) for text in expressions(many)]

    def shape(self, call: Call) -> Any:
        """The facts as they are."""
        return call

    def ask(self, call: Any) -> Any:
        """The first rule that holds."""
        facts = {key: celpy.json_to_cel(value) for key, value in call.items()}
        for program in self._programs:
            rule = program.evaluate(facts)
            if rule:
                return rule
        return ""

    def read(self, rule: Any) -> Answer:
        """The outcome and the rule that decided."""
        return answer(str(rule))
