"""What one logical call can come to, whatever the limits say: how often it may be sent, and to which models.

A call goes on after an attempt in three ways: a retry waits for another one; a model is given up for the next
candidate; a cascade asks a larger model as well. A model that was given up serves the call no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from checkrein.language.tree import NamesNeed, Require, Retry, Route, Rule, TierNeed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from checkrein.language.names import Names
    from checkrein.language.tree import Model, Outcome, Policy, Selector, Tool

COMPARE: dict[str, Callable[[int, int], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


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
        retries = [retry for retry in policy.of(Retry) if selects_model(retry.selector, model.name.text)]
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
        rules = (rule for rule in policy.of(Rule) if selects_tool(rule.selector, tool))
        if any(_forbids(rule) for rule in rules):
            continue
        retries = [retry for retry in policy.of(Retry) if selects_tool(retry.selector, tool)]
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
    rules = (rule for rule in policy.of(Rule) if selects_model(rule.selector, model.name.text))
    requires = (require for require in policy.of(Require) if require.when is None)
    return not any(_forbids(rule) for rule in rules) and all(_meets(model, each) for each in requires)


def _forbids(rule: Rule) -> bool:
    """Whether no call that the rule is about is ever let through: it always votes, and nobody can approve."""
    return rule.when is None and not may_pass(rule.outcome)


def may_pass(outcome: Outcome) -> bool:
    """Whether a call may go on although a statement votes so: a person approves, or nothing is known."""
    return outcome.kind == "reuse" or (outcome.kind == "escalate" and outcome.wants == "approval")


def _meets(model: Model, require: Require) -> bool:
    match require.need:
        case TierNeed(operator=operator, tier=tier):
            return model.tier is not None and COMPARE[operator](model.tier, tier)
        case NamesNeed(kind="model", names=wanted):
            return model.name.text in {each.text for each in wanted}
        case NamesNeed(names=wanted):
            return model.region is not None and model.region.text in {each.text for each in wanted}
        case place:
            return model.place == place


def _attempts(retries: Iterable[Retry]) -> tuple[int, tuple[Retry, ...]]:
    """The most attempts that these statements let a call make on one model or tool, and which of them do.

    Each statement that looks at an error has to have attempts left, but for those whose `else` restricts
    less than to wait. One without a condition looks only at errors that may pass, and at all of these.
    """
    retries = list(retries)
    always = [retry for retry in retries if retry.when is None and retry.otherwise.kind != "answer"]
    least = min((retry.attempts or 1 for retry in always), default=None)
    most = 1
    because: tuple[Retry, ...] = ()
    for retry in retries:
        attempts = retry.attempts or 1
        if retry.when is None and least is not None:
            attempts = min(attempts, least)
        if attempts > most:
            most, because = attempts, (retry,)
    return most, because
