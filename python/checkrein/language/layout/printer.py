"""Pieces to text: one line where it fits, else broken where the grammar has a joint."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checkrein.language.layout.pieces import Comment, Phrase, Pieces

WIDTH = 100
STEP = 2
DEPTH_MAX = 200
"""Phrases within phrases that are broken; what is nested deeper stands on one line, however long."""

CLAUSES = frozenset(["at_call", "because", "by", "else_", "fails", "gives", "judged", "tell", "then", "when"])
"""The parts that may stand on a line of their own, behind what they belong to."""
JOINED = frozenset(["conjunction_of", "disjunction"])
"""Conditions that break before each `and`, or each `or`."""


class Printer:
    """Writes one file."""

    def __init__(self, pieces: Pieces) -> None:
        self.pieces, self.root = pieces
        self.lines: list[str] = []
        self.line = ""
        self.indent = 0
        """Where the current line begins, if nothing stands on it yet."""
        self.hang = 0
        """Where a line begins that a comment makes necessary."""
        self.is_between = self.is_first = True
        """Whether what comes next begins an item, where empty lines are kept; and the first one."""
        self.comment: list[Comment] = []
        """The comment that ends the current line, and goes on below."""
        self.depth = 0
        self.ends = [0, *accumulate(len(piece.gap + piece.text) for piece in self.pieces)]
        self.breaks = [0, *accumulate(self._must_break(i) for i in range(len(self.pieces)))]

    def text(self) -> str:
        """The whole file."""
        statements = self.root.parts
        if self.root.rule == "start":
            header, *statements = statements
            self._run(header.first, header.first + 2, 0)
            self._break(0)
            self._run(header.first + 2, header.end, 0)
        for statement in statements:
            self._break(0, is_between=True)
            self._phrase(statement, 0)
        self._break(0, is_between=True)
        self._comments(len(self.pieces) - 1)
        return "".join(f"{line}\n" for line in self.lines)

    # -- what fits ----------------------------------------------------------------------------------

    def _must_break(self, i: int) -> bool:
        """Whether a line has to break right before this token."""
        piece = self.pieces[i]
        behind = self.pieces[i - 1] if i else None
        if behind is None:
            return bool(piece.before)
        is_open = behind.text == "{" and piece.starts_line and (piece.text != "}" or bool(piece.before))
        return bool(piece.before or behind.after) or is_open

    def _fits(self, first: int, end: int) -> bool:
        """Whether these tokens can stand on the current line, with what is glued to the last of them."""
        if self.breaks[end] > self.breaks[first + 1]:
            return False
        while self.pieces[end].text and not self.pieces[end].gap:
            end += 1
        width = self.ends[end] - self.ends[first]
        if self.line:
            return len(self.line) + width <= WIDTH
        return self.indent + width - len(self.pieces[first].gap) <= WIDTH

    # -- phrases ------------------------------------------------------------------------------------

    def _phrase(self, phrase: Phrase, indent: int) -> None:
        """Write a phrase; where it breaks, lines begin one step behind `indent`."""
        if self._fits(phrase.first, phrase.end) or self.depth > DEPTH_MAX:
            self._run(phrase.first, phrase.end, indent)
            return
        self.depth += 1
        if phrase.rule in JOINED:
            self._joined(phrase, indent)
        else:
            self._clauses(phrase, indent)
        self.depth -= 1

    def _joined(self, phrase: Phrase, indent: int) -> None:
        """Operands; each but the first begins a line, behind its `and` or `or`."""
        first, *others = phrase.parts
        self._phrase(first, indent + STEP)
        for operand in others:
            self._break(indent + STEP)
            self._run(operand.first - 1, operand.first, indent + STEP)
            self._phrase(operand, indent + STEP)

    def _clauses(self, phrase: Phrase, indent: int) -> None:
        """What comes before the clauses, then each on a line of its own, or behind a `}` on a new line."""
        closed = phrase.braces[1] if phrase.braces else phrase.first
        clauses = [part for part in phrase.parts if part.rule in CLAUSES and part.first > closed]
        end = clauses[0].first if clauses else phrase.end
        beside = False
        if phrase.braces is None:
            self._words(phrase, end, indent)
        elif self._fits(phrase.first, end):
            self._run(phrase.first, end, indent)
        else:
            self._block(phrase, indent)
            self._run(phrase.braces[1] + 1, end, indent)
            beside = True
        for clause in clauses:
            if beside and not self.comment and not self.pieces[clause.first].before:
                self._phrase(clause, indent)
            else:
                self._break(indent + STEP)
                self._phrase(clause, indent + STEP)

    def _words(self, phrase: Phrase, end: int, indent: int) -> None:
        """The tokens before `end`, and the parts among them in their own way."""
        at = phrase.first
        for part in phrase.parts:
            if part.first < end and not self._fits(part.first, part.end):
                self._run(at, part.first, indent)
                self._phrase(part, indent)
                at = part.end
        self._run(at, end, indent)

    def _block(self, phrase: Phrase, indent: int) -> None:
        """Everything up to the closing brace, each item on a line of its own."""
        assert phrase.braces is not None  # noqa: S101  (asked by the caller)
        opened, closed = phrase.braces
        self._run(phrase.first, opened + 1, indent)
        for item in phrase.items:
            self._break(indent + STEP, is_between=True, is_first=item.first == opened + 1)
            self._phrase(item, indent + STEP)
        self._break(indent + STEP, is_between=True, is_first=not phrase.items)
        self._comments(closed)
        self._break(indent)
        self._write(closed)

    # -- tokens -------------------------------------------------------------------------------------

    def _run(self, first: int, end: int, indent: int) -> None:
        """Tokens on one line, but for comments among them, and for lists that are too long for it."""
        self.hang = indent + STEP
        for i in range(first, end):
            is_next = i > first and self.pieces[i - 1].text == ","
            if is_next and not self._fits(i, i + 1):
                self._break(self.hang)
            self._comments(i)
            self._write(i)

    def _comments(self, i: int) -> None:
        """The comments on lines of their own before a token."""
        before = self.pieces[i].before
        if before and self.line:
            self._break(self.hang)
        for comment in before:
            self._blank(comment.lines > 1)
            self.lines.append(" " * self.indent + comment.text)
            self.is_first = False

    def _write(self, i: int) -> None:
        """One token, and the comment behind it."""
        piece = self.pieces[i]
        if self.comment:
            self._break(self.hang)
        if self.line:
            self.line += piece.gap + piece.text
        else:
            self._blank(piece.blank)
            self.line = " " * self.indent + piece.text
        self.comment = piece.after

    def _blank(self, stood: bool) -> None:
        """An empty line, if one stood here and items may be apart."""
        if stood and self.is_between and not self.is_first:
            self.lines.append("")

    def _break(self, indent: int, *, is_between: bool = False, is_first: bool = False) -> None:
        """End the line, if anything stands on it; the next one begins at `indent`."""
        margin = " " * len(self.line)
        for comment in self.comment:
            self.lines.append(f"{self.line}  {comment.text}")
            self.line = margin
        if self.line and not self.comment:
            self.lines.append(self.line)
        self.line, self.comment, self.indent = "", [], indent
        self.is_between, self.is_first = is_between, is_first
