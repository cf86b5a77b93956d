"""A parser's error to one finding that says what to write instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lark import Token
from lark.exceptions import UnexpectedToken

from checkrein.diagnostics import Related, quote
from checkrein.frozen import Frozen
from checkrein.language import words
from checkrein.language.condition_slips import CONDITION_SLIPS, glued_letters
from checkrein.language.limit_slips import LIMIT_SLIPS
from checkrein.language.recovery import LEXEME
from checkrein.language.slip_fixes import fix_of
from checkrein.language.slips import SLIPS
from checkrein.language.statement_slips import GENERAL_SLIPS, STATEMENT_SLIPS

if TYPE_CHECKING:
    from lark.exceptions import UnexpectedInput

    from checkrein.diagnostics import Report
    from checkrein.language.source import Source

CHUNK = re.compile(r'"(?:[^"\\\n]|\\.)*"?|\$?[0-9][\w.,]*|[A-Za-z_][\w.]*|[<>=!&|]+|\S')
NUMBER_BEFORE = re.compile(r"([0-9][0-9.]*[kM]?)\s*$")
KNOWN = (*CONDITION_SLIPS, *LIMIT_SLIPS, *STATEMENT_SLIPS, *SLIPS, glued_letters, *GENERAL_SLIPS)
TOKEN_GAP = re.compile(r"(?:\s|#[^\n]*)*")


class Mistake(Frozen):
    """Where the parser gave up, and what it had in hand."""

    text: str
    offset: int
    chunk: str
    """What stands there: a word, a number, an operator; empty at the end of the file."""
    accepts: frozenset[str]
    """Names of the terminals that could have stood there."""
    terminals: dict[str, str]
    """The words for every terminal."""
    pending: tuple[Token, ...]
    """The tokens of the statement that was being read; empty between two statements."""
    starts: list[int]

    @property
    def accepted_words(self) -> list[str]:
        """The words of the language that could have stood there, as far as they are enforced."""
        return [w for w in words.offered(self.terminals, self.accepts) if w[0].isalpha() and " " not in w]

    @property
    def after_number(self) -> bool:
        """Whether a unit could have stood there."""
        return "S" in self.accepts and "MS" in self.accepts

    @property
    def begins_statement(self) -> bool:
        """Whether it is the first on its line, where the statement before could be complete."""
        line = self.text[self.text.rfind("\n", 0, self.offset) + 1 : self.offset]
        return "$END" in self.accepts and not line.strip()

    @property
    def number_before(self) -> str:
        """The number right before the mistake, as it is written; empty if there is none."""
        found = NUMBER_BEFORE.search(self.text[max(0, self.offset - 40) : self.offset])
        return found.group(1) if found else ""

    @property
    def previous_end(self) -> int:
        """Where the code before the mistake ends, comments and space left out."""
        start = (self.pending[0].start_pos or 0) if self.pending else 0
        ends = [
            found.end()
            for found in LEXEME.finditer(self.text, start, self.offset)
            if not found.group().isspace() and found.group()[0] != "#"
        ]
        return ends[-1] if ends else self.offset

    @property
    def statement(self) -> str | None:
        """What the author would call the statement being read, such as `limit "per run"`."""
        if not self.pending:
            return None
        named = self.pending[1:2] if self.pending[1:2] and self.pending[1].type in ("STRING", "FACT") else ()
        return quote(" ".join([self.pending[0], *named]))


def explain(
    error: UnexpectedInput, source: Source, starts: list[int], terminals: dict[str, str], report: Report
) -> tuple[int, int]:
    """Report one mistake; where the broken statement begins, and where to go on reading."""
    mistake = _mistake(error, source.text, starts, terminals)
    broken_from = mistake.pending[0].start_pos if mistake.pending else mistake.offset
    broken_from = broken_from or 0
    if not mistake.pending and "STARTS" in mistake.accepts and not mistake.begins_statement:
        # A file that ends in a bare fact could be complete; what follows the fact says that it is not.
        broken_from = max((s for s in starts if s < mistake.offset), default=broken_from)
    after = next((s for s in starts if s > broken_from), len(source.text))
    if not mistake.pending and mistake.offset in starts:
        after = mistake.offset
    if not _unclosed(mistake, source, after, report):
        said = ((slip, slip(mistake)) for slip in KNOWN)
        slip, found = next((pair for pair in said if pair[1] is not None), (None, None))
        start, end = mistake.offset, mistake.offset + max(1, len(mistake.chunk))
        if slip is None or found is None:
            report.add(
                "R0010",
                source.span(start, end),
                _unexpected(mistake),
                expected=words.expected(terminals, mistake.accepts),
            )
        else:
            wanted = words.expected(terminals, mistake.accepts) if found.expected else ()
            if found.after_previous:
                start = mistake.previous_end
                end = start + 1
            elif found.length:
                start = start if found.start is None else found.start
                end = start + found.length
            span = source.span(start, end)
            fix = fix_of(slip, mistake, found)
            report.add(found.code, span, found.message, help=found.help, expected=wanted, fix=fix)
    return broken_from, after


def _unexpected(mistake: Mistake) -> str:
    where = f" in {mistake.statement}" if mistake.statement else ""
    if not mistake.chunk:
        return f"the file ends{where}" if where else "the file is not a policy"
    return f"unexpected {quote(mistake.chunk)}{where}"


def _mistake(error: UnexpectedInput, text: str, starts: list[int], terminals: dict[str, str]) -> Mistake:
    parser: Any = error.interactive_parser
    accepts = frozenset(parser.accepts())
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        offset = len(text.rstrip())
    else:
        position: Any = error.pos_in_stream
        offset = int(position)
    pending: list[Token] = []
    if "$END" not in accepts:
        held = parser.parser_state.value_stack
        first = next((i for i, v in enumerate(held) if isinstance(v, Token)), len(held))
        pending = [v for v in held[first:] if isinstance(v, Token)]
    found = CHUNK.match(text, offset)
    return Mistake(text, offset, found.group() if found else "", accepts, terminals, tuple(pending), starts)


def _unclosed(mistake: Mistake, source: Source, after: int, report: Report) -> bool:
    """A brace that is still open where the next statement begins, or at the end of the file."""
    if not mistake.pending or (mistake.offset < after and mistake.chunk):
        return False
    at = min(after, mistake.offset) if mistake.chunk else mistake.offset
    braces: list[Token] = []
    for token in mistake.pending:
        if (token.start_pos or 0) >= at:
            break
        if token.type == "LBRACE":
            braces.append(token)
        elif token.type == "RBRACE" and braces:
            braces.pop()
    if not braces:
        return False
    opened = braces[-1]
    found = CHUNK.match(source.text, at)
    before = quote(found.group()) if found else "the end of the file"
    start = opened.start_pos or 0
    report.add(
        "R0011",
        source.span(at, at + (len(found.group()) if found else 1)),
        f"{mistake.statement} is not closed before {before}",
        help="close it with `}`",
        related=(Related("opened here", source.span(start, start + 1)),),
    )
    return True
