"""How much work one decision can be: the operations of all conditions that it may have to look at.

Conditions jump forward only, so each operation runs once at most. What is counted is what the artifact
holds. All else that a decision does grows with what stands in the policy, such as its limits and models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checkrein.analysis.courses import selects_model, selects_tool
from checkrein.language.lower import lower
from checkrein.language.tree import Limit, Require, Retry, Route, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checkrein.language.lower import Tables
    from checkrein.language.tree import Condition, Policy, Tool


@dataclass(frozen=True, slots=True)
class Operations:
    """The most operations of one decision: about a call, the error of an attempt, or its result.

    Of models it is the dearest of them, of tools each by its name.
    """

    model_call: int
    model_error: int
    model_result: int
    tool_call: dict[str, int]
    tool_error: dict[str, int]
    tool_result: dict[str, int]


def operations(policy: Policy) -> Operations:
    """The operations of a checked policy."""
    return _Counter(policy).count()


class _Counter:
    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.tables: Tables = lower(policy)
        self.rules = policy.of(Rule)
        self.retries = policy.of(Retry)
        self.arms = [arm for route in policy.of(Route) for arm in route.arms]

    def count(self) -> Operations:
        names, tools = self.tables.names, self.tables.names.ordered_tools
        errors = [
            self._of(each.when for each in self.retries if selects_model(each.selector, name))
            for name in names.models
        ]
        call = self._model_call() if names.models else 0
        judged = [self._of([arm.then.when]) for arm in self.arms if arm.then is not None]
        return Operations(
            call,
            max(errors, default=0),
            max(judged) + call if judged else 0,
            {tool.name.text: self._rules_of(tool) for tool in tools},
            {tool.name.text: self._retries_of(tool) for tool in tools},
            {tool.name.text: self._of([tool.succeeds]) + self._retries_of(tool, half=True) for tool in tools},
        )

    def _model_call(self) -> int:
        """Rules on any model, requirements and arms once; rules on a model whenever it is tried."""
        of_any = self._of(
            rule.when for rule in self.rules if rule.selector.point == "model" and rule.selector.name is None
        )
        named = self._of(
            rule.when for rule in self.rules if rule.selector.point == "model" and rule.selector.name
        )
        requires = self.policy.of(Require)
        # One that is observed is asked once more, about the model that serves.
        observed = self._of(each.when for each in requires if each.observed is not None)
        wraps_up = any(limit.wrap_up is not None for limit in self.policy.of(Limit))
        chosen = self._of(each.when for each in requires) + observed + self._of(arm.when for arm in self.arms)
        return of_any + chosen + named * (2 if wraps_up else 1)

    def _rules_of(self, tool: Tool) -> int:
        return self._of(rule.when for rule in self.rules if selects_tool(rule.selector, tool))

    def _retries_of(self, tool: Tool, *, half: bool = False) -> int:
        """After an error; after half a result, where there can be one."""
        if half and tool.succeeds is None:
            return 0
        return self._of(each.when for each in self.retries if selects_tool(each.selector, tool))

    def _of(self, conditions: Iterable[Condition | None]) -> int:
        places = (self.tables.condition_of[id(each)] for each in conditions if each is not None)
        return sum(self._work(each) for place in places for each in self.tables.conditions[place])

    def _work(self, operation: tuple[Any, ...]) -> int:
        """What asks each element of a list is as many operations as the list may have elements."""
        if operation[0] != "each":
            return 1
        _, _, (_, key, *_) = operation
        return max(1, self.tables.facts[key].most)
