"""The parser's tree to typed nodes: the walk, and what every builder shares.

The walk is a loop over an explicit stack, so that no nesting in a policy can exhaust Python's own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from lark import Token, Tree

from checkrein.diagnostics import Related, quote
from checkrein.language.tree import Literal, Name, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from checkrein.diagnostics import Report
    from checkrein.language.source import Source
    from checkrein.language.tree import Condition

ONE_OF_TWO = "keep one of the two"
DEPTH_MAX = 64
VALUE_MAX = 2**53 - 1
DROPPED: Any = object()
"""Stands for a part that was reported and cannot be built; whatever contains it is dropped as well."""

ARTICLE = {
    "text": "text",
    "flag": "a flag",
    "count": "a count",
    "money": "money",
    "tokens": "tokens",
    "duration": "a duration",
    "percent": "a percentage",
}
EXAMPLE = {
    "text": '`"text"`',
    "flag": "`true`",
    "count": "`3`",
    "money": "`$0.50`",
    "tokens": "`200 tokens`",
    "duration": "`30 s`",
    "percent": "`80%`",
}


def example(dimension: str, written: str) -> str:
    """A value of the dimension: the author's own number if it is a bare one, else any."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?[kM]?", written):
        if dimension == "tokens":
            return f"`{written} tokens`"
        if dimension == "money" and written[-1].isdigit():
            return f"`${written}`"
        if dimension == "duration":
            return f"`{written} s`"
    return EXAMPLE[dimension]


class Item(NamedTuple):
    """One line inside the braces of a statement; `word` is how the author knows it."""

    word: str
    value: Any
    span: Span


class Nested(NamedTuple):
    """A condition with its depth as written, brackets included."""

    condition: Condition
    depth: int


Handler = "Callable[[Builder, Span, list[Any]], Any]"
HANDLERS: dict[str, Callable[[Builder, Span, list[Any]], Any]] = {}


def builds(*rules: str) -> Callable[[Any], Any]:
    """Register a function as the builder of grammar rules."""

    def register(function: Any) -> Any:
        for rule in rules:
            HANDLERS[rule] = function
        return function

    return register


class Builder:
    """Builds typed nodes bottom up and reports what a grammar cannot refuse."""

    def __init__(self, source: Source, report: Report) -> None:
        self.source = source
        self.report = report
        self.broken = False

    def build(self, root: Tree[Token]) -> Any:
        """The value of the root rule."""
        done: list[Any] = []
        todo: list[tuple[Any, bool]] = [(root, False)]
        while todo:
            node, ready = todo.pop()
            if not isinstance(node, Tree):
                done.append(node)
            elif not ready:
                todo.append((node, True))
                todo.extend((child, False) for child in reversed(node.children))
            else:
                count = len(node.children)
                parts = done[len(done) - count :]
                del done[len(done) - count :]
                done.append(self._reduce(node, parts))
        return done[0]

    def _reduce(self, node: Tree[Token], parts: list[Any]) -> Any:
        meta = node.meta
        span = Span(0, 0, 0, 0) if meta.empty else self.source.span(meta.start_pos, meta.end_pos)
        if node.data in ("start", "rest"):
            kept = [p for p in parts if p is not DROPPED]
            self.broken = self.broken or len(kept) < len(parts)
            return kept
        handler = HANDLERS[node.data]
        lost = any(p is DROPPED for p in parts)
        if lost:
            return DROPPED
        return handler(self, span, parts)

    # -- what builders share ------------------------------------------------------------------

    def span(self, token: Token) -> Span:
        """Where a token stands."""
        start = token.start_pos or 0
        return self.source.span(start, start + len(token))

    def name(self, token: Token) -> Name:
        """A quoted name or a dotted fact."""
        text = str(token)
        return Name(unquote(text) if text.startswith('"') else text, self.span(token))

    def number(self, token: Token, scale: int = 1, what: str = "a whole number") -> Any:
        """The token times `scale` as an integer; DROPPED after a report if it is no such integer."""
        value = exact(str(token), scale)
        if value is None:
            help = "half of one cannot be counted" if scale == 1 else "use fewer decimals"
            self.report.add("R0024", self.span(token), f"{quote(token)} is not {what}", help=help)
            return DROPPED
        if value > VALUE_MAX:
            self.report.add(
                "R0023",
                self.span(token),
                f"{quote(token)} is too large",
                help=f"at most {VALUE_MAX // scale:,}",
            )
            return DROPPED
        return value

    def amount(self, word: str, literal: Literal, dimension: str, *, zero: bool = False) -> Any:
        """The value of a setting, which must have the dimension and, unless `zero`, be above it."""
        if literal.dimension != dimension:
            written = self.source.text[literal.span.start : literal.span.end]
            self.report.add(
                "R0201",
                literal.span,
                f"`{word}` is {ARTICLE[dimension]}, {quote(written)} is {ARTICLE[literal.dimension]}",
                help=f"write {ARTICLE[dimension]} such as {example(dimension, written)}",
            )
            return DROPPED
        if literal.value == 0 and not zero:
            help = f"write a value such as {EXAMPLE[dimension]}"
            self.report.add("R0411", literal.span, f"`{word}` cannot be zero", help=help)
            return DROPPED
        return literal.value

    def setting(self, span: Span, word: str, literal: Literal, dimension: str) -> Any:
        """An item whose value must have the dimension and be above zero."""
        value = self.amount(word, literal, dimension)
        return value if value is DROPPED else Item(word, value, span)

    def once(self, parts: Iterable[Any]) -> dict[str, Any]:
        """The items by their word; an item that is given twice is reported, the first one counts."""
        items: dict[str, Item] = {}
        for item in parts:
            if not isinstance(item, Item):
                continue
            first = items.setdefault(item.word, item)
            if first is not item:
                self.report.add(
                    "R0025",
                    item.span,
                    f"`{item.word}` is given twice",
                    related=(Related("given here first", first.span),),
                    help=ONE_OF_TWO,
                )
        return {word: item.value for word, item in items.items()}

    def nested(self, condition: Condition, depth: int, span: Span) -> Any:
        """A condition one level up, unless that is too deep."""
        if depth > DEPTH_MAX:
            self.report.add(
                "R0020",
                span,
                f"the condition is nested deeper than {DEPTH_MAX}",
                help="give parts of it a name with `define`",
            )
            return DROPPED
        return Nested(condition, depth)


ESCAPE = re.compile(r'\\(["\\n])')


def unquote(text: str) -> str:
    """The text between the quotes, escapes resolved."""
    return ESCAPE.sub(lambda m: "\n" if m.group(1) == "n" else m.group(1), text[1:-1])


def exact(text: str, scale: int) -> int | None:
    """`text` (digits, a point, a suffix k or M) times `scale`; None if that is no integer."""
    multiplier = {"k": 1_000, "M": 1_000_000}.get(text[-1], 1)
    whole, _, fraction = text.rstrip("kM").partition(".")
    fraction = fraction.rstrip("0")
    whole = whole.lstrip("0") or "0"
    if len(whole) > 20:
        return VALUE_MAX * scale + 1
    if len(fraction) > 20:
        return None
    value, rest = divmod(int(whole + fraction) * multiplier * scale, 10 ** len(fraction))
    return None if rest else value
