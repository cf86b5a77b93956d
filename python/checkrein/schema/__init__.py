"""Tools of agents as `tool` statements, and where a policy differs from them.

`statements` and `differences` take what frameworks have: LangChain tools, MCP tools, the `tools` of an OpenAI
or Anthropic request, JSON Schemas; one of them, or several in a list. Nothing is called or fetched.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkrein.schema.drift import compare
from checkrein.schema.reading import tools_in
from checkrein.schema.writing import written

if TYPE_CHECKING:
    from checkrein.diagnostics import Diagnostic

__all__ = ["differences", "statements"]


def statements(tools: Any) -> str:
    """The `tool` statements of some tools, to paste into a policy: text in the canonical layout.

    What Rein has no type for is left out, with a comment that says why. Raises `CheckreinError` if there are
    no tools in a shape that is known.
    """
    return written(tools_in(tools))


def differences(tools: Any, policy: str | Path) -> list[Diagnostic]:
    """Where the tools that a policy file declares differ from the tools that there are.

    Raises `PolicyError` for a policy with mistakes and `CheckreinError` for tools in no shape that is known.
    """
    from checkrein.language import sound

    return compare(sound(Path(policy).read_bytes(), str(policy), path=str(policy)), tools_in(tools))
