"""A policy as pieces: tokens with the comments around them, and the phrases that the grammar made of them."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from lark import Token, Tree

from checkrein.language.parser import load_parser
from checkrein.language.parser.grouping import group
from checkrein.language.syntax import is_part

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMENT = re.compile(r"#[^\n]*")
GLUED_BEFORE = frozenset([",", ")", "]", "%"])
GLUED_AFTER = frozenset(["(", "["])


class Comment(NamedTuple):
    """A comment, and how it stands in the text."""

    text: str
    column: int
    lines: int
    """How many lines lie between its own and that of what comes before it, a token or a comment."""


@dataclass(slots=True)
class Piece:
    """One token, and what belongs to it."""

    text: str
    gap: str = " "
    """What stands between it and the token before, on one line."""
    before: list[Comment] = field(default_factory=list)
    """The comments on lines of their own before it."""
    after: list[Comment] = field(default_factory=list)
    """The comment behind it: on its line, and on lines right below that begin in the same column."""
    blank: bool = False
    """Whether an empty line stands right before it."""
    starts_line: bool = False
    """Whether it, or the first comment before it, was the first on its line."""


@dataclass(slots=True)
class Phrase:
    """The tokens from `first` to before `end` that one rule of the grammar made."""

    rule: str
    first: int
    end: int
    parts: list[Phrase] = field(default_factory=list)
    braces: tuple[int, int] | None = None
    """Its own `{` and `}`."""

    @property
    def items(self) -> list[Phrase]:
        """What stands between its braces: parts in any number, or one phrase of the language."""
        if self.braces is None:
            return []
        opened, closed = self.braces
        inside = [part for part in self.parts if opened < part.first < closed]
        covered = sum(part.end - part.first for part in inside)
        if covered == closed - opened - 1:
            return inside
        return [Phrase("words", opened + 1, closed)]

    @property
    def own(self) -> Iterator[int]:
        """The tokens that are in none of its parts."""
        at = self.first
        for part in self.parts:
            yield from range(at, part.first)
            at = part.end
        yield from range(at, self.end)


class Pieces(NamedTuple):
    """A whole file; the last piece is empty, for the comments at the end."""

    pieces: list[Piece]
    root: Phrase


def pieces_of(text: str) -> Pieces:
    """The pieces of a text in which nothing is wrong for the parser: of a policy, or of what one includes."""
    reading = load_parser().parse_interactive(text, start="rest" if is_part(text) else "start")
    tokens = list(reading.iter_parse())
    if not tokens:
        return Pieces(list(_pieces(text, [Token("$END", "", len(text))])), Phrase("rest", 0, 0))
    end = Token.new_borrow_pos("$END", "", tokens[-1])
    end.start_pos = end.end_pos = len(text)
    tree = group(reading.feed_token(end))
    pieces = list(_pieces(text, [*tokens, end]))
    root = _phrases(tree, [token.start_pos or 0 for token in tokens])
    ends = [root.first + 1] if root.rule == "start" else []
    todo = [root]
    while todo:
        phrase = todo.pop()
        todo += phrase.parts
        _find_own(phrase, pieces)
        items = phrase.parts if phrase is root else phrase.items
        for item in phrase.items[1:]:
            pieces[item.first].gap = "  "
        ends += [*(item.end - 1 for item in items), *(phrase.braces or ())]
    for i in ends:
        _go_on(pieces[i].after, pieces[i + 1].before)
    return Pieces(pieces, root)


def _pieces(text: str, tokens: list[Token]) -> Iterator[Piece]:
    behind: Piece | None = None
    end = 0
    for token in tokens:
        start = token.start_pos or 0
        comments = list(_comments(text, end, start))
        if comments and comments[0].lines == 0 and behind is not None:
            behind.after.append(comments.pop(0))
        between = text[end:start]
        piece = Piece(_written(token), before=comments, starts_line="\n" in between)
        piece.blank = between.rpartition("#")[2].count("\n") > 1
        if behind is None or piece.text in GLUED_BEFORE or behind.text in GLUED_AFTER:
            piece.gap = ""
        yield piece
        behind, end = piece, start + len(token)


def _comments(text: str, start: int, end: int) -> Iterator[Comment]:
    for found in COMMENT.finditer(text, start, end):
        column = found.start() - text.rfind("\n", 0, found.start())
        yield Comment(found.group().rstrip(), column, text.count("\n", start, found.start()))
        start = found.end()


def _go_on(after: list[Comment], before: list[Comment]) -> None:
    """Let the comment behind an item go on in the lines below, while they begin in its column."""
    while after and before and before[0].column == after[0].column and before[0].lines == 1:
        after.append(before.pop(0))


def _written(token: Token) -> str:
    """A token's text; an amount such as `EUR 5` has exactly one space in it."""
    return str(token) if token.type == "STRING" else " ".join(token.split())


def _phrases(tree: Tree[Token], starts: list[int]) -> Phrase:
    """The phrases of a tree. A loop, so that no nesting can exhaust Python's stack."""
    top: list[Phrase] = []
    todo: list[tuple[Tree[Token], list[Phrase]]] = [(tree, top)]
    while todo:
        node, siblings = todo.pop()
        first, end = (bisect_left(starts, at) for at in (node.meta.start_pos, node.meta.end_pos))
        phrase = Phrase(str(node.data), first, end)
        siblings.append(phrase)
        todo += [(child, phrase.parts) for child in reversed(node.children) if isinstance(child, Tree)]
    return top[0]


def _find_own(phrase: Phrase, pieces: list[Piece]) -> None:
    """Find what a phrase's own words say about its parts: the braces around items, what follows `then`."""
    own = {i: pieces[i].text for i in phrase.own}
    opened = [i for i, word in own.items() if word == "{"]
    closed = [i for i, word in own.items() if word == "}"]
    if opened and closed:
        phrase.braces = opened[0], closed[0]
    then = next((i for i, word in own.items() if word == "then" and phrase.rule == "rule"), None)
    if then is not None:
        parts = [part for part in phrase.parts if part.first > then]
        phrase.parts = [part for part in phrase.parts if part.first < then]
        phrase.parts.append(Phrase("then", then, phrase.end, parts))
