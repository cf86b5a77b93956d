"""Tools as the world writes them down, to one shape: MCP, OpenAI, Anthropic, LangChain, plain JSON Schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from checkrein.diagnostics import quote
from checkrein.errors import CheckreinError
from checkrein.schema.fields import Field, fields_of, takes_more

SHAPES = "an MCP `tools/list` result, a list of OpenAI or Anthropic tools, or a JSON Schema of one tool"
SCHEMA_KEYS = ("inputSchema", "input_schema", "parameters", "params_json_schema")
"""What holds the schema of a tool's arguments: for MCP, Anthropic, OpenAI, the agents of OpenAI."""


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """A tool as its schema has it. What it says about itself is a claim of its author, and not checked."""

    name: str
    args: tuple[Field, ...]
    results: tuple[Field, ...] = ()
    reads_only: bool | None = None
    """Whether it says that it changes nothing; None if it does not say."""
    may_be_repeated: bool | None = None
    """Whether it says that a second run of the same call does nothing more; None if it does not say."""
    is_open: bool = False
    """Whether it takes arguments that its schema does not name."""


def tools_in(value: Any, name: str = "") -> list[ToolSchema]:
    """The tools of a JSON value or of Python objects. `name` is for a JSON Schema that has no title.

    Raises `CheckreinError` if there are none in a shape that is known, or if one has no name.
    """
    found = [_tool(each, name) for each in _entries(_plain(value))]
    if not found:
        raise CheckreinError(f"no tools found; expected {SHAPES}")
    return found


def _plain(value: Any) -> Any:
    """A Python object as the JSON that it stands for; what is JSON already as it is."""
    if isinstance(value, dict | str | int | float | None):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    schema = getattr(value, "tool_call_schema", None)  # LangChain: what a model may give
    schema = getattr(value, "params_json_schema", None) if schema is None else schema
    if schema is not None:
        return {"name": value.name, "input_schema": _plain(schema)}
    if isinstance(value, type) and hasattr(value, "model_json_schema"):
        return value.model_json_schema()
    if hasattr(value, "model_dump"):  # MCP's own types, and those of the clients
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    raise CheckreinError(f"{quote(type(value).__name__)} is no tool; expected {SHAPES}")


def _entries(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [entry for each in value for entry in (_entries(each) if _holds_tools(each) else [each])]
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("result"), dict):
        return _entries(value["result"])
    for key in ("tools", "functions"):
        if isinstance(value.get(key), list):
            return list(value[key])
    if _is_tool(value) or _is_schema(value):
        return [value]
    if value and all(isinstance(each, dict) and _is_schema(each) for each in value.values()):
        return [{"name": name, "input_schema": each} for name, each in value.items()]
    return []


def _holds_tools(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("tools"), list)


def _is_tool(value: dict[str, Any]) -> bool:
    return (
        "name" in value
        or isinstance(value.get("function"), dict)
        or ("type" in value and not _is_schema(value))
    )


def _is_schema(value: dict[str, Any]) -> bool:
    is_object = value.get("type") == "object" or "properties" in value or "$ref" in value
    return is_object and not any(key in value for key in SCHEMA_KEYS)


def _tool(value: Any, name: str) -> ToolSchema:
    if not isinstance(value, dict):
        raise CheckreinError(f"a tool is an object, not {_kind(value)}; expected {SHAPES}")
    if isinstance(value.get("function"), dict):
        value = value["function"]
    called = value.get("name", "")
    if not called and _is_schema(value):
        called = value.get("title") or name
        value = {"input_schema": value}
    if not isinstance(called, str) or not called:
        kind = f" of the type {quote(str(value['type']))}" if "type" in value else ""
        help = (
            "what runs at the provider is no tool call of the agent: leave it out" if kind else "give it one"
        )
        raise CheckreinError(f"a tool{kind} has no name; {help}")
    schema: dict[str, Any] = next((value[key] for key in SCHEMA_KEYS if isinstance(value.get(key), dict)), {})
    args = fields_of(schema)
    results = fields_of(value["outputSchema"]) if isinstance(value.get("outputSchema"), dict) else ()
    hints = value.get("annotations")
    hints = hints if isinstance(hints, dict) else {}
    reads_only = _hint(hints, "readOnlyHint")
    if reads_only is None and _hint(hints, "destructiveHint") is not None:
        reads_only = False
    return ToolSchema(called, args, results, reads_only, _hint(hints, "idempotentHint"), takes_more(schema))


def _hint(hints: dict[str, Any], key: str) -> bool | None:
    value = hints.get(key)
    return value if isinstance(value, bool) else None


def _kind(value: Any) -> str:
    return {"list": "a list", "str": "a text", "NoneType": "null", "bool": "a flag"}.get(
        type(value).__name__, "a number"
    )
