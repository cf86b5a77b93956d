"""What a model call used, read from the response of whatever client made it.

A usage is exact, a lower bound, or unknown. Unknown is never zero: the whole hold is kept as spent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

# The names under which clients report prompt and completion tokens:
# OpenAI chat, OpenAI responses and Anthropic, LangChain's `usage_metadata` (as the second).
_INPUT_NAMES = ("prompt_tokens", "input_tokens")
_OUTPUT_NAMES = ("completion_tokens", "output_tokens")
_CARRIERS = ("usage", "usage_metadata")

# More than the engine counts is a report that cannot be right, and so none.
_COUNT_MAX = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one attempt; `kind` says how far they can be trusted."""

    kind: Literal["exact", "at_least", "unknown", "unsent"]
    input_tokens: int = 0
    output_tokens: int = 0


UNKNOWN = Usage("unknown")
UNSENT = Usage("unsent")
NOTHING = Usage("exact")


def read_usage(response: Any) -> Usage | None:
    """The usage that `response` reports, or None if it reports none.

    Takes an object or a mapping with a `usage` or `usage_metadata`. An explicit zero is a report.
    """
    if isinstance(response, Usage):
        return response
    for carrier in _CARRIERS:
        report = _get(response, carrier)
        if report is None:
            continue
        used_input = _first_count(report, _INPUT_NAMES)
        used_output = _first_count(report, _OUTPUT_NAMES)
        if used_input is not None and used_output is not None:
            return Usage("exact", used_input, used_output)
    return None


def _first_count(report: Any, names: tuple[str, ...]) -> int | None:
    for name in names:
        value = _get(report, name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _COUNT_MAX:
            return value
    return None


def _get(holder: Any, name: str) -> Any:
    if isinstance(holder, Mapping):
        return holder.get(name)
    return getattr(holder, name, None)
