"""What `check --deep` tells: rules that another rule, or several together, always outdo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import Related, quote
from checkrein.language.facts import context_of, selected_tools
from checkrein.language.meaning.examples import example_of
from checkrein.language.meaning.places import place_of, search
from checkrein.language.meaning.search import FALSE, TRUE, UNKNOWN, Budget, Undecided, leaves_of
from checkrein.language.tree import Rule

if TYPE_CHECKING:
    from checkrein.diagnostics import Example, Report
    from checkrein.language.meaning.places import Place
    from checkrein.language.names import Names

LOOKS_OF_PAIRS = 3_000_000
"""What all questions about pairs may cost together: some seconds."""
TOGETHER_MAX = 12
"""How many rules are tried together against one."""
DEEP = frozenset({"R0622", "R0623", "R0639", "R0641"})
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
    """Add the rules that never decide, since whenever they apply others do that are at least as strong."""
    budget = Budget(LOOKS_OF_PAIRS)
    rules = sorted(names.policy.enforced(Rule), key=lambda rule: rule.name.text)
    for rule in rules:
        others = [other for other in rules if other is not rule and _is_before(names, other, rule)]
        by = next(([other] for other in others if _outdo(names, [other], rule, budget)), None)
        by = by or _together(names, others, rule, budget)
        if by:
            _tell(names, rule, by, budget, report)


def _together(names: Names, others: list[Rule], rule: Rule, budget: Budget) -> list[Rule]:
    """As few of several rules as it takes to outdo another one; none if all are not enough."""
    if rule.when is None:
        return []
    some = _related(names, others, rule)[:TOGETHER_MAX]
    if len(some) < 2 or not _outdo(names, some, rule, budget):
        return []
    for each in tuple(some):
        fewer = [other for other in some if other is not each]
        if _outdo(names, fewer, rule, budget):
            some = fewer
    return some


def _is_before(names: Names, strong: Rule, weak: Rule) -> bool:
    """Whether the one decides wherever both apply. Of equal outcomes the first name decides."""
    if strong.outcome.kind not in FINAL:
        return False
    by = STRENGTH[strong.outcome.kind] - STRENGTH[weak.outcome.kind]
    if by < 0 or (by == 0 and strong.name.text > weak.name.text) or not _covers(names, strong, weak):
        return False
    is_of_all = strong.selector.name is None and weak.selector.name is not None
    if weak.selector.point == "model" and is_of_all:
        return not OF_A_CANDIDATE & (_read(names, strong) | _read(names, weak))
    return True


def _outdo(names: Names, strong: list[Rule], weak: Rule, budget: Budget) -> bool:
    """Whether one of the strong rules applies whenever the weak one does."""
    if any(rule.when is None for rule in strong):
        return True
    if weak.when is None or not _read(names, weak) & set().union(*(_read(names, rule) for rule in strong)):
        return False
    places = [_place(names, rule) for rule in (weak, *strong)]
    try:
        return search(names, budget, *places).find(TRUE | UNKNOWN, *(FALSE for _ in strong)) is None
    except Undecided:
        return False


def _related(names: Names, rules: list[Rule], rule: Rule) -> list[Rule]:
    """The rules that read a fact that this one reads, or a related one; the nearest first."""
    found: list[Rule] = []
    read, left = _read(names, rule), list(rules)
    while near := [other for other in left if _read(names, other) & read]:
        found += near
        left = [other for other in left if other not in near]
        read = read.union(*(_read(names, other) for other in near))
    return found


def _read(names: Names, rule: Rule) -> set[str]:
    return {leaf.fact.text for leaf in leaves_of(_place(names, rule).condition)} if rule.when else set()


def _place(names: Names, rule: Rule) -> Place:
    assert rule.when is not None  # noqa: S101  (who asks has looked)
    context = context_of(names, rule.selector, "rule")
    return place_of(names, rule.name.text, rule.when, context, rule.selector)


def _covers(names: Names, wide: Rule, narrow: Rule) -> bool:
    """Whether a rule looks at every call that another one looks at."""
    if wide.selector.point != narrow.selector.point:
        return False
    name, other = wide.selector.name, narrow.selector.name
    if name is not None and other is not None:
        return name.text == other.text
    if wide.selector.point == "model":
        return name is None
    tools = [{t.name.text for t in selected_tools(names, rule.selector)} for rule in (wide, narrow)]
    return tools[1] <= tools[0]


def _tell(names: Names, rule: Rule, others: list[Rule], budget: Budget, report: Report) -> None:
    mine = quote(rule.name.text)
    related = tuple(Related(f"{quote(other.name.text)} is here", other.name.span) for other in others)
    listed = " or ".join(quote(other.name.text) for other in others)
    example = _example(names, rule, others, budget)
    if all(rule.outcome.kind == other.outcome.kind for other in others):
        code, help = "R0623", "remove one of them; of equal outcomes the first name decides"
        message = f"rule {mine} never decides: {listed} says `{rule.outcome.kind}` too whenever it applies"
    else:
        code, help = "R0622", f"say in {listed} when it is not meant, or remove {mine}"
        does = " or ".join(f"{quote(other.name.text)} {_does(other)}" for other in others)
        message = f"rule {mine} never {OWN[rule.outcome.kind]}: whenever it applies {does}"
    report.add(code, rule.name.span, message, help=help, related=related, example=example, severity="warning")


def _example(names: Names, rule: Rule, others: list[Rule], budget: Budget) -> Example | None:
    """A call to which the rule and another one apply."""
    for other in others:
        read = [_place(names, each) for each in (rule, other) if each.when is not None]
        try:
            found = search(names, budget, *read).find(*(TRUE for _ in read)) if read else {}
        except Undecided:
            continue
        if found is not None:
            return example_of(names, found, f"both apply, and {quote(other.name.text)} {_does(other)}", *read)
    return None


def _does(rule: Rule) -> str:
    return {"deny": "denies", "fail": "fails the call", "stop": "stops the run"}[rule.outcome.kind]
