"""Where a policy differs from the tools that there are."""

import pytest

from checkrein import schema
from checkrein.errors import PolicyError
from checkrein.language import parse
from checkrein.schema.drift import compare
from checkrein.schema.reading import tools_in

HEADER = 'language 1\npolicy "p"\n'


def drift(declared, properties, required=(), strict=False, **tool):
    policy, found = parse(HEADER + f'tool "t" {{ args {{ {declared} }} }}', "p.rein")
    assert found == []
    inner = {"type": "object", "properties": properties, "required": list(required)}
    tools = tools_in({"name": "t", "inputSchema": inner, **tool})
    return [(d.code, d.message, d.help) for d in compare(policy, tools, strict=strict)]


@pytest.mark.parametrize(
    ("declared", "is_"),
    [
        ("text", {"type": "string"}),
        ("text", {"enum": ["a", "b"]}),
        ('one of "b", "a"', {"enum": ["a", "b"]}),
        ("count", {"type": "integer"}),
        ("tokens", {"type": "integer"}),
        ("money in cents", {"type": "integer"}),
        ("money", {"type": "number"}),
        ("percent", {"type": "number"}),
        ("duration", {"type": "number"}),
        ("flag", {"type": "boolean"}),
        ("list of text at most 5", {"type": "array", "items": {"type": "string"}, "maxItems": 5}),
        ("list of text at most 9", {"type": "array", "items": {"type": "string"}, "maxItems": 5}),
        ("list of money at most 5", {"type": "array", "items": {"type": "number"}, "maxItems": 5}),
    ],
)
def test_types_that_take_every_value(declared, is_):
    assert drift(f'"a" {declared}', {"a": is_}, ["a"]) == []


@pytest.mark.parametrize(
    ("declared", "is_", "said"),
    [
        ("text", {"type": "integer"}, ("is a whole number in its schema", "write `count`")),
        (
            "count",
            {"type": "number"},
            ("is a number in its schema", "write `money in units`, `percent` or `duration`"),
        ),
        ("flag", {"type": "string"}, ("is a text in its schema", "write `text`")),
        ('one of "a"', {"type": "string"}, ("can be any text in its schema", "write `text`")),
        (
            'one of "a"',
            {"enum": ["a", "b"]},
            ("has other choices in its schema", 'write `one of "a", "b"`'),
        ),
        (
            "text",
            {"type": "object"},
            (
                "has no type that a policy can have: it is an object, and conditions do not look inside one",
                "remove it, and what reads it",
            ),
        ),
        (
            "list of text at most 4",
            {"type": "array", "items": {"type": "string"}, "maxItems": 5},
            ("can have 5 elements in its schema", "write `at most 5`"),
        ),
        ("list of text at most 4", {"type": "string"}, ("is no list in its schema", "write `text`")),
        (
            "text",
            {"type": "array", "items": {"type": "string"}, "maxItems": 5},
            ("is a list in its schema", "write `list of text at most 5`"),
        ),
    ],
)
def test_types_that_do_not(declared, is_, said):
    message, help = said
    assert drift(f'"a" {declared}', {"a": is_}, ["a"]) == [
        ("R0593", f"argument `a` of tool `t` {message}", help)
    ]


def test_what_may_be_missing_and_what_is_always_there():
    text = {"type": "string"}
    missing = "argument `a` of tool `t` may be missing"
    help = "write `optional`, and guard what reads it by `has`"
    assert drift('"a" text', {"a": text}) == [("R0594", missing, help)]
    assert drift('"a" text', {"a": {"type": ["string", "null"]}}, ["a"]) == [("R0594", missing, help)]
    assert drift('"a" text optional', {"a": text}) == []
    assert drift('"a" text optional', {"a": text}, ["a"]) == []
    always = ("R0594", "argument `a` of tool `t` is always there", "leave `optional` out")
    assert drift('"a" text optional', {"a": text}, ["a"], strict=True) == [always]


def test_arguments_that_only_one_side_has():
    text = {"type": "string"}
    gone = "there is no argument `order` of tool `t` in the schema"
    assert drift('"order" text', {}) == [
        ("R0592", gone, "remove it, and what reads it: it is always missing")
    ]
    assert drift('"order" text', {"orders": text}) == [("R0592", gone, "did you mean `orders`?")]
    new = ("R0592", "argument `b` of tool `t` is not declared", 'declare it: `"b" text`')
    assert drift("", {"b": text, "c": {"type": "object"}}, strict=True) == [new]
    assert drift("", {"b": text}) == []


def test_what_a_schema_does_not_say_is_no_difference():
    policy, _ = parse(HEADER + 'tool "t" { args { "a" text } result { "r" count } }', "p.rein")
    assert compare(policy, tools_in([{"name": "t"}])) == []
    open_ = {"type": "object", "properties": {}, "additionalProperties": True}
    assert compare(policy, tools_in([{"name": "t", "inputSchema": open_}])) == []
    results = {"type": "object", "properties": {"r": {"type": "string"}}, "required": ["r"]}
    (found,) = compare(policy, tools_in([{"name": "t", "outputSchema": results}]))
    assert found.message == "result field `r` of tool `t` is a text in its schema"


def test_a_schema_that_takes_more_than_it_names_says_what_it_names():
    policy, _ = parse(HEADER + 'tool "t" { args { "amount" money in cents  "more" text } }', "p.rein")
    inner = {"type": "object", "properties": {"amount": {"type": "string"}}, "additionalProperties": True}
    found = compare(policy, tools_in({"name": "t", "inputSchema": inner}))
    assert [(each.code, each.message) for each in found] == [
        ("R0594", "argument `amount` of tool `t` may be missing"),
        ("R0593", "argument `amount` of tool `t` is a text in its schema"),
    ]


def test_a_file_and_objects(tmp_path):
    path = tmp_path / "p.rein"
    path.write_text(HEADER + 'tool "serch" { class retrieve }')
    found = schema.differences([{"name": "search"}], path)
    assert [(d.code, d.help, d.file) for d in found] == [
        ("R0590", "did you mean `serch`?", str(path)),
        ("R0591", "did you mean `search`?", str(path)),
    ]
    path.write_text(schema.statements([{"name": "search"}]))
    with pytest.raises(PolicyError):
        schema.differences([{"name": "search"}], path)
    path.write_text(HEADER + schema.statements([{"name": "search"}]))
    assert schema.differences([{"name": "search"}], path) == []


TEXT = {"type": "string"}


def of_class(says, strict=False, **hints):
    policy, found = parse(f'{HEADER}tool "t" {{ {says} }}', "p.rein")
    assert found == []
    tools = tools_in({"name": "t", "inputSchema": {}, "annotations": hints})
    return [(d.code, d.message) for d in compare(policy, tools, strict=strict)]


def test_a_tool_that_changes_something_is_of_class_act():
    changes = "and its server says that it changes something"
    for word in ("retrieve", "reason"):
        said = [("R0595", f"tool `t` is `class {word}`, {changes}")]
        assert of_class(f"class {word}", readOnlyHint=False) == said
        assert of_class(f"class {word}", destructiveHint=True) == said
        assert of_class(f"class {word}") == of_class(f"class {word}", readOnlyHint=True) == []
    assert of_class("class act", readOnlyHint=False) == of_class("class act", readOnlyHint=True) == []
    assert of_class("", readOnlyHint=False) == []
    assert of_class("", readOnlyHint=False, strict=True) == [("R0595", f"tool `t` has no class, {changes}")]


def joined(declared, schema):
    policy, found = parse(HEADER + f'tool "t" {{ args {{ {declared} }} }}', "p.rein")
    assert found == []
    return [(d.code, d.message) for d in compare(policy, tools_in({"name": "t", "inputSchema": schema}))]


def test_what_a_whole_schema_joins_is_seen():
    more = {"properties": {"b": TEXT}, "required": ["b"]}
    schema = {
        "type": "object",
        "properties": {"a": TEXT},
        "allOf": [{"$ref": "#/$defs/more"}],
        "$defs": {"more": more},
    }
    assert joined('"a" text optional "b" text', schema) == []
    assert joined('"c" text', schema) == [("R0592", "there is no argument `c` of tool `t` in the schema")]
    deeper = {"allOf": [{"allOf": [more]}, {"properties": {"a": TEXT}, "required": ["a"]}]}
    assert joined('"a" text "b" text', deeper) == []
    twice = {"allOf": [{"properties": {"a": TEXT}}, {"properties": {"a": {"type": "integer"}}}]}
    assert [code for code, _ in joined('"a" text optional', twice)] == ["R0593"]


def test_of_what_a_schema_does_not_show_nothing_is_said():
    for hidden in (
        {"allOf": [{"$ref": "https://example.com/more.json"}]},
        {"allOf": [{"properties": {"b": TEXT}, "additionalProperties": TEXT}]},
        {"anyOf": [{"properties": {"a": TEXT}}, {"properties": {"b": TEXT}}]},
    ):
        assert joined('"a" text optional', {"type": "object", **hidden}) == []


def test_references_that_lead_to_each_other_are_followed_once():
    both = [{"$ref": "#/$defs/one"}, {"$ref": "#/$defs/two"}]
    defs = {"one": {"allOf": both}, "two": {"allOf": both, "properties": {"b": TEXT}, "required": ["b"]}}
    assert joined('"b" text', {"type": "object", "allOf": both, "$defs": defs}) == []
    deep = {"properties": {"b": TEXT}}
    for _ in range(800):
        deep = {"allOf": [deep, deep]}
    assert joined('"b" text', {"type": "object", **deep}) == []


def test_a_reference_may_be_written_for_a_url():
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/my%20text"}}, "required": ["a"]}
    assert joined('"a" text', schema | {"$defs": {"my text": TEXT}}) == []


def test_nullable_may_be_missing():
    for is_ in (
        TEXT | {"nullable": True},
        {"enum": ["x"], "nullable": True},
        {"$ref": "#/d", "nullable": True},
    ):
        schema = {"type": "object", "properties": {"a": is_}, "required": ["a"], "d": TEXT}
        assert [code for code, _ in joined('"a" text', schema)] == ["R0594"]
        assert joined('"a" text optional', schema) == []
    assert (
        joined(
            '"a" text', {"type": "object", "properties": {"a": TEXT | {"nullable": False}}, "required": ["a"]}
        )
        == []
    )
