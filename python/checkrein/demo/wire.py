"""The two shapes in which the loopback server answers: OpenAI's chat completions and its responses."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# No clock is read: a server that plays a script answers the same bytes every time.
CREATED = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply with its costs, in no shape yet. A tool call is (id, name, arguments).

    `sure` is the probability of each word, None where it is not told.
    """

    model: str
    words: tuple[str, ...]
    calls: tuple[tuple[str, str, Mapping[str, Any]], ...]
    input_tokens: int
    output_tokens: int
    finish: str
    index: int
    sure: float | None = None

    @property
    def text(self) -> str:
        """The words as one text."""
        return "".join(self.words)


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event, as bytes."""

    data: bytes
    is_word: bool = False


@dataclass(frozen=True, slots=True)
class Face:
    """How one endpoint answers: in one piece, or as events."""

    whole: Callable[[Answer], dict[str, Any]]
    events: Callable[[Answer, Mapping[str, Any]], Iterator[Event]]


def prompt_words(body: Mapping[str, Any]) -> int:
    """The words of every text in the prompt; tools and other settings count nothing."""
    return sum(
        len(text.split())
        for text in _texts([body.get("instructions"), body.get("messages"), body.get("input")])
    )


def output_words(words: Iterable[str], calls: Iterable[tuple[str, str, Mapping[str, Any]]]) -> int:
    """A word is a token; a tool call is one for its name and one for each argument."""
    return sum(1 for _ in words) + sum(1 + len(arguments) for _id, _name, arguments in calls)


def asks_how_sure(body: Mapping[str, Any]) -> bool:
    """Whether a request wants the probabilities of the words."""
    return bool(body.get("logprobs")) or "message.output_text.logprobs" in (body.get("include") or ())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts([value.get("content"), value.get("text"), value.get("output")])
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


# -- chat completions -----------------------------------------------------------------------------


def _chat_usage(answer: Answer) -> dict[str, int]:
    total = answer.input_tokens + answer.output_tokens
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": total,
    }


def _chat_calls(answer: Answer) -> list[dict[str, Any]]:
    return [
        {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for id, name, arguments in answer.calls
    ]


def _likely(word: str, sure: float) -> dict[str, Any]:
    return {"token": word, "logprob": math.log(sure), "bytes": None, "top_logprobs": []}


def _chat(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": answer.finish}
    if answer.sure is not None:
        choice["logprobs"] = {"content": [_likely(word, answer.sure) for word in answer.words]}
    if answer.calls:
        message["tool_calls"] = _chat_calls(answer)
    return {
        "id": f"chat-{answer.index}",
        "object": "chat.completion",
        "created": CREATED,
        "model": answer.model,
        "choices": [choice],
        "usage": _chat_usage(answer),
    }


def _chat_events(answer: Answer, body: Mapping[str, Any]) -> Iterator[Event]:
    frame = {
        "id": f"chat-{answer.index}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": answer.model,
    }

    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield _data(chunk({"role": "assistant", "content": ""}))
    for word in answer.words:
        yield _data(chunk({"content": word}), is_word=True)
    for n, call in enumerate(_chat_calls(answer)):
        yield _data(chunk({"tool_calls": [{"index": n, **call}]}), is_word=True)
    yield _data(chunk({}, answer.finish))
    # As providers do: no usage in a stream unless it is asked for.
    if (body.get("stream_options") or {}).get("include_usage"):
        yield _data({**frame, "choices": [], "usage": _chat_usage(answer)})
    yield Event(b"data: [DONE]\n\n")


# -- responses --------------------------------------------------------------------------------------


def _response_output(answer: Answer) -> list[dict[str, Any]]:
    output: list[dict[str, Any]] = []
    if answer.words:
        text: dict[str, Any] = {"type": "output_text", "text": answer.text, "annotations": []}
        if answer.sure is not None:
            text["logprobs"] = [{**_likely(word, answer.sure), "bytes": []} for word in answer.words]
        output.append(
            {"type": "message", "id": "msg_0", "status": "completed", "role": "assistant", "content": [text]}
        )
    for id, name, arguments in answer.calls:
        call = {"type": "function_call", "id": f"fc_{id}", "call_id": id, "name": name}
        output.append({**call, "arguments": json.dumps(arguments), "status": "completed"})
    return output


def _response(answer: Answer) -> dict[str, Any]:
    cut_off = answer.finish == "length"
    return {
        "id": f"resp_{answer.index}",
        "object": "response",
        "created_at": CREATED,
        "model": answer.model,
        "status": "incomplete" if cut_off else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut_off else None,
        "error": None,
        "instructions": None,
        "metadata": {},
        "output": _response_output(answer),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": answer.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        },
    }


def _response_events(answer: Answer, _body: Mapping[str, Any]) -> Iterator[Event]:
    whole = _response(answer)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    yield _named("response.created", {"response": begun, "sequence_number": 0})
    place = {"item_id": "msg_0", "output_index": 0, "content_index": 0, "logprobs": []}
    for n, word in enumerate(answer.words, start=1):
        yield _named(
            "response.output_text.delta", {**place, "delta": word, "sequence_number": n}, is_word=True
        )
    last = "response.incomplete" if answer.finish == "length" else "response.completed"
    yield _named(last, {"response": whole, "sequence_number": len(answer.words) + 1})


def _named(kind: str, fields: Mapping[str, Any], *, is_word: bool = False) -> Event:
    event = _data({"type": kind, **fields}, is_word=is_word)
    return Event(f"event: {kind}\n".encode() + event.data, is_word)


def _data(body: Mapping[str, Any], *, is_word: bool = False) -> Event:
    return Event(f"data: {json.dumps(body)}\n\n".encode(), is_word)


FACES = {
    "/chat/completions": Face(_chat, _chat_events),
    "/responses": Face(_response, _response_events),
}
