"""JSON Schema to the types of Rein: what each property is, or why there is no type for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from checkrein.diagnostics import quote

DEPTH_MAX = 20
PARTS_MAX = 100
"""Most schemas that the one of an object may join by `allOf`."""
JOINED = "it joins several schemas by `allOf`"
LIST_MAX = 1_000
"""The longest list that a policy may declare."""
Known = dict[tuple[str, int], "Kind"]
"""What stands behind references, at each depth: found once, since each may lead to many others."""
SIMPLE = {"string": "text", "integer": "count", "boolean": "flag"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a property is: `text`, `count`, `number`, `flag`, `choice`, `list`, or empty for a reason."""

    name: str
    reason: str = ""
    choices: tuple[str, ...] = ()
    items: Kind | None = None
    most: int = 0
    or_null: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """A property of a tool's arguments or of its result. One that may be null may be missing."""

    name: str
    kind: Kind
    optional: bool


def fields_of(schema: dict[str, Any]) -> tuple[Field, ...]:
    """The properties of an object's schema, in its order."""
    kinds: dict[str, Kind] = {}
    required: set[str] = set()
    for part in _parts(schema):
        properties, listed = part.get("properties"), part.get("required")
        for name, value in properties.items() if isinstance(properties, dict) else ():
            kind = kind_of(value, schema)
            if kinds.setdefault(name, kind) != kind:
                kinds[name] = Kind("", JOINED)
        required.update(name for name in _list_of(listed) if isinstance(name, str))
    return tuple(Field(name, kind, name not in required or kind.or_null) for name, kind in kinds.items())


def takes_more(schema: dict[str, Any]) -> bool:
    """Whether an object's schema takes properties that `fields_of` does not find."""
    return not schema or any(
        "anyOf" in part or "oneOf" in part or part.get("additionalProperties", False) is not False
        for part in _parts(schema)
    )


def _list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _parts(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """An object's schema and those that it joins by `allOf`; each reference is followed once.

    What can't be found may have any properties.
    """
    seen: set[str] = set()
    parts: list[dict[str, Any]] = []
    todo: list[Any] = [whole]
    while todo:
        schema = todo.pop(0)
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if isinstance(reference, str):
            if reference in seen:
                continue
            seen.add(reference)
        found = _resolved(schema, whole)
        if not isinstance(found, dict) or len(parts) == PARTS_MAX:
            return [*parts, {"additionalProperties": True}]
        parts.append(found)
        todo += _list_of(found.get("allOf"))
    return parts


def kind_of(schema: Any, root: dict[str, Any], depth: int = 0, known: Known | None = None) -> Kind:
    """What a schema inside `root` says that a value is."""
    known = {} if known is None else known
    if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
        return _kind(schema, root, depth, known)
    place = schema["$ref"], depth
    if place not in known:
        known[place] = _kind(_resolved(schema, root), root, depth, known)
    return _or_null(known[place], schema)


def _kind(schema: Any, root: dict[str, Any], depth: int, known: Known) -> Kind:
    schema = _resolved(schema, root)
    return _or_null(_not_null(schema, root, depth, known), schema)


def _or_null(kind: Kind, schema: Any) -> Kind:
    """What OpenAPI's `nullable` makes of it."""
    is_nullable = isinstance(schema, dict) and schema.get("nullable") is True
    return replace(kind, or_null=True) if is_nullable else kind


def _not_null(schema: Any, root: dict[str, Any], depth: int, known: Known) -> Kind:
    if isinstance(schema, str):
        return Kind("", schema)
    if schema is True or schema == {}:
        return Kind("", "it can be anything")
    if not isinstance(schema, dict) or depth > DEPTH_MAX:
        return Kind(
            "", "its schema is no object" if depth <= DEPTH_MAX else "its schema is nested too deeply"
        )
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            return _united([kind_of(each, root, depth + 1, known) for each in schema[key]])
    if isinstance(schema.get("allOf"), list):
        parts = schema["allOf"]
        if len(parts) == 1:
            return kind_of(parts[0], root, depth + 1, known)
        return Kind("", JOINED)
    if "const" in schema or isinstance(schema.get("enum"), list):
        return _of_values([schema["const"]] if "const" in schema else schema["enum"])
    types = schema.get("type")
    if isinstance(types, list):
        return _united([kind_of({**schema, "type": each}, root, depth + 1, known) for each in types])
    return _of_type(str(types).lower() if types is not None else "", schema, root, depth, known)


def _of_type(name: str, schema: dict[str, Any], root: dict[str, Any], depth: int, known: Known) -> Kind:
    if name in SIMPLE:
        return Kind(SIMPLE[name])
    if name == "number":
        return Kind("number")
    if name == "null":
        return Kind("", or_null=True)
    if name == "object" or "properties" in schema:
        return Kind("", "it is an object, and conditions do not look inside one")
    if name == "array":
        return _list(schema, root, depth, known)
    return Kind("", "its schema gives no type" if not name else f"{quote(name)} is no type of JSON Schema")


def _list(schema: dict[str, Any], root: dict[str, Any], depth: int, known: Known) -> Kind:
    most = schema.get("maxItems")
    items = kind_of(schema.get("items", True), root, depth + 1, known)
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        return Kind("", "it is a list, and its schema has no `maxItems`")
    if most > LIST_MAX:
        return Kind("", f"it is a list of up to {most:,}, and a policy reads at most {LIST_MAX:,}")
    if items.name not in ("text", "count", "flag", "number", "choice") or items.or_null:
        return Kind("", "it is a list of what a condition can't compare")
    return Kind("list", items=items, most=most)


def _of_values(values: list[Any]) -> Kind:
    or_null = None in values
    values = [value for value in values if value is not None]
    if values and all(isinstance(value, str) for value in values):
        return Kind("choice", choices=tuple(dict.fromkeys(values)), or_null=or_null)
    if values and all(isinstance(value, bool) for value in values):
        return Kind("flag", or_null=or_null)
    if values and all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return Kind("count", or_null=or_null)
    return Kind("", "its values are of several types", or_null=or_null)


def _united(kinds: list[Kind]) -> Kind:
    """What is one of several: the one that is not null, or choices together."""
    or_null = any(kind.or_null for kind in kinds)
    kept = [kind for kind in kinds if kind.name or kind.reason]
    if not kept:
        return Kind("", "it is always null", or_null=or_null)
    first = kept[0]
    if all(kind.name == "choice" for kind in kept):
        choices = tuple(dict.fromkeys(choice for kind in kept for choice in kind.choices))
        return Kind("choice", choices=choices, or_null=or_null)
    names = {kind.name for kind in kept}
    if names == {"text", "choice"}:
        return Kind("text", or_null=or_null)
    if names == {"count", "number"}:
        return Kind("number", or_null=or_null)
    if len({(kind.name, kind.reason, kind.items, kind.most) for kind in kept}) > 1:
        return Kind("", "it is one of several types", or_null=or_null)
    return Kind(first.name, first.reason, first.choices, first.items, first.most, or_null)


def _resolved(schema: Any, root: dict[str, Any]) -> Any:
    """The schema behind `$ref`; a text that says why, if there is none."""
    seen: set[str] = set()
    while isinstance(schema, dict) and "$ref" in schema:
        reference = schema["$ref"]
        if not isinstance(reference, str) or not reference.startswith("#"):
            return f"its schema is elsewhere ({quote(str(reference))})"
        if reference in seen:
            return "its schema refers to itself"
        seen.add(reference)
        schema = _at(root, reference)
        if schema is None:
            return f"its schema refers to {quote(reference)}, which is not there"
    return schema


def _at(root: Any, reference: str) -> Any:
    """What a JSON pointer leads to; None if to nothing."""
    for part in reference[1:].split("/")[1:]:
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(root, list):
            root = root[int(name)] if name.isdecimal() and int(name) < len(root) else None
        else:
            root = root.get(name) if isinstance(root, dict) else None
    return root
