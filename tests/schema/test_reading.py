"""Tools in the shapes that frameworks and providers write them in; the packages are the real ones."""

import asyncio
import json
from typing import Annotated, Literal

import pytest
from langchain_core.tools import InjectedToolArg, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations
from openai import pydantic_function_tool
from pydantic import BaseModel, Field

from checkrein import schema
from checkrein.errors import CheckreinError
from checkrein.schema.reading import tools_in

OBJECT = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
SEARCH = (
    'tool "search" {\n  # write `class retrieve`, `class reason` or `class act`: its schema does not say\n'
)


class Found(BaseModel):
    """What a search gives."""

    rows: int
    more: bool | None = None


@tool
def search(
    query: str,
    sort: Literal["new", "old"] = "new",
    limit: int | None = None,
    secret: Annotated[str, InjectedToolArg] = "",
) -> str:
    """Search."""
    return f"{query} {sort} {limit} {secret}"


SAME = """\
  args {
    "query" text
    "sort" one of "new", "old" optional
    "limit" count optional
  }
}
"""


def test_langchain_tools_have_what_a_model_may_give():
    assert schema.statements(search) == schema.statements([search]) == SEARCH + SAME
    dump = search.tool_call_schema.model_json_schema()
    assert schema.statements(json.loads(json.dumps(dump))) == SEARCH + SAME
    assert schema.statements(convert_to_openai_tool(search)) == SEARCH + SAME


def test_mcp_tools_have_results_and_say_what_they_do():
    server = MCPServer("shop")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def look(query: str, tags: Annotated[list[str], Field(max_length=4)] = []) -> Found:  # noqa: B006
        """Look."""
        return Found(rows=len(query + "".join(tags)))

    @server.tool(annotations=ToolAnnotations(destructive_hint=True, idempotent_hint=False))
    def drop(order_id: str) -> str:
        """Drop."""
        return order_id

    listed = asyncio.run(server.list_tools())
    text = schema.statements(listed)
    answer = {"tools": [each.model_dump(mode="json", by_alias=True) for each in listed]}
    assert schema.statements(answer) == text
    assert schema.statements({"jsonrpc": "2.0", "id": 1, "result": answer}) == text
    assert text.startswith('tool "look" {\n  class retrieve  # its server says that it changes nothing\n')
    assert '"tags" list of text at most 4 optional' in text
    assert '"rows" count\n    "more" flag optional\n' in text
    assert text.count("class act") == text.count("write `once`") == 1


def test_openai_and_anthropic_tools():
    made = pydantic_function_tool(Found, name="found")
    assert '"rows" count\n    "more" flag optional\n' in schema.statements(made)
    shapes = [
        {"type": "function", "function": {"name": "search", "parameters": OBJECT}},
        {"type": "function", "name": "search", "parameters": OBJECT, "strict": True},
        {"name": "search", "input_schema": OBJECT},
        {"tools": [{"name": "search", "input_schema": OBJECT}], "model": "m"},
        {"search": OBJECT},
        {**OBJECT, "title": "search"},
    ]
    expected = SEARCH + '  args {\n    "query" text\n  }\n}\n'
    assert [schema.statements(shape) for shape in shapes] == [expected] * len(shapes)
    assert [tool.name for tool in tools_in(OBJECT, "by file")] == ["by file"]
    assert [tool.name for tool in tools_in([shapes[3], shapes[2]])] == ["search", "search"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "no tools found"),
        ({}, "no tools found"),
        ({"tools": []}, "no tools found"),
        ({"model": "m"}, "no tools found"),
        (5, "no tools found"),
        ("text", "no tools found"),
        ([5], "a tool is an object, not a number"),
        ([None], "a tool is an object, not null"),
        ([{"type": "web_search"}], "a tool of the type `web_search` has no name"),
        ([{"input_schema": OBJECT}], "a tool has no name"),
        ([{"name": 5}], "a tool has no name"),
        ([{"name": ""}], "a tool has no name"),
        (object(), "`object` is no tool"),
    ],
)
def test_what_is_no_tool(value, message):
    with pytest.raises(CheckreinError, match=message):
        schema.statements(value)
