"""Where the next statement begins after a mistake.

The parser stops at its first mistake. To report several in one run, the broken statement is skipped up
to the next line that begins with a statement's keyword, and reading goes on there.
"""

from __future__ import annotations

import re

from checkrein.language.words import STATEMENTS

LEXEME = re.compile(r'"(?:[^"\\\n]|\\.)*"?|#[^\n]*|[{}]|\n|[A-Za-z_][\w.]*|[^\S\n]+|[^\s\w"#{}]+|\w')


def statement_starts(text: str) -> list[int]:
    """Offsets of the lines that begin a statement.

    While the braces of the file balance, a statement begins at depth 0 only. When they do not, a
    keyword at the left margin is taken for a statement as well, whatever the depth seems to be.
    """
    balanced, starts = _scan(text, trust_margin=False)
    return starts if balanced else _scan(text, trust_margin=True)[1]


def _scan(text: str, *, trust_margin: bool) -> tuple[bool, list[int]]:
    starts = []
    depth, balanced, at_line_start, line_start = 0, True, True, 0
    for match in LEXEME.finditer(text):
        lexeme = match.group()
        if lexeme == "\n":
            at_line_start, line_start = True, match.end()
            continue
        if lexeme.isspace():
            continue
        if lexeme == "{":
            depth += 1
        elif lexeme == "}":
            balanced = balanced and depth > 0
            depth = max(0, depth - 1)
        elif at_line_start and lexeme in STATEMENTS:
            at_margin = trust_margin and match.start() == line_start
            if depth == 0 or at_margin:
                starts.append(match.start())
                depth = 0
        at_line_start = False
    return balanced and depth == 0, starts
