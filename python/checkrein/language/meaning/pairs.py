"""What `check --deep` tells: rules that another rule always outdoes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import Related, quote
from checkrein.language.facts import context_of, selected_tools
from checkrein.language.meaning.places import place_of, search
from checkrein.language.meaning.search import FALSE, TRUE, UNKNOWN, Budget, Undecided, leaves_of
from checkrein.language.tree import Rule

if TYPE_CHECKING:
    from checkrein.diagnostics import Report
    from checkrein.language.meaning.places import Place
    from checkrein.language.names import Names

LOOKS_OF_PAIRS = 3_000_000
"""What all questions about pairs may cost together: some seconds."""
DEEP = frozenset({"R0622", "R0623"})
"""Codes that are looked for by `check --deep` alone."""
STRENGTH = {"reuse": 0, "answer": 1, "escalate": 2, "deny": 3, "fail": 4, "stop": 5}
FINAL = ("deny", "fail", "stop")
"""Outcomes that no person lifts."""
OWN = {"reuse": "hands back a known result", "answer": "answers", "escalate": "asks anybody"} | {
    "deny": "denies a call", "fail": "fails a call", "stop": "stops a run"
}  # fmt: skip
OF_A_CANDIDATE = frozenset({"call.model", "call.attempt"})
"""Facts that differ between a call of any model and the candidate that a rule on one model sees."""


def report_pairs(names: Names, report: Report) -> None:
    """Add the rules that never decide, since a rule at least as strong applies whenever they do."""
    budget = Budget(LOOKS_OF_PAIRS)
    rules = sorted(names.policy.of(Rule), key=lambda rule: rule.name.text)
    for rule in rules:
        for other in rules:
            if other is not rule and _outdoes(names, other, rule, budget):
                _tell(rule, other, report)
                break


def _outdoes(names: Names, strong: Rule, weak: Rule, budget: Budget) -> bool:
    """Whether what the weak rule says is never what comes out. Of equal outcomes the first name decides."""
    if strong.outcome.kind not in FINAL:
        return False
    by = STRENGTH[strong.outcome.kind] - STRENGTH[weak.outcome.kind]
    is_first = strong.name.text < weak.name.text
    if by < 0 or (by == 0 and not is_first) or not _covers(names, strong, weak):
        return False
    if strong.when is None:
        return True
    if weak.when is None:
        return False
    both = [_place(names, rule) for rule in (weak, strong)]
    read = [{leaf.fact.text for leaf in leaves_of(place.condition)} for place in both]
    if not read[0] & read[1]:
        return False
    is_of_all = strong.selector.name is None and weak.selector.name is not None
    if weak.selector.point == "model" and is_of_all and OF_A_CANDIDATE & (read[0] | read[1]):
        return False
    try:
        return search(names, budget, *both).find(TRUE | UNKNOWN, FALSE) is None
    except Undecided:
        return False


def _place(names: Names, rule: Rule) -> Place:
    assert rule.when is not None  # noqa: S101  (who asks has looked)
    context = context_of(names, rule.selector, "rule")
    return place_of(names, rule.name.text, rule.when, context, rule.selector)


def _covers(names: Names, wide: Rule, narrow: Rule) -> bool:
    """Whether a rule looks at every call that another one looks at."""
    if wide.selector.point != narrow.selector.point:
        return False
    if wide.selector.point == "tool":
        tools = [{t.name.text for t in selected_tools(names, rule.selector)} for rule in (wide, narrow)]
        return tools[1] <= tools[0]
    name = wide.selector.name
    return name is None or (narrow.selector.name is not None and narrow.selector.name.text == name.text)


def _tell(rule: Rule, other: Rule, report: Report) -> None:
    mine, its = quote(rule.name.text), quote(other.name.text)
    related = (Related(f"{its} is here", other.name.span),)
    if rule.outcome.kind == other.outcome.kind:
        message = f"rule {mine} never decides: {its} says `{other.outcome.kind}` too whenever it applies"
        help = "remove one of them; of equal outcomes the first name decides"
        report.add("R0623", rule.name.span, message, help=help, related=related, severity="warning")
    else:
        message = f"rule {mine} never {OWN[rule.outcome.kind]}: whenever it applies {its} {_does(other)}"
        help = f"say in {its} when it is not meant, or remove {mine}"
        report.add("R0622", rule.name.span, message, help=help, related=related, severity="warning")


def _does(rule: Rule) -> str:
    return {"deny": "denies", "fail": "fails the call", "stop": "stops the run"}[rule.outcome.kind]
