"""An upper bound of a prompt's tokens that needs no tokenizer: a token has at least one byte."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from checkrein import _core
from checkrein.errors import EngineError

# Parts that a provider bills by what they show, not by their bytes, or that only refer to something.
_MEDIA = frozenset({
    "audio", "computer_screenshot", "document", "file", "image", "image_url", "input_audio", "input_file",
    "input_image", "item_reference", "media", "video",
})  # fmt: skip


_IDS = frozenset({"id", "call_id", "tool_call_id"})
"""What names a message or a call anew each time."""


def upper_bound(messages: Any, settings: Any = None) -> int:
    """The bytes of the messages, and of tools and schemas, as JSON: no tokenizer makes more tokens of them.

    Raises `EngineError` for images, audio and files: only the host knows what they cost.
    """
    _refuse_media(messages)
    text = json.dumps([messages, settings], ensure_ascii=False, default=_plain)
    return len(text.encode("utf-8", "surrogatepass"))


def refuse_server_tools(tools: Any) -> None:
    """Raises `EngineError` for a tool that the provider runs itself: what it finds becomes prompt unseen."""
    for tool in tools or ():
        kind = tool.get("type", "function") if isinstance(tool, Mapping) else "function"
        if kind not in ("function", "custom"):
            raise EngineError(
                f"what the provider's tool `{kind}` adds to the prompt cannot be counted; "
                "say how many tokens the prompt has at most, as `input_tokens`",
                "uncounted",
            )


def messages_of(arguments: Mapping[str, Any]) -> list[Any] | None:
    """The messages among the arguments of a model call, with what stands before them; None without any."""
    prompt = next((arguments[name] for name in ("messages", "input") if name in arguments), None)
    if isinstance(prompt, str):
        prompt = [prompt]
    if prompt is None or not isinstance(prompt, Collection) or isinstance(prompt, Mapping):
        return None
    before = [arguments[name] for name in ("system", "instructions") if arguments.get(name)]
    return [*before, *prompt]


def weigh(messages: Iterable[Any] | None) -> list[tuple[int, int]] | None:
    """What each message is known by, with an upper bound of its tokens; media weigh nothing.

    The ids of calls make no difference: what a tool gave twice is the same.
    """
    if messages is None:
        return None
    return [_weighed(message) for message in messages]


def _weighed(message: Any) -> tuple[int, int]:
    try:
        said = json.loads(json.dumps(message, default=_plain))
    except (EngineError, TypeError, ValueError) as error:
        raise EngineError(
            f"a message of type `{type(message).__name__}` cannot be compared with earlier ones, as the "
            "policy's `repeated_context` asks; pass `context=`, the messages as texts and mappings of such",
            "uncounted",
        ) from error
    if isinstance(said, dict):
        said = {name: value for name, value in said.items() if name not in _IDS}
        calls = said.get("tool_calls")
        if isinstance(calls, list):
            said["tool_calls"] = [
                {name: value for name, value in call.items() if name not in _IDS}
                if isinstance(call, dict)
                else call
                for call in calls
            ]
    text = json.dumps(_without_media(said), ensure_ascii=False)
    return _core.xxh3_64(_core.canonical(said)), len(text.encode("utf-8", "surrogatepass"))


def _without_media(value: Any) -> Any:
    if isinstance(value, dict):
        kind = value.get("type")
        if isinstance(kind, str) and kind in _MEDIA:
            return None
        return {name: _without_media(each) for name, each in value.items()}
    return [_without_media(each) for each in value] if isinstance(value, list) else value


def _refuse_media(value: Any) -> None:
    if isinstance(value, Mapping):
        kind = value.get("type")
        if isinstance(kind, str) and kind in _MEDIA:
            raise EngineError(
                f"the tokens of a prompt part of type `{kind}` cannot be counted from its bytes; "
                "say how many the prompt has at most, as `input_tokens`",
                "uncounted",
            )
        _refuse_media(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_media(item)


def _plain(value: Any) -> Any:
    """What a client would send for an object that is not JSON yet."""
    for name in ("model_json_schema",) if isinstance(value, type) else ("model_dump", "to_dict"):
        make = getattr(value, name, None)
        if make is not None:
            return make()
    # An iterator can be read once: counted here, the call would find it empty.
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray, Iterator)):
        return list(value)
    raise EngineError(
        f"a prompt part of type `{type(value).__name__}` cannot be counted; "
        "say how many tokens the prompt has at most, as `input_tokens`",
        "uncounted",
    )
