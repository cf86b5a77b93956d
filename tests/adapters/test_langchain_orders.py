"""LangChain: an agent acts on what it has looked at, as it is now; calls of one turn help each other not."""

import pytest
from langchain_core.tools import tool

from checkrein.demo.server import call_tool, call_tools, say

from .agents import agent_of, question, tool_messages

WORDS = """
tool "read" { class retrieve args { "path" text } }
tool "write" { class act args { "path" text } }
"""
SAME = 'order "seen" { "read" before "write" matching "path" within run } else deny because "Read it first."'
FRESH = (
    'order "fresh" { "read" before "write" matching "path" within run again after "write" } '
    'else deny because "Read it again."'
)


class Files:
    """Two tools, and what was really run."""

    def __init__(self):
        self.ran = []
        files = self

        @tool
        def read(path: str) -> str:
            """Read a file."""
            files.ran.append(("read", path))
            return f"text of {path}"

        @tool
        def write(path: str) -> str:
            """Write a file."""
            files.ran.append(("write", path))
            return f"wrote {path}"

        self.tools = [read, write]


@pytest.fixture
def files():
    return Files()


def test_an_agent_changes_what_it_has_read_and_nothing_else(serve, make_guard, files):
    replies = [
        call_tool("read", path="a"),
        call_tool("write", path="b"),
        call_tool("write", path="a"),
        say("ok"),
    ]
    server = serve({"large-1": replies})
    result = agent_of(make_guard(WORDS, SAME), server, files.tools).invoke(question())
    assert files.ran == [("read", "a"), ("write", "a")]
    denied = tool_messages(result)[1]
    assert (denied.status, denied.content) == ("error", "This call was not run. Read it first.")


def test_of_two_changes_in_one_turn_one_is_made(serve, make_guard, files):
    """The framework runs the calls of a turn in threads: whichever comes first, the other is too late."""
    both = call_tools(("write", {"path": "a"}), ("write", {"path": "a"}))
    turns = [call_tool("read", path="a"), both]
    server = serve({"large-1": [*turns * 10, say("ok")]})
    result = agent_of(make_guard("loop off", WORDS, FRESH), server, files.tools).invoke(question())
    assert files.ran == [("read", "a"), ("write", "a")] * 10
    refused = [message for message in tool_messages(result) if message.status == "error"]
    assert [message.content for message in refused] == ["This call was not run. Read it again."] * 10
