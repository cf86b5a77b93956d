"""Recorded agent runs, read from JSON lines: what `replay` feeds through the engine.

A line is one run: an object with `traj` or `messages`, a list of messages in the style of OpenAI's
chat API, and optionally `task_id`, `trial`, `reward`, `facts` (host facts that hold for the run) and
whose it was: `user`, `session`, `team`, `org`.
A message has a `role`: `system`, `user`, `assistant` (with `content`, `tool_calls` of `id` and
`function.name` and `function.arguments`, the arguments as JSON text) or `tool` (with `tool_call_id`
and `content`). It may carry a `time` or `timestamp` (seconds, or ISO 8601) and, from the assistant,
a `usage`. Whatever else a line holds is passed over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from checkrein.guard.scopes import WORDS
from checkrein.guard.usage import Usage, read_usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_REWARD_MAX = 1e15
_ROLES = ("system", "developer", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call that the recorded model proposed, with the arguments as the tool got them."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelTurn:
    """An assistant's message: one model call, and the tool calls that it proposed.

    `prompt_bytes` and `output_bytes` are the UTF-8 bytes of all text before it, and of its own: what
    was said, the names and arguments of tool calls. `usage` is what the trace reports, if it does.
    `prompt` are the messages before it.
    """

    message: int
    time: int | None
    prompt_bytes: int
    output_bytes: int
    usage: Usage | None
    calls: tuple[ToolCall, ...]
    prompt: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool's message, with what it says. `failed` when its text begins with `Error`."""

    message: int
    time: int | None
    call: str
    content: Any
    failed: bool


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One line of a trace. Times are nanoseconds since the Unix epoch."""

    line: int
    task: str
    trial: str
    reward: float | None
    facts: Mapping[str, Any]
    events: tuple[ModelTurn | ToolResult, ...]
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """A line of a trace that can't be replayed, and why."""

    line: int
    message: str


class _Malformed(ValueError):
    """What is wrong with a record, in words."""


def read_trace(lines: Iterable[bytes]) -> Iterator[RecordedRun | Problem]:
    """The recorded runs of a trace, in order; a line that is none is a `Problem`. Blank lines are none."""
    for number, raw in enumerate(lines, start=1):
        text = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        if not text.strip():
            continue
        try:
            yield _run(number, _object(_json(text, "the line"), "the line"))
        except _Malformed as error:
            yield Problem(number, str(error))


def _json(text: bytes | str, what: str) -> Any:
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except RecursionError:
        raise _Malformed(f"{what} is nested too deeply") from None
    except UnicodeError:
        raise _Malformed(f"{what} is not valid UTF-8") from None
    except ValueError as error:
        raise _Malformed(f"{what} is not JSON ({error})") from None
    return value


def _run(line: int, record: dict[str, Any]) -> RecordedRun:
    messages = record.get("traj", record.get("messages"))
    if not isinstance(messages, list):
        raise _Malformed("the line has no list `traj` or `messages`")
    facts = record.get("facts") or {}
    reward = record.get("reward")
    if reward is not None and (
        isinstance(reward, bool) or not isinstance(reward, (int, float)) or not abs(reward) <= _REWARD_MAX
    ):  # NaN is no number either
        raise _Malformed("`reward` is not a number")
    return RecordedRun(
        line,
        str(record.get("task_id", "")),
        str(record.get("trial", "")),
        None if reward is None else float(reward),
        _object(facts, "`facts`"),
        tuple(_Reader().events(messages)),
        {word: str(record[word]) for word in WORDS if record.get(word) is not None},
    )


@dataclass(slots=True)
class _Reader:
    """Walks the messages of one run, adding up the text that a model call would have sent."""

    text_bytes: int = 0
    proposed: set[str] = field(default_factory=set)

    def events(self, messages: list[Any]) -> Iterator[ModelTurn | ToolResult]:
        for number, message in enumerate(messages, start=1):
            where = f"message {number}"
            message = _object(message, where)
            role = message.get("role")
            if role not in _ROLES:
                raise _Malformed(f"{where} has the role `{role}`, not one of {', '.join(_ROLES)}")
            time = _time(message.get("time", message.get("timestamp")), where)
            if role == "assistant":
                yield self._turn(number, time, messages, where)
            elif role == "tool":
                yield self._result(number, time, message, where)
            self.text_bytes += _text_bytes(message.get("content"))

    def _turn(self, number: int, time: int | None, messages: list[Any], where: str) -> ModelTurn:
        message = messages[number - 1]
        calls = message.get("tool_calls") or []
        if not isinstance(calls, list):
            raise _Malformed(f"`tool_calls` of {where} is not a list")
        prompt = self.text_bytes
        proposed = tuple(
            self._call(call, f"tool call {n} of {where}") for n, call in enumerate(calls, start=1)
        )
        produced = self.text_bytes - prompt + _text_bytes(message.get("content"))
        said = tuple(messages[: number - 1])
        return ModelTurn(number, time, prompt, produced, read_usage(message), proposed, said)

    def _call(self, call: Any, where: str) -> ToolCall:
        call = _object(call, where)
        function = _object(call.get("function"), f"`function` of {where}")
        id, name, arguments = call.get("id"), function.get("name"), function.get("arguments") or "{}"
        if not isinstance(id, str) or not isinstance(name, str):
            raise _Malformed(f"{where} lacks an `id` or a `function.name`")
        if isinstance(arguments, str):
            arguments = _json(arguments, f"`arguments` of {where}")
        arguments = _object(arguments, f"`arguments` of {where}")
        self.proposed.add(id)
        self.text_bytes += len(name.encode()) + len(json.dumps(arguments, ensure_ascii=False).encode())
        return ToolCall(id, name, arguments)

    def _result(self, number: int, time: int | None, message: dict[str, Any], where: str) -> ToolResult:
        call = message.get("tool_call_id")
        if not isinstance(call, str) or call not in self.proposed:
            raise _Malformed(f"{where} answers the tool call `{call}`, which no message before it makes")
        content = message.get("content")
        failed = isinstance(content, str) and content.startswith("Error")
        return ToolResult(number, time, call, content, failed)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Malformed(f"{what} is not a JSON object")
    return value


def _text_bytes(content: Any) -> int:
    """The bytes of a message's text; parts that are no text (images) are counted as their JSON."""
    if content is None:
        return 0
    if isinstance(content, str):
        return len(content.encode())
    if isinstance(content, list):
        return sum(
            _text_bytes(part.get("text", part) if isinstance(part, dict) else part) for part in content
        )
    return len(json.dumps(content, ensure_ascii=False).encode())


def _time(value: Any, where: str) -> int | None:
    """A message's time in nanoseconds since the epoch, or None if it has none."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1_000_000) * 1000
        if not isinstance(value, bool) and 0 <= value < 1e10:
            return int(Decimal(str(value)).scaleb(9))
    except (TypeError, ValueError, OverflowError, InvalidOperation):
        pass
    raise _Malformed(f"the time of {where} is neither seconds nor ISO 8601")
