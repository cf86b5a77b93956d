"""What can be written at a place: words of the language by the grammar, names and facts by the policy."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from lark.exceptions import UnexpectedInput

from checkrein.language import words
from checkrein.language.facts import (
    ARG_PREFIX,
    BUILT_IN,
    CONFIDENCE,
    ERROR_KINDS,
    HOST_BUILT_IN,
    RESULT_PREFIX,
    uncounted,
)
from checkrein.language.names import ENFORCED
from checkrein.language.parser import load_parser
from checkrein.language.recovery import LEXEME, statement_starts
from checkrein.language.syntax import is_part
from checkrein.language.zones import known_zones

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lark import Token

    from checkrein.language.names import Names
    from checkrein.language.tree import Tool, Type
    from checkrein.lsp.document import Document

Kind = Literal["name", "fact", "word"]

WORD = re.compile(r"[A-Za-z_][\w.]*$")
REST_OF_WORD = re.compile(r"[\w.]*")
REST_OF_STRING = re.compile(r'[\w./-]*"')
PLAIN = re.compile(r"[a-z][a-z_ ]*")
MODELS_AFTER = frozenset(["to", "then", "fallback", "->", "on"])
TOOLS_AFTER = frozenset(["before", "after", "unless"])
SELECTED_AFTER = frozenset(["on", "of", "never"])
ZONED_AFTER = frozenset(["clock", "hour", "day", "week", "month"])
PREFIXES = {"args": ARG_PREFIX, "result": RESULT_PREFIX}
TYPES = frozenset("text count tokens percent duration flag money one list".split())
COMPARED_BY = frozenset(["==", "!="])


class Candidate(NamedTuple):
    """What may be written, as it is written, and a word about it."""

    text: str
    kind: Kind
    detail: str


class Completion(NamedTuple):
    """Candidates for the part of the text from `start` to `end`."""

    start: int
    end: int
    candidates: list[Candidate]


def completion(document: Document, offset: int) -> Completion | None:
    """What can be written at an offset; None in a comment, and where the text before cannot be read."""
    begin = max((at for at in statement_starts(document.text) if at < offset), default=0)
    place = _place(document.text, begin, offset)
    if place is None:
        return None
    start, end, in_text = place
    # A word that is begun at the start of a line may be a statement's: then it belongs to none before.
    if start == begin:
        begin = max((at for at in statement_starts(document.text) if at < start), default=0)
    lark = load_parser()
    rule = "rest" if begin or (document.text.strip() and is_part(document.text)) else "start"
    try:
        parser = lark.parse_interactive(document.text[begin:start], start=rule)
        tokens = parser.exhaust_lexer()
    except UnexpectedInput:
        return None
    accepted: set[str] = parser.accepts()  # type: ignore[no-untyped-call]
    found: list[Candidate] = []
    names = document.names
    if names is not None and "STRING" in accepted:
        found += [Candidate(f'"{text}"', "name", detail) for text, detail in _named(names, tokens)]
    if not in_text:
        if names is not None and "FACT" in accepted:
            found += [Candidate(text, "fact", detail) for text, detail in _facts(names, tokens, accepted)]
        found += _words(lark, accepted)
    return Completion(start, end, list(dict.fromkeys(found)))


def _place(text: str, begin: int, offset: int) -> tuple[int, int, bool] | None:
    """The part that a candidate replaces, and whether it is a text; None in a comment."""
    last = ""
    for match in LEXEME.finditer(text, begin, offset):
        last = match.group()
    if last.startswith("#"):
        return None
    is_open = last == '"' or (last.startswith('"') and not re.search(r'[^\\](\\\\)*"$', last))
    if is_open:
        rest = REST_OF_STRING.match(text, offset)
        return offset - len(last), rest.end() if rest else offset, True
    before = WORD.search(text, begin, offset)
    after = REST_OF_WORD.match(text, offset)
    return before.start() if before else offset, after.end() if after and before else offset, False


def _words(lark: Any, accepted: Iterable[str]) -> Iterator[Candidate]:
    """The words of the language that the grammar allows."""
    offered = words.offered(words.table(lark), set(accepted))
    bounds = words.DIMENSIONS if "WALL_TIME" in accepted else ()
    plain = (w for w in offered if PLAIN.fullmatch(w) and " " not in w and w not in bounds)
    yield from (Candidate(word, "word", "") for word in plain)
    yield from (Candidate(f"{dimension} <=", "word", "bound") for dimension in bounds)


# -- names -----------------------------------------------------------------------------------------


def _named(names: Names, tokens: list[Token]) -> Iterator[tuple[str, str]]:
    """The names that fit after these tokens, and what they name."""
    said = [str(token) for token in tokens]
    if not said:
        return
    at = len(said) - 1
    while said[at] == "," and tokens[at - 1].type == "STRING":
        at -= 2  # an item of a list is what the first one is
    last, before = said[at], said[at - 1] if at else ""
    called = _called(names, tokens)
    if last in ("stop", "fail"):
        yield from _of(names.states, "state")
    elif last == "to" and before == "escalate":
        yield from _of(names.queues, "queue")
    elif last in MODELS_AFTER or (last == "[" and said[at - 2] == "model"):
        yield from _of(names.models, "model")
    elif last in TOOLS_AFTER or (last == "{" and said[at - 2] == "order"):
        yield from _of(names.tools, "tool")
    elif last == "in" and before in ZONED_AFTER:
        yield from ((name, "time zone") for name in sorted(known_zones()))
    elif last in ("model", "tool"):
        if before in SELECTED_AFTER or _in_test(said):
            yield from _of(names.models if last == "model" else names.tools, last)
    elif last == "by":
        yield from ((s.name.text, "statement") for s in _enforced(names))
    elif last in ("matching", "binds"):
        yield from ((name, "argument") for name in names.argument_names)
    elif last == "fails":
        yield from ((kind, "error kind") for kind in ERROR_KINDS)
    elif tokens[at].type == "FACT":
        yield from _choices(names, last)
    elif last in COMPARED_BY or (last == "[" and before == "in"):
        yield from _choices(names, before if last != "[" else said[at - 2])
    elif called is not None:
        yield from ((arg.name.text, "argument") for arg in called.args)


def _of(table: Iterable[str], kind: str) -> Iterator[tuple[str, str]]:
    return ((name, kind) for name in table)


def _enforced(names: Names) -> list[Any]:
    return [s for s in names.policy.statements if isinstance(s, ENFORCED)]


def _choices(names: Names, fact: str) -> Iterator[tuple[str, str]]:
    """The texts that a fact may have, if they are few."""
    choices: tuple[str, ...] = BUILT_IN[fact].choices if fact in BUILT_IN else ()
    if fact in names.facts:
        choices = names.facts[fact].type.choices
    for prefix, of in ((ARG_PREFIX, "args"), (RESULT_PREFIX, "results")):
        if fact.startswith(prefix):
            declared = [field for tool in names.tools.values() for field in getattr(tool, of)]
            choices += tuple(c for f in declared if prefix + f.name.text == fact for c in f.type.choices)
    return ((choice, fact) for choice in choices)


def _in_test(said: list[str]) -> bool:
    """Whether the text ends inside a `test`."""
    depth, is_test = 0, False
    for number, word in enumerate(said):
        if word == "{":
            is_test = is_test or (depth == 0 and number >= 2 and said[number - 2] == "test")
            depth += 1
        elif word == "}":
            depth -= 1
            is_test = is_test and depth > 0
    return is_test


def _gives(said: list[str]) -> bool:
    """Whether the text ends inside the braces of a `gives`."""
    braces = [number for number, word in enumerate(said) if word in ("{", "}")]
    return bool(braces) and said[braces[-1]] == "{" and said[braces[-1] - 1] == "gives"


def _called(names: Names, tokens: list[Token]) -> Tool | None:
    """The tool whose call in a test the text ends in."""
    said = [str(token) for token in tokens]
    open_at = [number for number, word in enumerate(said) if word == "{"]
    if not open_at or open_at[-1] < 2 or "}" in said[open_at[-1] :] or not _in_test(said):
        return None
    word, name = said[open_at[-1] - 2], said[open_at[-1] - 1]
    return names.tools.get(name.strip('"')) if word == "tool" else None


# -- facts -----------------------------------------------------------------------------------------


def _facts(names: Names, tokens: list[Token], accepted: set[str]) -> Iterator[tuple[str, str]]:
    """The facts that fit after these tokens, with their dimensions."""
    said = [str(token) for token in tokens]
    last = said[-1] if said else ""
    if last in ("fact", "define"):
        return
    declared = {name: _type(fact.type) for name, fact in names.facts.items()}
    if last in ("on", "by"):
        yield from ((name, of) for name, of in declared.items() if of == "text")
        if last == "by":
            yield from ((name, "text") for name in BUILT_IN if name.endswith(".id"))
        return
    if last == "ignoring":
        yield from ((ARG_PREFIX + name, "argument") for name in names.argument_names)
        return
    if _in_test(said) and _gives(said):
        yield CONFIDENCE, BUILT_IN[CONFIDENCE].dimension
        return
    yield from declared.items()
    if _in_test(said):
        yield from ((name, BUILT_IN[name].dimension) for name in sorted(HOST_BUILT_IN))
        return
    if "HAS" in accepted:
        yield from ((name, "define") for name in names.defines)
    yield from _known(names, tokens)


def _type(kind: Type) -> str:
    return f"list of {kind.dimension}" if kind.is_list else kind.dimension


def _known(names: Names, tokens: list[Token]) -> Iterator[tuple[str, str]]:
    """What the engine sets, and the arguments, as the statement at the end of the text sees them."""
    said = [str(token) for token in tokens]
    first = next(
        (word for word in reversed(said) if word in words.STATEMENTS and word not in ("model", "tool")), ""
    )
    about = next((said[i + 1 : i + 3] for i in range(len(said) - 2, -1, -1) if said[i] == "on"), [])
    succeeds = "succeeds" in said and not about
    point = "tool" if succeeds else "model" if first in ("route", "require") else about[0] if about else ""
    for name, fact in BUILT_IN.items():
        is_seen = (
            fact.where == "any"
            or fact.where == point
            or (fact.where, first) in (("error", "retry"), ("result", "route"))
            or (fact.where == "candidate" and about[:1] == ["model"] and about[1].startswith('"'))
        )
        # While a statement is typed the limits before it are known all the same.
        if is_seen and uncounted(names, name) is None:
            yield name, fact.dimension
    if point != "tool" and first != "define":
        return
    if succeeds:
        yield from _declared_here(tokens)
        return
    named = about[1].strip('"') if len(about) > 1 else ""
    for tool in [names.tools[named]] if named in names.tools else names.tools.values():
        yield from ((ARG_PREFIX + arg.name.text, _type(arg.type)) for arg in tool.args)


def _declared_here(tokens: list[Token]) -> Iterator[tuple[str, str]]:
    """The arguments and fields of the tool at the end of the text, which is no statement yet."""
    prefix = ""
    for word, following in pairwise(map(str, tokens)):
        if word in PREFIXES and following == "{":
            prefix = PREFIXES[word]
        elif word == "}":
            prefix = ""
        elif prefix and word.startswith('"') and following in TYPES:
            yield prefix + word[1:-1], following
