"""JSON Schema to types: what each property becomes, and that what is written can be pasted into a policy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkrein import schema
from checkrein.errors import CheckreinError
from checkrein.language import check, parse
from checkrein.language.layout import laid_out
from checkrein.schema.fields import kind_of
from checkrein.schema.reading import tools_in
from checkrein.schema.writing import HEADER, type_of

ROOT = {
    "$defs": {
        "Kind": {"enum": ["a", "b"]},
        "Loop": {"$ref": "#/$defs/Loop"},
        "Tree": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/Tree"}},
        "a/b": {"type": "string"},
        "list": [{"type": "boolean"}],
    }
}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"type": "string"}, "text"),
        ({"type": "STRING"}, "text"),
        ({"type": "string", "format": "date"}, "text"),
        ({"type": "integer"}, "count"),
        ({"type": "boolean"}, "flag"),
        ({"enum": ["a", "b", "a"]}, 'one of "a", "b"'),
        ({"enum": ['q"\\', None]}, 'one of "q\\"\\\\"?'),
        ({"const": "a"}, 'one of "a"'),
        ({"enum": [1, 2]}, "count"),
        ({"enum": [True]}, "flag"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text?"),
        ({"type": ["integer", "null"]}, "count?"),
        ({"oneOf": [{"const": "a"}, {"enum": ["b"]}]}, 'one of "a", "b"'),
        ({"anyOf": [{"type": "string"}, {"const": "a"}]}, "text"),
        ({"$ref": "#/$defs/Kind"}, 'one of "a", "b"'),
        ({"$ref": "#/$defs/a~1b"}, "text"),
        ({"$ref": "#/$defs/list/0"}, "flag"),
        ({"allOf": [{"$ref": "#/$defs/Kind"}], "default": "a"}, 'one of "a", "b"'),
        ({"type": "array", "maxItems": 3, "items": {"type": "integer"}}, "list of count at most 3"),
        ({"type": "array", "maxItems": 3, "items": {"enum": ["a"]}}, 'list of one of "a" at most 3'),
    ],
)
def test_types(written, expected):
    kind = kind_of(written, ROOT)
    assert type_of(kind) + "?" * kind.or_null == expected


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"type": "object"}, "it is an object, and conditions do not look inside one"),
        ({"properties": {}}, "it is an object, and conditions do not look inside one"),
        ({"type": "array", "items": {"type": "string"}}, "it is a list, and its schema has no `maxItems`"),
        (
            {"type": "array", "maxItems": 5000},
            "it is a list of up to 5,000, and a policy reads at most 1,000",
        ),
        ({"type": "array", "maxItems": 5}, "it is a list of what a condition can't compare"),
        ({"$ref": "#/$defs/Tree"}, "it is a list of what a condition can't compare"),
        ({"$ref": "#/$defs/Loop"}, "its schema refers to itself"),
        ({"$ref": "#/$defs/None"}, "its schema refers to `#/$defs/None`, which is not there"),
        ({"$ref": "https://x.test/a"}, "its schema is elsewhere (`https://x.test/a`)"),
        ({"type": ["string", "integer"]}, "it is one of several types"),
        ({"enum": ["a", 1]}, "its values are of several types"),
        ({"allOf": [{}, {}]}, "it joins several schemas by `allOf`"),
        ({"type": "null"}, ""),
        ({"anyOf": []}, "it is always null"),
        ({"type": "file"}, "`file` is no type of JSON Schema"),
        ({"title": "T"}, "its schema gives no type"),
        ({}, "it can be anything"),
        (True, "it can be anything"),
        (5, "its schema is no object"),
    ],
)
def test_what_has_no_type_says_why(written, reason):
    kind = kind_of(written, ROOT)
    assert (type_of(kind), kind.reason) == ("", reason)


def test_a_deep_schema_ends():
    deep = {"type": "string"}
    for _ in range(100):
        deep = {"anyOf": [deep]}
    assert kind_of(deep, {}).reason == "its schema is nested too deeply"


def test_references_that_branch_are_followed_once():
    many = {f"a{i}": {"anyOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 100} for i in range(15)}
    root = {"$defs": {**many, "a15": {"type": "string"}}}
    assert kind_of({"$ref": "#/$defs/a0"}, root) == kind_of({"type": "string"}, root)


def test_what_is_left_out_says_what_to_write():
    amount = {"type": "object", "properties": {"amount": {"type": "number"}, "cents": {"type": "integer"}}}
    assert schema.statements({"name": "pay", "parameters": amount}) == (
        'tool "pay" {\n'
        "  # write `class retrieve`, `class reason` or `class act`: its schema does not say\n"
        "  args {\n"
        '    # "amount" is a number: write `"amount" money in units`, `money in cents`, `percent` or '
        "`duration`, as it is meant\n"
        '    "cents" count optional\n'
        "    # if this is an amount of money, write `money in cents` or `money in units`\n"
        "  }\n"
        "}\n"
    )


def test_a_tool_that_no_policy_can_have_is_left_out():
    tools = [{"name": "caf\u00e9"}, {"name": "b", "input_schema": {"properties": {" c": {"type": "string"}}}}]
    text = schema.statements(tools)
    assert text.startswith("# tool `caf\u00e9` is left out: ")
    assert "\n# tool `b` is left out: ` c` cannot be the name of an argument\n" in text


def test_too_many_tools_for_a_policy():
    many = [
        {"name": f"t{i}", "parameters": {"properties": {"a" * 120: {"type": "string"}}}} for i in range(2000)
    ]
    with pytest.raises(CheckreinError, match="too many for one policy"):
        schema.statements(many)


names = st.text(max_size=12) | st.sampled_from(["a", "order_id", "x\n# y", 'q"', "\u202e", "e\u0301", "}"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2000) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
KEYS = [
    "type",
    "enum",
    "const",
    "anyOf",
    "items",
    "maxItems",
    "$ref",
    "properties",
    "required",
    "description",
]
TYPES = ["string", "integer", "number", "boolean", "null", "object", "array"]
schemas = st.recursive(
    st.builds(lambda name: {"type": name}, st.sampled_from(TYPES)) | values,
    lambda inner: st.dictionaries(
        st.sampled_from(KEYS), inner | st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.builds(
    lambda properties, required: {"type": "object", "properties": properties, "required": required},
    st.dictionaries(names, schemas, max_size=4),
    st.lists(names, max_size=3) | values,
)


@given(
    st.lists(st.tuples(names.filter(bool), objects), max_size=3, min_size=1, unique_by=lambda pair: pair[0])
)
def test_whatever_the_schemas_are_the_statements_are_a_sound_part_of_a_policy(tools):
    written = schema.statements([{"name": name, "inputSchema": inner} for name, inner in tools])
    policy, found = parse(HEADER + written, "p.rein")
    assert [d.message for d in [*found, *check(policy)] if d.severity == "error"] == []
    assert laid_out(HEADER + "\n" + written, "p.rein").text == HEADER + "\n" + written
    assert len(tools_in([{"name": name, "inputSchema": inner} for name, inner in tools])) == len(tools)
