"""What `check` tells of a policy without mistakes: statements that can't do what they seem to say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from checkrein.diagnostics import Example, quote
from checkrein.frozen import replace
from checkrein.language.meaning.cells import domain_of, representatives, truth
from checkrein.language.meaning.examples import of_the_other_truth, written
from checkrein.language.meaning.places import places_of, search
from checkrein.language.meaning.promises import report_promises
from checkrein.language.meaning.routes import report_routes
from checkrein.language.meaning.search import FALSE, TRUE, Budget, Undecided, leaves_of
from checkrein.language.tree import Affix, And, Defined, Not, Or, Quantified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.diagnostics import Report
    from checkrein.language.meaning.cells import Leaf
    from checkrein.language.meaning.places import Place
    from checkrein.language.names import Names
    from checkrein.language.tree import Condition

LOOKS_OF_CHECK = 300_000
"""What all questions of one `check` may cost, some tenths of a second; what is left then is not told."""

ADDRESS = re.compile(
    r"(^|[._])(e?mail|address|domain|host|hostname|recipient|sender|to|cc|bcc|url)s?($|[._])"
)
DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}", re.IGNORECASE)
FOLDER = re.compile(r"(/[\w.-]+)+")
SITE = re.compile(r"[a-z]+://[\w.-]+(:\d+)?", re.IGNORECASE)


def report_findings(names: Names, report: Report) -> None:
    """Add the findings that need no pair of statements; all are warnings."""
    budget = Budget(LOOKS_OF_CHECK)
    for place in places_of(names):
        _constant(names, place, budget, report)
        for leaf in leaves_of(place.condition):
            asked = leaf.element if isinstance(leaf, Quantified) else leaf
            if isinstance(asked, Affix):
                _unanchored(asked, report)
    report_promises(names, report)
    report_routes(names, budget, report)


# -- conditions that say nothing -------------------------------------------------------------------


def _constant(names: Names, place: Place, budget: Budget, report: Report) -> None:
    """The whole condition, else each comparison that stands in it."""
    try:
        if _is_free(names, place):
            return
        whole = search(names, budget, place)
        for goal in (FALSE, TRUE):
            if whole.find(goal) is None:
                _tell(names, place, place.written, goal, budget, report)
                return
        for leaf in _written_leaves(place.written):
            for goal in _missed(names, place, leaf)[:1]:
                _tell(names, replace(place, condition=leaf), leaf, goal, budget, report)
    except Undecided:
        return


def _is_free(names: Names, place: Place) -> bool:
    """Whether each fact is read once, by a comparison that can be true and false: so can the whole then."""
    leaves = list(leaves_of(place.condition))
    if len({leaf.fact.text for leaf in leaves}) < len(leaves):
        return False
    return not any(_missed(names, place, leaf) for leaf in leaves)


def _missed(names: Names, place: Place, leaf: Leaf) -> list[int]:
    """Which of true and false one comparison can't be."""
    domain = domain_of(names, leaf.fact.text, place.context, place.model)
    if domain is None:
        return []
    found = {truth(leaf, value) for value in representatives(domain, [leaf])}
    return [goal for goal, wanted in ((FALSE, False), (TRUE, True)) if wanted not in found]


def _written_leaves(condition: Condition) -> Iterator[Leaf]:
    """The comparisons that stand in the statement itself: a define may say more elsewhere."""
    match condition:
        case Not():
            yield from _written_leaves(condition.operand)
        case And() | Or():
            for operand in condition.operands:
                yield from _written_leaves(operand)
        case Defined():
            pass
        case _:
            yield condition


def _tell(names: Names, place: Place, part: Condition, goal: int, budget: Budget, report: Report) -> None:
    """`place` has the part as its condition, with its defines written out."""
    written = quote(names.policy.source[part.span.start : part.span.end])
    whole = part is place.written
    subject = f"the condition of {place.owner}" if whole else f"{written} in {place.owner}"
    example = of_the_other_truth(names, place, goal, budget)
    if goal == FALSE:
        help = "leave it out, or write what was meant"
        if place.is_retry and whole:
            help = "write the kinds of errors that were meant; without `when` they are those that may pass"
        message = f"{subject} can't be false"
        report.add("R0620", part.span, message, help=help, example=example, severity="warning")
    else:
        help = "write what was meant, such as `or` in place of `and`, or remove it"
        message = f"{subject} can't be true"
        report.add("R0621", part.span, message, help=help, example=example, severity="warning")


# -- patterns that let more in than they seem to ---------------------------------------------------


def _unanchored(leaf: Affix, report: Report) -> None:
    part = str(leaf.literal.value)
    if leaf.end == "ends":
        if not (DOMAIN.fullmatch(part) and ADDRESS.search(leaf.fact.text)):
            return
        other, better = f"not-{part}", f'"@{part}"` or `ends with ".{part}"'
    elif FOLDER.fullmatch(part):
        other, better = f"{part}-other", f'"{part}/"'
    elif SITE.fullmatch(part):
        other, better = f"{part}.example.org", f'"{part}/"'
    else:
        return
    message = f"`{leaf.end} with {quote(part)[1:-1]!r}` holds for {quote(other)} too".replace("'", '"')
    help = f"write `{leaf.end} with {better}`"
    example = Example(((leaf.fact.text, written(other, "text", "")),), "it is true")
    report.add("R0628", leaf.span, message, help=help, example=example, severity="warning")
