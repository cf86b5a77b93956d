"""How each provider writes down what a call used, read into one form.

The form is inclusive: input has the tokens read from and written to a cache in it, output the reasoning.
Some providers count these inside, some beside; docs/prices.md has the table. A report that contradicts
itself, or that has tokens which a tariff does not know (audio, a cache of one hour), is not exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

COUNT_MAX = 2**53 - 1
"""More than the engine counts is a report that cannot be right."""

Part = Literal["", "input", "output", "delta"]
"""Which part of a stream's report this is: all of it, one side, or what one chunk adds."""


class Counts(NamedTuple):
    """One report, inclusive; not `exact` if more may have been used."""

    exact: bool
    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    part: Part = ""


def read_counts(response: Any) -> Counts | None:
    """What `response`, or one event of a stream, reports; None if it reports nothing that can be read."""
    kind = get(response, "type")
    if kind == "message_start":
        found = _usage(get(get(response, "message"), "usage"), kind)
        return found and found._replace(exact=False, part="input")
    if isinstance(kind, str) and kind.startswith("response."):
        response = get(response, "response") or response
    report = get(response, "usage")
    if report is None:
        report = get(get(response, "metadata"), "usage")  # an event of Bedrock's stream
    if report is not None and (found := _usage(report, kind)) is not None:
        return found
    if (report := get(response, "usageMetadata")) is not None:
        return _gemini(report)
    if (report := get(response, "usage_metadata")) is not None:
        if get(report, "input_tokens") is None:
            return _gemini(report)
        found = _responses(report)
        chunk = type(response).__name__.endswith("MessageChunk")  # LangChain's: their counts add up
        return found._replace(part="delta") if found and chunk else found
    return _bare(response)


def get(holder: Any, name: str) -> Any:
    """`name` of a mapping or an object, or None."""
    if isinstance(holder, Mapping):
        return holder.get(name)
    return getattr(holder, name, None)


class _Reading:
    """Reads counts and remembers whether all of them can be right."""

    def __init__(self) -> None:
        self.sound = True

    def count(self, holder: Any, *names: str) -> int | None:
        """The first of `names` that is there; one that is no count makes the report unsound."""
        for name in names:
            value = get(holder, name)
            if value is not None:
                if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= COUNT_MAX:
                    return value
                self.sound = False
                return None
        return None

    def part(self, holder: Any, *names: str) -> int:
        """As `count`, with 0 for one that is not there."""
        return self.count(holder, *names) or 0

    def apart(self, holder: Any, *names: str) -> None:
        """Tokens or calls that no tariff knows: the report is a lower bound if there are any."""
        if any(self.part(holder, name) for name in names):
            self.sound = False

    def output(self, used: int, answer: int, reasoning: int, total: int | None, *, beside: bool) -> int:
        """All the output, by the total if there is one: is reasoning in the answer or beside it?"""
        if total is None:
            return answer + reasoning if beside or reasoning > answer else answer
        if total == used + answer and reasoning <= answer:
            return answer
        if total == used + answer + reasoning:
            return answer + reasoning
        self.sound = False
        return max(answer, total - used)

    def counts(self, used: int, output: int, read: int, write: int, reasoning: int) -> Counts:
        """The report in one form; parts that are more than their whole are left out of it."""
        if max(used, output) > COUNT_MAX:
            return Counts(False, 0, 0)
        if read + write > used:
            self.sound, read, write = False, 0, 0
        if reasoning > output:
            self.sound, reasoning = False, 0
        return Counts(self.sound, used, output, read, write, reasoning)


def _usage(report: Any, kind: Any) -> Counts | None:
    """A `usage`, in whichever of the dialects its names are."""
    if report is None:
        return None
    if get(report, "prompt_tokens") is not None:
        return _chat(report)
    if get(report, "inputTokens") is not None:
        return _converse(report)
    if get(report, "input_tokens") is None and kind == "message_delta":
        reading = _Reading()
        output = reading.count(report, "output_tokens")
        reading.apart(get(report, "server_tool_use"), "web_search_requests")
        return None if output is None else Counts(False, 0, output, part="output" if reading.sound else "")
    names = ("cache_creation_input_tokens", "cache_read_input_tokens")
    if any(get(report, name) is not None for name in names):
        return _messages(report)
    return _responses(report)


def _chat(report: Any) -> Counts | None:
    """OpenAI's chat completions and the many servers with its interface: inclusive.

    Reasoning is inside `completion_tokens`, but beside it for a few, which the total tells.
    """
    reading = _Reading()
    used, answer = reading.count(report, "prompt_tokens"), reading.count(report, "completion_tokens")
    if used is None or answer is None:
        return None
    prompt, completion = get(report, "prompt_tokens_details"), get(report, "completion_tokens_details")
    read = reading.count(prompt, "cached_tokens")
    if read is None:
        read = reading.part(
            report,
            "cached_tokens", "cache_read_input_tokens",
            "prompt_cache_hit_tokens", "cached_prompt_text_tokens",
        )  # fmt: skip
    write = reading.count(prompt, "cache_write_tokens", "cache_creation_tokens")
    if write is None:
        write = reading.part(report, "cache_creation_input_tokens")
    inside = reading.count(completion, "reasoning_tokens")
    reasoning = reading.part(report, "reasoning_tokens") if inside is None else inside
    reading.apart(prompt, "audio_tokens")
    reading.apart(completion, "audio_tokens")
    reading.apart(report, "citation_tokens", "num_search_queries")
    total = reading.count(report, "total_tokens")
    output = reading.output(used, answer, reasoning, total, beside=inside is None)
    return reading.counts(used, output, read, write, reasoning)


def _responses(report: Any) -> Counts | None:
    """OpenAI's responses, LangChain's `usage_metadata`, and plain mappings: inclusive."""
    reading = _Reading()
    used, answer = reading.count(report, "input_tokens"), reading.count(report, "output_tokens")
    if used is None or answer is None:
        return None
    into = _first(report, "input_tokens_details", "input_token_details")
    out = _first(report, "output_tokens_details", "output_token_details")
    read = reading.count(into, "cached_tokens", "cache_read", "cache_read_input_tokens")
    if read is None:
        read = reading.part(report, "cache_read_tokens")
    write = reading.count(into, "cache_write_tokens", "cache_creation")
    if write is None:
        write = reading.part(report, "cache_write_tokens")
    hour = "ephemeral_1h_input_tokens"
    write = max(write, reading.part(into, "ephemeral_5m_input_tokens") + reading.part(into, hour))
    reasoning = reading.count(out, "reasoning_tokens", "reasoning")
    if reasoning is None:
        reasoning = reading.part(report, "reasoning_tokens")
    reading.apart(into, hour, "audio", "audio_tokens")
    reading.apart(out, "audio", "audio_tokens")
    total = reading.count(report, "total_tokens")
    output = reading.output(used, answer, reasoning, total, beside=False)
    return reading.counts(used, output, read, write, reasoning)


def _messages(report: Any) -> Counts | None:
    """Anthropic's messages: cache tokens are beside `input_tokens`, thinking is inside `output_tokens`."""
    reading = _Reading()
    fresh, output = reading.count(report, "input_tokens"), reading.count(report, "output_tokens")
    if fresh is None or output is None:
        return None
    read = reading.part(report, "cache_read_input_tokens")
    write = reading.part(report, "cache_creation_input_tokens")
    hour = "ephemeral_1h_input_tokens"
    by_age = get(report, "cache_creation")
    write = max(write, reading.part(by_age, "ephemeral_5m_input_tokens") + reading.part(by_age, hour))
    reasoning = reading.part(get(report, "output_tokens_details"), "thinking_tokens")
    reading.apart(by_age, hour)
    reading.apart(get(report, "server_tool_use"), "web_search_requests")
    return reading.counts(fresh + read + write, output, read, write, reasoning)


def _converse(report: Any) -> Counts | None:
    """Bedrock's converse: cache tokens are beside `inputTokens`."""
    reading = _Reading()
    fresh, output = reading.count(report, "inputTokens"), reading.count(report, "outputTokens")
    if fresh is None or output is None:
        return None
    read = reading.part(report, "cacheReadInputTokens", "cacheReadInputTokenCount")
    write = reading.part(report, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
    for age in _items(get(report, "cacheDetails")):
        if get(age, "ttl") != "5m":
            reading.apart(age, "inputTokens")
    return reading.counts(fresh + read + write, output, read, write, 0)


def _gemini(report: Any) -> Counts | None:
    """Gemini: cached tokens are inside the prompt; thoughts and the results of tools stand beside."""
    reading = _Reading()
    prompt = reading.count(report, "promptTokenCount", "prompt_token_count")
    if prompt is None:
        return None
    used = prompt + reading.part(report, "toolUsePromptTokenCount", "tool_use_prompt_token_count")
    answer = reading.count(report, "candidatesTokenCount", "candidates_token_count")
    thoughts = reading.part(report, "thoughtsTokenCount", "thoughts_token_count")
    read = reading.part(report, "cachedContentTokenCount", "cached_content_token_count")
    total = reading.count(report, "totalTokenCount", "total_token_count")
    if answer is None and total is None:
        reading.sound = False
    for name, dear in (("prompt", _SOUND), ("cache", _SOUND), ("candidates", _MADE)):
        for item in _items(_first(report, f"{name}TokensDetails", f"{name}_tokens_details")):
            modality = get(item, "modality")
            if str(getattr(modality, "value", modality)).upper() in dear:
                reading.apart(item, "tokenCount", "token_count")
    output = reading.output(used, answer or 0, thoughts, total, beside=True)
    return reading.counts(used, output, read, 0, thoughts)


_SOUND = frozenset({"AUDIO"})
_MADE = frozenset({"AUDIO", "IMAGE", "VIDEO"})


def _bare(response: Any) -> Counts | None:
    """Servers that count beside the answer itself: Ollama, and llama.cpp without its OpenAI interface."""
    reading = _Reading()
    if (output := reading.count(response, "eval_count")) is not None:
        # A prompt that is cached whole may not be counted at all.
        prompt = reading.count(response, "prompt_eval_count")
        return Counts(prompt is not None, prompt or 0, output)
    timings = get(response, "timings")
    used = reading.count(response, "tokens_evaluated")
    output = reading.count(response, "tokens_predicted")
    read = reading.part(timings, "cache_n")
    if used is None or output is None:
        fresh, output = reading.count(timings, "prompt_n"), reading.count(timings, "predicted_n")
        if fresh is None or output is None:
            return None
        used = fresh + read
        if get(timings, "cache_n") is None:  # an old server does not say what it took from its cache
            reading.sound = False
    if not _ended(response):
        reading.sound = False
    return reading.counts(used, output, read, 0, 0)


def _ended(response: Any) -> bool:
    """Whether an answer of llama.cpp is the last of its stream."""
    if get(response, "stop") is True:
        return True
    choices = list(_items(get(response, "choices")))
    return bool(choices) and all(get(choice, "finish_reason") is not None for choice in choices)


def _first(holder: Any, *names: str) -> Any:
    return next((value for name in names if (value := get(holder, name)) is not None), None)


def _items(value: Any) -> Iterable[Any]:
    return value if isinstance(value, (list, tuple)) else ()
