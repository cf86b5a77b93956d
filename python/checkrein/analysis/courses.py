"""What one logical call can come to, whatever the limits say: how often it may be sent, and to which models.

A call goes on after an attempt in three ways: a retry waits for another one; a model is given up for the next
candidate; a cascade asks a larger model as well. A model that was given up serves the call no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from checkrein.language.facts import ERROR_KINDS
from checkrein.language.meaning.needs import may_pass, meets
from checkrein.language.tree import (
    And,
    Compare,
    Member,
    Not,
    Or,
    Require,
    Retry,
    Route,
    Rule,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checkrein.language.names import Names
    from checkrein.language.tree import Condition, Model, Policy, Selector, Tool

KIND = "error.kind"
PASSING = frozenset({"timeout", "rate_limited", "unavailable", "unknown", "tool_failure"})
"""The kinds of errors that a retry without a condition is about."""
RETRIED = tuple(kind for kind in ERROR_KINDS if kind not in ("cancelled", "denied"))
"""All kinds but those that are never retried."""


@dataclass(frozen=True, slots=True)
class Course:
    """How often one logical call may be sent to one model, or run by one tool.

    `goes_on` says that the call may go on elsewhere once the model is given up. `because` are the statements
    that allow more than one attempt.
    """

    name: str
    attempts: int
    goes_on: bool
    because: tuple[Retry | Route, ...]


def model_courses(policy: Policy, names: Names) -> list[Course]:
    """Of every model that can serve a call, by name."""
    route = next(iter(policy.of(Route)), None)
    usable = [names.models[name] for name in sorted(_reachable(route, names)) if name in names.models]
    usable = [model for model in usable if _may_serve(policy, model)]
    first = {arm.model.text for arm in route.arms if arm.then is not None} if route else set()
    courses = []
    for model in usable:
        retries = policy.enforced(Retry)
        retries = [retry for retry in retries if selects_model(retry.selector, model.name.text)]
        attempts, because = _attempts(retries)
        gives_up = all(retry.when is None for retry in retries) or any(
            retry.otherwise.kind in ("fail", "answer") for retry in retries
        )
        goes_on = route is not None and len(usable) > 1 and (gives_up or model.name.text in first)
        by: tuple[Retry | Route, ...] = (*because, route) if goes_on and route else because
        courses.append(Course(model.name.text, attempts, goes_on, by))
    return courses


def tool_courses(policy: Policy, names: Names) -> list[Course]:
    """Of every tool that can be run, by name."""
    courses = []
    for name, tool in sorted(names.tools.items()):
        rules = (rule for rule in policy.enforced(Rule) if selects_tool(rule.selector, tool))
        if any(_forbids(rule) for rule in rules):
            continue
        retries = [retry for retry in policy.enforced(Retry) if selects_tool(retry.selector, tool)]
        attempts, because = (1, ()) if tool.once else _attempts(retries)
        courses.append(Course(name, attempts, False, because))
    return courses


def selects_model(selector: Selector, model: str) -> bool:
    """Whether a selector takes the calls of a model."""
    return selector.point == "model" and (selector.name is None or selector.name.text == model)


def selects_tool(selector: Selector, tool: Tool) -> bool:
    """Whether a selector takes the calls of a tool."""
    if selector.point != "tool":
        return False
    if selector.name is not None:
        return selector.name.text == tool.name.text
    return selector.tool_class is None or selector.tool_class == tool.tool_class


def _reachable(route: Route | None, names: Names) -> set[str]:
    """The models that can be candidates: any, if the host's choice may count."""
    if route is None or not any(arm.when is None for arm in route.arms):
        return set(names.models)
    found = {arm.model.text for arm in route.arms} | {canary.model.text for canary in route.canaries}
    found |= {arm.then.model.text for arm in route.arms if arm.then is not None}
    while True:
        more = {after.text for before, after in route.fallbacks if before.text in found}
        if more <= found:
            return found
        found |= more


def _may_serve(policy: Policy, model: Model) -> bool:
    rules = (rule for rule in policy.enforced(Rule) if selects_model(rule.selector, model.name.text))
    requires = (require for require in policy.enforced(Require) if require.when is None)
    return not any(_forbids(rule) for rule in rules) and all(meets(model, each) for each in requires)


def _forbids(rule: Rule) -> bool:
    """Whether no call that the rule is about is ever let through: it always votes, and nobody can approve."""
    return rule.when is None and not may_pass(rule.outcome)


def _attempts(retries: Iterable[Retry]) -> tuple[int, tuple[Retry, ...]]:
    """The most attempts that these statements let a call make on one model or tool, and which of them do.

    After an error of some kind a call goes on only if a statement that may be about it has attempts left,
    and so have all that surely are, but for those whose `else` restricts less than to wait.
    """
    retries = list(retries)
    most = 1
    because: tuple[Retry, ...] = ()
    for kind in RETRIED:
        about = {retry.span.start: _is_about(retry, kind) for retry in retries}
        may = [retry for retry in retries if about[retry.span.start] is not False]
        last = max(may, key=lambda retry: retry.attempts or 1, default=None)
        if last is None:
            continue
        sure = (retry for retry in may if about[retry.span.start] and retry.otherwise.kind != "answer")
        first = min(sure, key=lambda retry: retry.attempts or 1, default=last)
        decides = min(last, first, key=lambda retry: retry.attempts or 1)
        if (decides.attempts or 1) > most:
            most, because = decides.attempts or 1, (decides,)
    return most, because


def _is_about(retry: Retry, kind: str) -> bool | None:
    """Whether a statement looks at errors of a kind; None where that depends on something else."""
    if retry.when is None:
        return kind in PASSING
    return _holds(retry.when, kind)


def _holds(condition: Condition, kind: str) -> bool | None:
    """Whether a condition holds for errors of a kind, by what it says of the kind alone."""
    match condition:
        case Compare(fact=fact, operator="==" | "!=" as operator, literal=literal) if fact.text == KIND:
            return (literal.value == kind) == (operator == "==")
        case Member(fact=fact, literals=literals) if fact.text == KIND:
            return kind in {each.value for each in literals}
        case Not(operand=operand):
            inner = _holds(operand, kind)
            return None if inner is None else not inner
        case And(operands=operands):
            inners = [_holds(each, kind) for each in operands]
            return False if False in inners else None if None in inners else True
        case Or(operands=operands):
            inners = [_holds(each, kind) for each in operands]
            return True if True in inners else None if None in inners else False
        case _:
            return None
