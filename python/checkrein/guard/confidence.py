"""How sure a model was of what it wrote: the mean probability of its tokens, where the reply has them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

MILLION = 1_000_000


def read_confidence(reply: Any) -> Decimal | None:
    """The geometric mean of the probabilities of a reply's tokens, cut to a millionth; None without them.

    Known are the chat completions of OpenAI's interface and the messages of LangChain, made with
    `logprobs=True`, and OpenAI's responses, made with `include=["message.output_text.logprobs"]`.
    """
    for choice in _listed(_part(reply, "choices"))[:1]:
        return _mean(_part(_part(choice, "logprobs"), "content"))
    said = [item for item in _listed(_part(reply, "output")) if _part(item, "type") == "message"]
    parts = [part for item in said for part in _listed(_part(item, "content"))]
    if parts:
        return _mean([token for part in parts for token in _listed(_part(part, "logprobs")) or [None]])
    metadata = _part(reply, "response_metadata")
    if metadata is None:
        for message in _listed(_part(reply, "result"))[:1]:
            metadata = _part(message, "response_metadata")
    return _mean(_part(_part(metadata, "logprobs"), "content"))


def _mean(tokens: Any) -> Decimal | None:
    found = [_part(token, "logprob") for token in _listed(tokens)]
    numbers = [number for number in found if isinstance(number, (int, float)) and not math.isnan(number)]
    if not numbers or len(numbers) < len(found):
        return None
    mean = math.exp(min(0.0, math.fsum(numbers) / len(numbers)))
    return Decimal(int(mean * MILLION)) / MILLION


def _part(whole: Any, name: str) -> Any:
    if isinstance(whole, Mapping):
        return whole.get(name)
    return getattr(whole, name, None)


def _listed(items: Any) -> list[Any]:
    return list(items) if isinstance(items, Iterable) and not isinstance(items, (str, bytes, Mapping)) else []
