"""Which facts there are: built in, declared by the policy, or arguments of tools, and where each is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from checkrein.diagnostics import quote
from checkrein.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkrein.language.names import Names
    from checkrein.language.tree import Arg, Dimension, Selector, Tool

Source = Literal["host", "arg", "builtin", "result"]
Where = Literal["any", "model", "candidate", "tool", "error", "result"]

ERROR_KINDS = (
    "timeout", "rate_limited", "unavailable", "quota_exhausted", "billing", "auth", "invalid_request",
    "content_policy", "context_too_long", "tool_failure", "cancelled", "denied", "unknown",
)  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SCOPES = {
    "run": "a run", "session": "a session", "user": "a user", "team": "a team", "org": "an organisation",
}  # fmt: skip
"""The scopes of limits that are words of the language, and what a message calls one of each."""
RESERVED = frozenset("run session user team org call step error result now".split())
"""First words of facts that only the engine sets."""
ARG_PREFIX = "call.args."
RESULT_PREFIX = "result."
CLOCK_PREFIX = "now."


class BuiltIn(Frozen):
    """A fact that the engine sets, or that the host sends beside a call (`step.kind`)."""

    dimension: Dimension
    where: Where = "any"
    optional: bool = False
    choices: tuple[str, ...] = ()
    default: str | None = None
    least: int = 0
    most: int | None = None
    """The numbers that it can be, where they end."""
    counts: tuple[str, str] | None = None
    """Of a fact about limits: (scope, dimension)."""

    @property
    def is_shared(self) -> bool:
        """Whether it is about limits that other runs share: a store may not have said yet how they stand."""
        return self.counts is not None and self.counts[0] != "run"


def _counters() -> dict[str, BuiltIn]:
    kinds: dict[str, tuple[Dimension, tuple[str, ...]]] = {
        "cost": ("money", ("spent", "held", "left")),
        "tokens": ("tokens", ("spent", "held", "left")),
        "input_tokens": ("tokens", ("spent", "held", "left")),
        "output_tokens": ("tokens", ("spent", "held", "left")),
        "steps": ("count", ("spent", "left")),
        "model_calls": ("count", ("spent", "left")),
        "tool_calls": ("count", ("spent", "left")),
        "attempts": ("count", ("spent", "left")),
        "retries": ("count", ("spent", "left")),
        "escalations": ("count", ("spent", "left")),
        "active_time": ("duration", ("spent", "left")),
        "wall_time": ("duration", ("spent", "left")),
    }
    counters = {}
    for kind, (dimension, parts) in kinds.items():
        for scope in SCOPES if dimension != "duration" else ("run",):
            for part in parts:
                counters[f"{scope}.{kind}.{part}"] = BuiltIn(dimension, counts=(scope, kind))
            if scope != "run":
                counters[f"{scope}.{kind}.age"] = BuiltIn("duration", counts=(scope, kind))
    return counters


CONFIDENCE = "result.confidence"
"""How sure a model is of its result: known when that is there."""
BUILT_IN: dict[str, BuiltIn] = {
    **_counters(),
    **{f"{scope}.id": BuiltIn("text", optional=True) for scope in SCOPES},
    "call.attempt": BuiltIn("count"),
    "call.cost": BuiltIn("money", "candidate"),
    "call.model": BuiltIn("text", "model", optional=True),
    "call.tool": BuiltIn("text", "tool"),
    "call.input_tokens": BuiltIn("tokens", "model"),
    "now.hour": BuiltIn("count", least=0, most=23),
    "now.time": BuiltIn("duration", most=86_400 * 10**9 - 1),
    "now.weekday": BuiltIn("text", choices=WEEKDAYS),
    "now.day": BuiltIn("count", least=1, most=31),
    "now.month": BuiltIn("count", least=1, most=12),
    "step.index": BuiltIn("count"),
    "step.kind": BuiltIn("text", default=""),
    "step.confidence": BuiltIn("percent", optional=True),
    "error.kind": BuiltIn("text", "error", choices=ERROR_KINDS),
    "error.status": BuiltIn("count", "error", optional=True),
    "error.retry_after": BuiltIn("duration", "error", optional=True),
    "error.billed": BuiltIn("flag", "error", optional=True),
    CONFIDENCE: BuiltIn("percent", "result", optional=True),
}
HOST_BUILT_IN = frozenset({"step.kind", "step.confidence"})
"""The built-in facts that a host may send, and a test may set."""


class Context(Frozen):
    """Where a condition stands: at which point, for which tools or model, and after an error or not."""

    point: Literal["model", "tool", "any"]
    label: str
    """How a message calls it, such as "a rule on a model"."""
    tools: tuple[Tool, ...] = ()
    named_model: bool = False
    error: bool = False
    result: bool = False
    unresolved: bool = False
    """The selector itself is wrong, so nothing is said about arguments."""


CASCADE = Context("model", "a cascade", result=True)
"""The context of what a cascade asks of a result."""


class Known(Frozen):
    """A fact as one condition sees it."""

    name: str
    dimension: Dimension
    source: Source
    optional: bool
    choices: tuple[str, ...]
    most: int = 0
    """Of a list: how many elements it may have."""

    @property
    def is_list(self) -> bool:
        """Whether its value is a list."""
        return self.most > 0


class Unknown(Frozen):
    """Why a fact cannot be read here."""

    code: str
    message: str
    help: str | None = None


def selected_tools(names: Names, selector: Selector) -> tuple[Tool, ...]:
    """The declared tools that a tool selector matches, by name."""
    if selector.name is not None:
        named = names.tools.get(selector.name.text)
        return () if named is None else (named,)
    tools = names.ordered_tools
    if selector.tool_class is not None:
        return tuple(t for t in tools if t.tool_class == selector.tool_class)
    return tuple(tools)


def context_of(names: Names, selector: Selector, statement: str, *, error: bool = False) -> Context:
    """The context of the condition of a rule or retry."""
    label = f"a {statement} on a {selector.point}"
    if selector.point == "model":
        return Context("model", label, named_model=selector.name is not None, error=error)
    tools = selected_tools(names, selector)
    is_named = selector.name is not None or selector.tool_class is not None
    return Context("tool", label, tools, error=error, unresolved=is_named and not tools)


def find(names: Names, name: str, context: Context) -> Known | Unknown:
    """The fact of that name as the context sees it, or why there is none."""
    if name in names.facts:
        fact = names.facts[name]
        optional = fact.optional and fact.default is None
        return Known(name, fact.type.dimension, "host", optional, fact.type.choices, fact.type.most)
    if name.startswith(ARG_PREFIX):
        return _argument(names, name, context)
    if name.startswith(RESULT_PREFIX) and (context.point == "tool" or name not in BUILT_IN):
        return _of_result(names, name, context)
    if name in BUILT_IN:
        return _built_in(names, name, context)
    known = sorted([*BUILT_IN, *names.facts, *(f"{ARG_PREFIX}{a}" for a in names.argument_names)])
    help = names.did_you_mean(name, known)
    if help is None:
        help = "the engine sets `run.*`, `call.*`, `step.*`, `error.*`, `now.*`; declare others with `fact`"
    return Unknown("R0103", f"unknown fact {quote(name)}", help)


def _built_in(names: Names, name: str, context: Context) -> Known | Unknown:
    fact = BUILT_IN[name]
    if fact.where == "error" and not context.error:
        return Unknown(
            "R0110", f"{quote(name)} is not known in {context.label}", "only a `retry` sees an error"
        )
    if fact.where == "result" and not context.result:
        help = "only what is decided about a model's result sees it"
        return Unknown("R0110", f"{quote(name)} is not known in {context.label}", help)
    if fact.where == "candidate" and not context.named_model:
        help = 'only a rule or a retry on one model knows which it would be: `on model "name"`'
        return Unknown("R0110", f"{quote(name)} is not known in {context.label}", help)
    if fact.where in ("model", "tool") and fact.where != context.point:
        help = f"it is a fact of {fact.where} calls"
        return Unknown("R0110", f"{quote(name)} is not known in {context.label}", help)
    unclear = uncounted(names, name)
    if unclear is not None and not (names.broken and unclear.code == "R0111"):
        return unclear
    # A cascade that cannot be told asks the larger model, so what its result lacks needs no guard.
    is_there = (name == "call.model" and context.named_model) or fact.where == "result"
    optional = fact.optional and not is_there
    return Known(name, fact.dimension, "builtin", optional, fact.choices)


def uncounted(names: Names, name: str) -> Unknown | None:
    """Why a fact about limits says nothing: there is no such limit, or there are several. None for others."""
    fact = BUILT_IN[name]
    if fact.counts is None:
        return None
    scope, dimension = fact.counts
    limits = names.bounds.get(fact.counts, [])
    part = name.rsplit(".", 1)[1]
    if not limits and (fact.is_shared or part == "left"):
        return Unknown(
            "R0111",
            f"no limit on {SCOPES[scope]} bounds `{dimension}`, so `{name}` has no value",
            f"write a bound `{dimension} <= ...` in a limit on `{scope}`",
        )
    if len(limits) > 1 and fact.is_shared and part in ("spent", "held"):
        several = " and ".join(quote(limit.name.text) for limit in limits)
        return Unknown(
            "R0586",
            f"limits {several} bound `{dimension}` on {SCOPES[scope]}, so `{name}` could be that of each",
            f"read `{scope}.{dimension}.left`: the least that one of them leaves",
        )
    return None


def _argument(names: Names, name: str, context: Context) -> Known | Unknown:
    if context.point != "tool":
        return Unknown(
            "R0110", f"{quote(name)} is not known in {context.label}", "arguments belong to tool calls"
        )
    arg = name.removeprefix(ARG_PREFIX)
    declared = [(t, a) for t in context.tools for a in t.args if a.name.text == arg]
    if not declared:
        return _undeclared(names, arg, context)
    kinds = sorted({(a.type.dimension, a.type.is_list) for _, a in declared})
    if len(kinds) > 1:
        one, other = (f"a list of {of}" if is_list else of for of, is_list in kinds[:2])
        return Unknown(
            "R0206",
            f"{quote(name)} is {one} for one of these tools and {other} for another",
            "write one statement for each tool",
        )
    optional = len(declared) < len(context.tools) or any(a.optional for _, a in declared)
    args = [a for _, a in declared]
    most = max(a.type.most for a in args)
    return Known(name, args[0].type.dimension, "arg", optional, choices_of(args), most)


def _of_result(names: Names, name: str, context: Context) -> Known | Unknown:
    """A field of what a tool gave, which only that tool's own `succeeds when` sees."""
    field = name.removeprefix(RESULT_PREFIX)
    if not (context.point == "tool" and context.result):
        where = "only a tool's `succeeds when` sees what it gave"
        return Unknown("R0110", f"{quote(name)} is not known in {context.label}", where)
    declared = [f for t in context.tools for f in t.results if f.name.text == field]
    if declared:
        known = declared[0]
        kind = known.type
        return Known(name, kind.dimension, "result", known.optional, kind.choices, kind.most)
    help = names.did_you_mean(field, [f.name.text for t in context.tools for f in t.results], RESULT_PREFIX)
    message = f"tool {quote(context.tools[0].name.text)} declares no field {quote(field)} of its result"
    return Unknown("R0323", message, help or f'declare it: `result {{ "{field}" ... }}`')


def result_of(tool: Tool) -> Context:
    """The context of a tool's `succeeds when`."""
    return Context("tool", f"the result of tool {quote(tool.name.text)}", (tool,), result=True)


def choices_of(args: Sequence[Arg]) -> tuple[str, ...]:
    """What the declarations of one argument allow together; empty if one of them allows any text."""
    if not all(a.type.choices for a in args):
        return ()
    return tuple(dict.fromkeys(c for a in args for c in a.type.choices))


def _undeclared(names: Names, arg: str, context: Context) -> Unknown:
    candidates = sorted({a.name.text for t in context.tools for a in t.args})
    help = names.did_you_mean(arg, candidates, prefix=ARG_PREFIX)
    if help is None:
        help = f'declare it: `args {{ "{arg}" ... }}`'
    if not context.tools:
        help = f'declare it: `tool "name" {{ args {{ "{arg}" ... }} }}`'
        return Unknown("R0104", f"no tool is declared, so none has an argument {quote(arg)}", help)
    if len(context.tools) == 1:
        only = context.tools[0].name.text
        return Unknown("R0104", f"tool {quote(only)} declares no argument {quote(arg)}", help)
    return Unknown("R0104", f"none of these tools declares an argument {quote(arg)}", help)
