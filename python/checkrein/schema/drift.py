"""Where the tools of a policy differ from what their schemas say today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import Report, quote
from checkrein.frozen import replace
from checkrein.language.tree import Tool
from checkrein.nearest import closest
from checkrein.schema.fields import Kind
from checkrein.schema.writing import text_of, type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from checkrein.diagnostics import Diagnostic
    from checkrein.language.tree import Arg, Policy, Type
    from checkrein.schema.fields import Field
    from checkrein.schema.reading import ToolSchema

TAKEN_BY = {
    "text": ("text",),
    "choice": ("text",),
    "count": ("count", "tokens", "money", "duration"),
    "number": ("money", "percent", "duration"),
    "flag": ("flag",),
}
"""The dimensions that can hold what JSON has; a whole number may be an amount of anything."""
IS = {
    "text": "a text",
    "choice": "a choice",
    "count": "a whole number",
    "number": "a number",
    "flag": "a flag",
}


def compare(policy: Policy, tools: Iterable[ToolSchema], *, strict: bool = False) -> list[Diagnostic]:
    """What differs, by place. With `strict` also what the policy leaves unsaid without harm."""
    report = Report(policy.file)
    there = {tool.name: tool for tool in tools}
    declared = {tool.name.text: tool for tool in policy.of(Tool)}
    for name in there.keys() - declared.keys():
        report.add(
            "R0590",
            policy.name.span,
            f"the policy has no tool {quote(name)}, so each call of it is denied",
            help=_meant(name, declared) or "declare it, as `checkrein schema` writes it",
        )
    for name, tool in declared.items():
        schema = there.get(name)
        if schema is None:
            report.add(
                "R0591",
                tool.name.span,
                f"there is no tool {quote(name)} in the schema",
                help=_meant(name, there) or "remove it, or give the schema of all tools of the agent",
            )
            continue
        _class(report, tool, schema, strict)
        of = f"of tool {quote(name)}"
        args = _named(tool.args, schema.args) if schema.is_open else tool.args
        _fields(report, "argument", of, tool, args, schema.args, strict)
        if schema.results:
            _fields(report, "result field", of, tool, tool.results, schema.results, strict)
    return report.diagnostics


def _class(report: Report, tool: Tool, schema: ToolSchema, strict: bool) -> None:
    """A tool that writes and is not said to gets past every rule `on tool class act`."""
    if schema.reads_only is False and tool.tool_class != "act" and (tool.tool_class or strict):
        is_of = f"is `class {tool.tool_class}`" if tool.tool_class else "has no class"
        message = f"tool {quote(tool.name.text)} {is_of}, and its server says that it changes something"
        report.add("R0595", tool.name.span, message, help="write `class act`")


def _named(declared: Sequence[Arg], there: Sequence[Field]) -> list[Arg]:
    """Those that a schema names: of others that it takes it says nothing."""
    names = {field.name for field in there}
    return [arg for arg in declared if arg.name.text in names]


def _meant(name: str, known: Iterable[str]) -> str | None:
    meant = closest(name, [each for each in known if each != name], cutoff=0.7)
    return f"did you mean {quote(meant)}?" if meant is not None else None


def _fields(
    report: Report,
    what: str,
    of: str,
    tool: Tool,
    declared: Sequence[Arg],
    there: Sequence[Field],
    strict: bool,
) -> None:
    known = {field.name: field for field in there}
    for arg in declared:
        field = known.get(arg.name.text)
        which = f"{what} {quote(arg.name.text)} {of}"
        if field is None:
            help = _meant(arg.name.text, known) or "remove it, and what reads it: it is always missing"
            report.add("R0592", arg.name.span, f"there is no {which} in the schema", help=help)
            continue
        differs = _difference(arg.type, field.kind)
        if differs is not None:
            report.add("R0593", arg.type.span, f"{which} {differs[0]}", help=differs[1])
        if field.optional and not arg.optional:
            help = "write `optional`, and guard what reads it by `has`"
            report.add("R0594", arg.name.span, f"{which} may be missing", help=help)
        elif strict and arg.optional and not field.optional:
            report.add("R0594", arg.name.span, f"{which} is always there", help="leave `optional` out")
    if strict:
        names = {arg.name.text for arg in declared}
        for field in there:
            if field.name not in names and type_of(field.kind):
                help = f"declare it: `{text_of(field.name)} {type_of(field.kind)}`"
                message = f"{what} {quote(field.name)} {of} is not declared"
                report.add("R0592", tool.name.span, message, help=help)


def _difference(type_: Type, kind: Kind) -> tuple[str, str] | None:
    """What a policy's type and a schema do not agree on, and what to write; None if every value fits."""
    if not kind.name:
        return f"has no type that a policy can have: {kind.reason}", "remove it, and what reads it"
    if kind.items is not None and type_.is_list:
        if type_.most < kind.most:
            return f"can have {kind.most} elements in its schema", f"write `at most {kind.most}`"
        return _difference(replace(type_, most=0), kind.items)
    if kind.items is not None or type_.is_list:
        return f"is {'no' if type_.is_list else 'a'} list in its schema", f"write `{type_of(kind)}`"
    if type_.dimension not in TAKEN_BY.get(kind.name, ()):
        right = type_of(kind) or "money in units`, `percent` or `duration"
        return f"is {IS[kind.name]} in its schema", f"write `{right}`"
    if not type_.choices:
        return None
    if kind.name == "text":
        return "can be any text in its schema", "write `text`"
    if set(type_.choices) != set(kind.choices):
        return "has other choices in its schema", f"write `{type_of(kind)}`"
    return None
