"""Statements in shadow mode: their date, and what the tests of a policy expect of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import quote
from checkrein.language.names import ENFORCED, KIND_WORDS
from checkrein.language.tree import UNNAMED, Store

if TYPE_CHECKING:
    from datetime import date

    from checkrein.diagnostics import Report
    from checkrein.language.names import Names
    from checkrein.language.tree import Expect, Limit, Policy


def check_dates(policy: Policy, report: Report, today: date) -> None:
    """Report the statements that are still only observed after their day."""
    for statement in policy.statements:
        observed = getattr(statement, "observed", None)
        if observed is None or isinstance(statement, UNNAMED) or today <= observed.until:
            continue
        what = f"{KIND_WORDS[type(statement)]} {quote(statement.name.text)}"
        message = f"{what} was to be observed until {observed.until}, and is still not enforced"
        help = "remove `observe until` to enforce it, write a later day, or remove the statement"
        report.add("R0575", observed.span, message, help=help)


def check_observed_limit(names: Names, limit: Limit, report: Report) -> None:
    """Report what an observed limit cannot do: it only counts, and in this process."""
    for threshold in limit.thresholds:
        message = "an observed limit tells nobody anything, and prefers no tier"
        report.add("R0578", threshold.span, message, help="leave `at` out until it is enforced")
    if limit.wrap_up is not None:
        message, help = "an observed limit keeps nothing back", "leave `wrap up` out until it is enforced"
        report.add("R0578", limit.wrap_up.span, message, help=help)
    if limit.scope.text != "run" and names.policy.of(Store):
        who = quote(limit.scope.text)
        message = f"an observed limit on {who} counts in one process, not in the shared store"
        help = "observe a limit `on run`, or leave `store shared` out while you try it"
        report.add("R0578", limit.scope.span, message, help=help)


def first_end(policy: Policy) -> date | None:
    """The first of the days that statements are observed until."""
    found = (getattr(statement, "observed", None) for statement in policy.statements)
    return min((each.until for each in found if each is not None), default=None)


def check_expectation(names: Names, expect: Expect, report: Report) -> None:
    """Report what `expect` says of a statement that decides, or that is observed, as if it were the other."""
    if expect.would and expect.kind == "handover":
        message = "an observed statement asks nobody, so nobody takes the task over"
        report.add("R0579", expect.span, message, help='write `expect would escalate to "queue"`')
    elif expect.would and expect.target is not None and expect.kind in ("allow", "answer"):
        what = "on which model it would be" if expect.kind == "allow" else "what the answer would be"
        message = f"of an observed statement is not told {what}"
        report.add("R0579", expect.target.span, message, help=f"write `expect would {expect.kind}`")
    if expect.by is None:
        return
    found = [s for s in names.policy.statements if isinstance(s, ENFORCED) and not isinstance(s, UNNAMED)]
    named = [s for s in found if s.name.text == expect.by.text]
    is_observed = [getattr(s, "observed", None) is not None for s in named]
    who = quote(expect.by.text)
    if expect.would and named and not any(is_observed):
        message = f"{who} is enforced: it decides, and never says what it would have decided"
        report.add("R0579", expect.by.span, message, help="leave `would` out")
    elif not expect.would and named and all(is_observed):
        message = f"{who} is only observed: it decides nothing"
        report.add("R0579", expect.by.span, message, help="write `expect would`")
