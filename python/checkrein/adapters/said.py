"""What a conversation in the shapes of OpenAI's interfaces says that tools gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from checkrein.guard.dialects import get

_OUTPUT = "_call_output"
"""How the types of such items end: of functions, custom tools, shells and computers."""


def tool_results(settings: dict[str, Any], prompt: str) -> list[Any]:
    """The tool results in the setting `prompt`, whose messages may be mappings or a client's own objects.

    An iterator can be read once, so it becomes a list: what is looked at here is what is sent later.
    """
    said = settings.get(prompt)
    if isinstance(said, Iterable) and not isinstance(said, (str, list, tuple, Mapping)):
        said = settings[prompt] = list(said)
    items = said if isinstance(said, (list, tuple)) else []
    told = [get(item, "content") for item in items if get(item, "role") in ("tool", "function")]
    return told + [get(item, "output") for item in items if str(get(item, "type")).endswith(_OUTPUT)]
