"""Tools to `tool` statements. What Rein has no type for is left out, with a comment that says why."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from checkrein.diagnostics import quote, visible
from checkrein.errors import CheckreinError
from checkrein.language import check, parse
from checkrein.language.layout import laid_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from checkrein.schema.fields import Field, Kind
    from checkrein.schema.reading import ToolSchema

HEADER = 'language 1\npolicy "tools"\n'
LIKE_MONEY = re.compile(
    r"amount|price|cost|fee|total|balance|cents|budget|refund|payment|salary", re.IGNORECASE
)
NUMBER = "a number: write `{0} money in units`, `money in cents`, `percent` or `duration`, as it is meant"
CENTS = "if this is an amount of money, write `money in cents` or `money in units`"


def written(tools: Iterable[ToolSchema]) -> str:
    """The statements, in the canonical layout. Raises `CheckreinError` if they are too many for a policy."""
    text = HEADER + "\n" + "\n\n".join(_tool(tool) for tool in tools) + "\n"
    laid, _findings = laid_out(text, "tools")
    if laid is None:
        raise CheckreinError(
            "the tools are too many for one policy, which has at most 256 KiB; leave some out"
        )
    return laid.removeprefix(HEADER).lstrip("\n")


def text_of(text: str) -> str:
    """A text as a policy writes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def type_of(kind: Kind) -> str:
    """The type of a field; empty if Rein has none, or none that is sure."""
    if kind.name == "choice":
        return "one of " + ", ".join(text_of(choice) for choice in kind.choices)
    if kind.name == "list" and kind.items is not None:
        item = type_of(kind.items)
        return f"list of {item} at most {kind.most}" if item else ""
    return "" if kind.name == "number" else kind.name


def why_left_out(field: Field) -> str:
    """Why a field has no type, and what to write if somebody knows it."""
    kind = field.kind
    if kind.name == "number":
        return NUMBER.format(text_of(field.name))
    if kind.name == "list":
        return "left out, since it is a list of numbers: write `list of money` or what they are"
    return f"left out, since {kind.reason}"


def _tool(tool: ToolSchema) -> str:
    """One statement; only a comment if a policy can't have a tool of that name, or with such arguments."""
    name = text_of(tool.name)
    items = [*_about(tool), *_block("args", tool.args), *_block("result", tool.results)]
    if tool.is_open:
        items.append("# its schema takes arguments that it does not name")
    statement = f"tool {name} {{\n" + "\n".join(items) + "\n}"
    policy, findings = parse(HEADER + statement, "tools")
    if policy is not None:
        findings += check(policy)
    wrong = next((finding for finding in findings if finding.severity == "error"), None)
    return statement if wrong is None else _comment(f"tool {quote(tool.name)} is left out: {wrong.message}")


def _comment(text: str) -> str:
    """A comment on one line, of characters that may stand in a policy, whatever a schema has in it."""
    return "# " + visible(unicodedata.normalize("NFC", text))


def _about(tool: ToolSchema) -> Iterator[str]:
    """What the tool says about itself, as far as a policy can say it."""
    if tool.reads_only:
        yield "class retrieve  # its server says that it changes nothing"
    elif tool.reads_only is False:
        yield "class act  # its server says that it changes something"
        if tool.may_be_repeated:
            yield "# its server says that a second run of the same call does nothing more"
        elif tool.may_be_repeated is False:
            yield "# write `once` if no retry may run it: its server says that a second run does more"
    else:
        yield "# write `class retrieve`, `class reason` or `class act`: its schema does not say"


def _block(word: str, fields: tuple[Field, ...]) -> Iterator[str]:
    if not fields:
        return
    yield f"{word} {{"
    for field in fields:
        name, type_ = text_of(field.name), type_of(field.kind)
        optional = " optional" if field.optional else ""
        if not type_:
            yield _comment(f"{text_of(field.name)} is {why_left_out(field)}")
            continue
        yield f"{name} {type_}{optional}"
        if field.kind.name == "count" and LIKE_MONEY.search(field.name):
            yield f"# {CENTS}"
    yield "}"
