"""Policies as texts: the words that white space separates, and what they say wherever it stands."""

import re

from checkrein.frozen import replace
from checkrein.language import check, parse
from checkrein.language.emit import emit
from checkrein.language.lower import lower
from checkrein.language.tree import Span

LEXEME = re.compile(
    r'"(?:[^"\\\n]|\\.)*"|#[^\n]*|[A-Z]{3} [0-9.]+|[a-z_]+\s*<=|at\s+time\b'
    r"|\d{4}-\d\d-\d\d|\$?\w+(?:\.\w+)*|[<>=!]=|->|\.\.|\S"
)


def placeless(source):
    """The artifact of a policy, without where its statements stand and their text; None if it has none."""
    policy, found = parse(source, "p.rein")
    if policy is None or any(d.severity == "error" for d in [*found, *check(policy)]):
        return None
    nowhere = Span(0, 0, 0, 0)
    statements = tuple(replace(statement, span=nowhere) for statement in policy.statements)
    return emit(lower(replace(policy, source="", statements=statements)))
