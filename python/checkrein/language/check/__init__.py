"""What the grammar cannot say: names, dimensions, guards, prices, and statements that cannot work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import Report, has_error, quote
from checkrein.language.check.allowances import without_allowed
from checkrein.language.check.conditions import ConditionChecker
from checkrein.language.check.defines import Defines
from checkrein.language.check.enforced import EnforcedChecker
from checkrein.language.check.limits import LimitChecker, check_store
from checkrein.language.check.observed import check_dates
from checkrein.language.check.routes import check_tiers
from checkrein.language.check.targets import Targets
from checkrein.language.check.trials import TrialChecker
from checkrein.language.check.vocabulary import check_vocabulary
from checkrein.language.check.zones import check_clock
from checkrein.language.meaning.findings import report_findings
from checkrein.language.meaning.pairs import DEEP, report_pairs
from checkrein.language.meaning.routes import report_overlaps
from checkrein.language.meaning.unused import report_unused
from checkrein.language.names import Names, check_names
from checkrein.language.tree import OWN, UNNAMED, CostClaim, Define, Limit, OrderClaim, Queue, State, Test

if TYPE_CHECKING:
    from datetime import date

    from checkrein.diagnostics import Diagnostic
    from checkrein.language.tree import Policy

__all__ = ["check"]


def check(policy: Policy, *, deep: bool = False, today: date | None = None) -> list[Diagnostic]:
    """Every finding about a policy that was read, in source order; it compiles if none is an error.

    Warnings that the author allows in a comment are not among them. What takes longer, or is no mistake as
    often as it is one, is looked for if `deep`. What is observed for longer than it says is told only if
    `today` is given. A `broken` policy is checked as far as it goes: what its unreadable parts may declare
    is not missed.
    """
    report = Report(policy.file)
    names = Names(policy)
    check_names(policy, report)
    check_vocabulary(names, report)
    defines = Defines(names, report)
    conditions = ConditionChecker(names, report, defines.sound)
    targets = Targets(names, report)
    enforced = EnforcedChecker(targets, conditions, defines)
    limits = LimitChecker(targets, conditions)
    trials = TrialChecker(names, report)
    for statement in policy.statements:
        match statement:
            case Test():
                trials.check(statement)
            case Limit():
                limits.check(statement)
            case OrderClaim():
                targets.selector(statement.selector)
                names.resolve(report, "tool", statement.tool, names.tools)
            case _:
                enforced.check(statement)
    check_store(policy, report)
    check_tiers(names, report)
    check_clock(names, report, conditions.used)
    is_whole = not policy.broken and not has_error(report.diagnostics)
    if is_whole:
        _unused(policy, conditions, targets, report)
        report_findings(names, report)
        if deep:
            report_pairs(names, report)
            report_unused(names, report)
            report_overlaps(names, report)
        if any(isinstance(each, CostClaim | OrderClaim) for each in policy.statements):
            # It reads what this package makes, so it is looked for only where somebody claims something.
            from checkrein.analysis.claims import check_claims

            check_claims(policy, report)
    if today is not None:
        check_dates(policy, report, today)
    return without_allowed(policy, report, is_whole=is_whole, unasked=frozenset() if deep else DEEP)


def _unused(policy: Policy, conditions: ConditionChecker, targets: Targets, report: Report) -> None:
    """Declarations that nothing refers to: most often a name that was meant somewhere and forgotten."""
    queues = {q.name.text: q for q in policy.of(Queue)}
    states = set(targets.used_states)
    states |= {q.default_stop.text for q in queues.values() if q.default_stop is not None}
    for statement in policy.statements:
        # Of a shared file, another policy may use what this one does not.
        if isinstance(statement, UNNAMED) or statement.span.file != OWN:
            continue
        name = statement.name
        match statement:
            case Define() if name.text not in conditions.used:
                kind = "define"
            case State() if name.text not in states:
                kind = "state"
            case Queue() if name.text not in targets.used_queues:
                kind = "queue"
            case _:
                continue
        code = "R0108" if kind == "define" else "R0109"
        message = f"{kind} {quote(name.text)} is never used"
        report.add(code, name.span, message, help="use it or remove it", severity="warning")
