"""Where the next statement begins after a mistake.

The parser stops at its first mistake. To report several in one run, the broken statement is skipped up
to the next line that begins with a statement's keyword, and reading goes on there.
"""

from __future__ import annotations

import re

from checkrein.language.words import STATEMENTS

LEXEME = re.compile(r'"(?:[^"\\\n]|\\.)*"?|#[^\n]*|[{}]|\n|[A-Za-z_][\w.]*|[^\S\n]+|[^\s\w"#{}]+|\w')


def statement_starts(text: str, begins: int = 0) -> list[int]:
    """Offsets of the lines that begin a statement, in the file whose text begins there and is the last one.

    While the braces of the file balance, a statement begins at depth 0. When they do not, depth means
    little: then a statement's keyword counts if it stands at the left margin, where most authors write it.
    """
    at_depth_zero, at_margin = [], []
    depth, balanced, line_start, first_on_line = 0, True, begins, True
    for match in LEXEME.finditer(text, begins):
        lexeme = match.group()
        if lexeme == "\n":
            line_start, first_on_line = match.end(), True
            continue
        if lexeme.isspace():
            continue
        if first_on_line and lexeme in STATEMENTS:
            if depth == 0:
                at_depth_zero.append(match.start())
            if match.start() == line_start:
                at_margin.append(match.start())
        elif lexeme == "{":
            depth += 1
        elif lexeme == "}":
            balanced = balanced and depth > 0
            depth = max(0, depth - 1)
        first_on_line = False
    trust_depth = balanced and depth == 0
    return at_depth_zero if trust_depth or not at_margin else at_margin
