"""An answer of the policy in the shape of an OpenAI reply: whole, parsed or streamed. It used no tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

ID = "checkrein"
NO_CHAT_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
NO_USAGE = {
    "input_tokens": 0, "output_tokens": 0, "total_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}  # fmt: skip


def completion(text: str, model: str, created: int, *, parsed: bool = False) -> Any:
    """A `ChatCompletion` that says `text`; as `parse` gives it, nothing is parsed."""
    from openai.types.chat import ChatCompletion, ParsedChatCompletion

    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    kind: Any = ParsedChatCompletion[Any] if parsed else ChatCompletion
    return kind.model_validate(
        {"id": ID, "object": "chat.completion", "created": created, "model": model, "choices": [choice],
         "usage": NO_CHAT_USAGE},
    )  # fmt: skip


def chunks(text: str, model: str, created: int) -> list[Any]:
    """The same as a stream, which ends with its usage."""
    from openai.types.chat import ChatCompletionChunk

    def chunk(**fields: Any) -> Any:
        whole = {"id": ID, "object": "chat.completion.chunk", "created": created, "model": model, **fields}
        return ChatCompletionChunk.model_validate(whole)

    said = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    ended = {"index": 0, "delta": {}, "finish_reason": "stop"}
    return [chunk(choices=[said]), chunk(choices=[ended]), chunk(choices=[], usage=NO_CHAT_USAGE)]


def response(text: str, model: str, created: int, *, parsed: bool = False) -> Any:
    """A `Response` that says `text`; as `parse` gives it, nothing is parsed."""
    from openai.types.responses import ParsedResponse, Response

    kind: Any = ParsedResponse[Any] if parsed else Response
    return kind.model_validate(_response(model, created, "completed", [_item(text)], NO_USAGE))


def events(text: str, model: str, created: int) -> list[Any]:
    """The same as a stream."""
    from openai.types.responses import ResponseStreamEvent
    from pydantic import TypeAdapter

    part = {"type": "output_text", "text": "", "annotations": []}
    done = {**part, "text": text}
    place = {"item_id": ID, "output_index": 0, "content_index": 0}
    empty = {**_item(""), "status": "in_progress", "content": []}
    whole = _response(model, created, "completed", [_item(text)], NO_USAGE)
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response(model, created, "in_progress", [], None)},
        {"type": "response.output_item.added", "output_index": 0, "item": empty},
        {"type": "response.content_part.added", **place, "part": part},
        {"type": "response.output_text.delta", **place, "delta": text, "logprobs": []},
        {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": done},
        {"type": "response.output_item.done", "output_index": 0, "item": _item(text)},
        {"type": "response.completed", "response": whole},
    ]
    read: Any = TypeAdapter(ResponseStreamEvent).validate_python
    return [read({**event, "sequence_number": number}) for number, event in enumerate(told)]


def _item(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"id": ID, "type": "message", "role": "assistant", "status": "completed", "content": content}


def _response(model: str, created: int, status: str, output: list[Any], usage: Any) -> dict[str, Any]:
    return {
        "id": ID, "object": "response", "created_at": created, "model": model, "status": status,
        "output": output, "usage": usage, "parallel_tool_calls": False, "tool_choice": "none", "tools": [],
    }  # fmt: skip


class Told:
    """What was made beforehand, as a stream."""

    def __init__(self, parts: list[Any]) -> None:
        self._parts: Iterator[Any] = iter(parts)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return next(self._parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """No more of it."""
        self._parts = iter(())


class AsyncTold:
    """As `Told`."""

    def __init__(self, parts: list[Any]) -> None:
        self._parts: Iterator[Any] = iter(parts)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        for part in self._parts:
            return part
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """No more of it."""
        self._parts = iter(())

    close = aclose
