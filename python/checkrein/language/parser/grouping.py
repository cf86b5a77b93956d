"""Puts together, and parts, what a parser with one token of look-ahead had to read otherwise.

`steps <= 25 tokens <= 9k tokens` are two bounds, read as one rule since the word behind 25 could have been
its unit; `expect deny at call 2` is one item, read as two since `at` could have begun the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lark import Token, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

INSIDE = frozenset(["start", "rest", "observe", "limit", "test", "repeat_step"])
"""The rules in which such items stand, and those around them."""


def group(root: Tree[Token]) -> Tree[Token]:
    """The tree, with one phrase for each bound and for each expectation."""
    todo = [root]
    while todo:
        node = todo.pop()
        if any(isinstance(child, Tree) and child.data in ("bound", "at_call") for child in node.children):
            node.children = list(_grouped(node.children))
        todo += [child for child in node.children if isinstance(child, Tree) and child.data in INSIDE]
    return root


def _grouped(children: list[Any]) -> Iterator[Any]:
    expecting: Any = None
    for child in children:
        rule = child.data if isinstance(child, Tree) else ""
        if rule == "at_call":
            expecting.children.append(child)
            expecting.meta.end_pos = child.meta.end_pos
        elif rule == "bound":
            yield from _bounds(child.children)
        else:
            yield child
        expecting = child


def _bounds(parts: list[Any]) -> Iterator[Tree[Token]]:
    """A dimension, then `<=`, a number and `tokens` for each bound but the last, which has its amount."""
    dimension, rest = parts[0], parts[1:]
    while len(rest) > 1:
        _sign, number, word, *rest = rest
        yield _over("bound", dimension, _over("count", number))
        dimension = _over("dimension", word)
    yield _over("bound", dimension, rest[0])


def _over(rule: str, *children: Any) -> Tree[Token]:
    """A phrase from the first of its children to the last."""
    made: Tree[Token] = Tree(rule, list(children))
    first, last = (child.meta if isinstance(child, Tree) else child for child in (children[0], children[-1]))
    made.meta.start_pos, made.meta.end_pos, made.meta.empty = first.start_pos, last.end_pos, False
    return made
