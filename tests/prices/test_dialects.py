"""How every provider reports usage: the same call costs the same through all of them."""

from types import SimpleNamespace

import pytest
from genai_prices.data import providers
from langchain_core.messages import AIMessage, AIMessageChunk

from checkrein import prices
from checkrein.guard.usage import UNKNOWN, Usage, add_usage, lower_bound, merge_usage, read_usage

# One call: 10,000 input tokens, 6,000 of them read from a cache and 1,000 written to one; 800 output
# tokens, 300 of them reasoning.
CALL = Usage("exact", 10_000, 800, cache_read_tokens=6_000, cache_write_tokens=1_000, reasoning_tokens=300)

CHAT = {
    "prompt_tokens": 10_000,
    "completion_tokens": 800,
    "prompt_tokens_details": {"cached_tokens": 6_000, "cache_write_tokens": 1_000},
    "completion_tokens_details": {"reasoning_tokens": 300},
}
BESIDE = {**CHAT, "completion_tokens": 500, "total_tokens": 10_800}
RESPONSES = {
    "input_tokens": 10_000,
    "output_tokens": 800,
    "total_tokens": 10_800,
    "input_tokens_details": {"cached_tokens": 6_000, "cache_write_tokens": 1_000},
    "output_tokens_details": {"reasoning_tokens": 300},
}
ANTHROPIC = {
    "input_tokens": 3_000,
    "cache_read_input_tokens": 6_000,
    "cache_creation_input_tokens": 1_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 1_000, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 800,
    "output_tokens_details": {"thinking_tokens": 300},
}
CONVERSE = {
    "inputTokens": 3_000,
    "outputTokens": 800,
    "totalTokens": 10_800,
    "cacheReadInputTokens": 6_000,
    "cacheWriteInputTokens": 1_000,
}
GEMINI = {
    "promptTokenCount": 9_900,
    "toolUsePromptTokenCount": 100,
    "cachedContentTokenCount": 6_000,
    "candidatesTokenCount": 500,
    "thoughtsTokenCount": 300,
    "totalTokenCount": 10_800,
}
LANGCHAIN = {
    "input_tokens": 10_000,
    "output_tokens": 800,
    "total_tokens": 10_800,
    "input_token_details": {"cache_read": 6_000, "cache_creation": 1_000},
    "output_token_details": {"reasoning": 300},
}
PLAIN = {
    "input_tokens": 10_000,
    "output_tokens": 800,
    "cache_read_tokens": 6_000,
    "cache_write_tokens": 1_000,
    "reasoning_tokens": 300,
}

WHOLE = {
    "openai chat": {"usage": CHAT},
    "openai chat with a total": {"usage": {**CHAT, "total_tokens": 10_800}},
    "chat with reasoning beside": {"usage": BESIDE},
    "openai responses": {"usage": RESPONSES},
    "openai responses event": {"type": "response.completed", "response": {"usage": RESPONSES}},
    "anthropic": {"type": "message", "usage": ANTHROPIC},
    "langchain": AIMessage("", usage_metadata=LANGCHAIN),
    "langchain chunk": AIMessageChunk("", usage_metadata=LANGCHAIN),
    "plain": {"usage": PLAIN},
}
# What these do not tell apart is at its whole's price: no cache write, no reasoning.
PARTLY = {
    "gemini": ({"usageMetadata": GEMINI}, {"cache_write_tokens": 0}),
    "bedrock": ({"usage": CONVERSE}, {"reasoning_tokens": 0}),
    "bedrock event": ({"metadata": {"usage": CONVERSE}}, {"reasoning_tokens": 0}),
    "deepseek": (
        {"usage": {"prompt_tokens": 10_000, "completion_tokens": 800, "prompt_cache_hit_tokens": 6_000}},
        {"cache_write_tokens": 0, "reasoning_tokens": 0},
    ),
    "llama.cpp timings": (
        {"stop": True, "timings": {"prompt_n": 4_000, "cache_n": 6_000, "predicted_n": 800}},
        {"cache_write_tokens": 0, "reasoning_tokens": 0},
    ),
    "llama.cpp completion": (
        {"stop": True, "tokens_evaluated": 10_000, "tokens_predicted": 800, "timings": {"cache_n": 6_000}},
        {"cache_write_tokens": 0, "reasoning_tokens": 0},
    ),
    "ollama": (
        {"done": True, "prompt_eval_count": 10_000, "eval_count": 800},
        {"cache_read_tokens": 0, "cache_write_tokens": 0, "reasoning_tokens": 0},
    ),
}


def as_object(value):
    """The same report as a client's objects have it."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_object(part) for name, part in value.items()})
    return value


def changed(usage, **parts):
    names = ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
    kept = {name: getattr(usage, name) for name in names}
    return Usage(usage.kind, usage.input_tokens, usage.output_tokens, **{**kept, **parts})


def cost(target, usage):
    return prices.cost(
        prices.tariffs(target, "$"),
        usage.input_tokens,
        usage.output_tokens,
        cache_read=usage.cache_read_tokens,
        cache_write=usage.cache_write_tokens,
        reasoning=usage.reasoning_tokens,
    )


@pytest.mark.parametrize("name", WHOLE)
def test_failures_25_and_26_the_same_call_costs_the_same_through_every_provider(name):
    for response in (WHOLE[name], as_object(WHOLE[name])):
        used = read_usage(response)
        assert used == CALL
        # 3,000 x $3 + 6,000 x $0.30 + 1,000 x $3.75 + 800 x $15, a million
        assert cost("anthropic/claude-sonnet-4-5", used) == 26_550_000


@pytest.mark.parametrize("name", PARTLY)
def test_failures_25_and_26_what_a_provider_does_not_tell_is_at_its_wholes_price(name):
    report, less = PARTLY[name]
    for response in (report, as_object(report)):
        assert read_usage(response) == changed(CALL, **less)


def test_gemini_by_its_client_has_other_names():
    names = {
        "prompt_token_count": 9_900,
        "tool_use_prompt_token_count": 100,
        "cached_content_token_count": 6_000,
    }
    names |= {"candidates_token_count": 500, "thoughts_token_count": 300, "total_token_count": 10_800}
    response = SimpleNamespace(usage_metadata=SimpleNamespace(**names))
    assert read_usage(response) == read_usage({"usageMetadata": GEMINI})


THEIRS = [
    ("openai", "chat", {"usage": CHAT}),
    ("openai", "responses", {"usage": RESPONSES}),
    ("x-ai", "chat", {"usage": {**BESIDE, "prompt_tokens_details": {"cached_tokens": 6_000}}}),
    ("anthropic", "default", {"usage": ANTHROPIC}),
    ("aws", "default", {"usage": CONVERSE}),
    ("google", "default", {"usageMetadata": GEMINI}),
    ("moonshotai", "chat", {"usage": {**CHAT, "total_tokens": 10_800}}),
]


@pytest.mark.parametrize(("provider", "flavour", "response"), THEIRS, ids=[f"{p} {f}" for p, f, _ in THEIRS])
def test_the_source_of_the_prices_reads_the_same(provider, flavour, response):
    place = next(p for p in providers if p.id == provider)
    _model, theirs = place.extract_usage({"model": "m", **response}, api_flavor=flavour)
    ours = read_usage(response)
    reported = theirs.__dict__
    assert reported["input_tokens"] == ours.input_tokens
    assert reported["output_tokens"] == ours.output_tokens
    assert reported.get("cache_read_tokens", 0) == ours.cache_read_tokens
    assert reported.get("cache_write_tokens", 0) == ours.cache_write_tokens
    assert reported.get("output_reasoning_tokens", 0) == ours.reasoning_tokens


# -- reports that are not believed -------------------------------------------------------------------

WRONG = {
    "more cached than sent": {"usage": {**PLAIN, "cache_read_tokens": 9_001}},
    "more reasoning than output": {"usage": {**PLAIN, "reasoning_tokens": 801, "total_tokens": 10_800}},
    "a negative part": {"usage": {**PLAIN, "cache_read_tokens": -1}},
    "a part of a token": {"usage": {**PLAIN, "reasoning_tokens": 300.0}},
    "a flag": {"usage": {**PLAIN, "cache_write_tokens": True}},
    "a text": {"usage": {**PLAIN, "cache_write_tokens": "7"}},
    "too many": {"usage": {**PLAIN, "cache_write_tokens": 2**53}},
    "a total that is less": {"usage": {**RESPONSES, "total_tokens": 10_799}},
    "a total of zero": {"usage": {**RESPONSES, "total_tokens": 0}},
    "audio in": {"usage": {**CHAT, "prompt_tokens_details": {"audio_tokens": 5}}},
    "audio out": {"usage": {**CHAT, "completion_tokens_details": {"audio_tokens": 5}}},
    "a cache of an hour": {"usage": {**ANTHROPIC, "cache_creation": {"ephemeral_1h_input_tokens": 1_000}}},
    "a cache of an hour, bedrock": {"usage": {**CONVERSE, "cacheDetails": [{"ttl": "1h", "inputTokens": 9}]}},
    "a search by the provider": {"usage": {**ANTHROPIC, "server_tool_use": {"web_search_requests": 1}}},
    "gemini audio": {
        "usageMetadata": {**GEMINI, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 5}]}
    },
    "an answer in the middle": {"tokens_evaluated": 10_000, "tokens_predicted": 800, "stop": False},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_report_that_contradicts_itself_is_a_lower_bound(name):
    used = read_usage(WRONG[name])
    assert used.kind == "at_least"
    assert (used.input_tokens, used.output_tokens) == (10_000, 800)
    assert used.cache_read_tokens + used.cache_write_tokens <= used.input_tokens
    assert used.reasoning_tokens <= used.output_tokens


def test_a_total_that_is_more_is_believed_as_a_bound():
    assert read_usage({"usage": {**RESPONSES, "total_tokens": 11_000}}) == changed(
        Usage("at_least", 10_000, 1_000),
        cache_read_tokens=6_000, cache_write_tokens=1_000, reasoning_tokens=300,
    )  # fmt: skip


@pytest.mark.parametrize("value", [-1, 1.0, True, "10", 2**53, None, [1]], ids=repr)
@pytest.mark.parametrize("name", ["input_tokens", "output_tokens"])
def test_without_a_count_of_both_sides_nothing_is_known(name, value):
    used = read_usage({"usage": {**RESPONSES, name: value}})
    assert used is None or used.kind == "unknown"


@pytest.mark.parametrize(
    "response", [None, {}, "text", b"", 7, {"usage": None}, {"usage": {}}, {"usage": "x"}, object()]
)
def test_no_report_is_none(response):
    assert read_usage(response) is None


def test_failure_29_an_explicit_zero_is_a_report():
    assert read_usage({"usage": {"prompt_tokens": 0, "completion_tokens": 0}}) == Usage("exact")


def test_old_calls_of_usage_stay_valid():
    assert Usage("exact", 1, 2) == Usage("exact", 1, 2, reasoning_tokens=0)
    assert read_usage(CALL) is CALL


# -- streams -----------------------------------------------------------------------------------------


def stream(*events):
    seen = None
    for event in events:
        seen = merge_usage(seen, read_usage(event))
    return seen


START = {
    "type": "message_start",
    "message": {"usage": {**ANTHROPIC, "output_tokens": 1, "output_tokens_details": None}},
}
WORD = {"type": "content_block_delta", "delta": {"text": "a"}}
DELTA = {"type": "message_delta", "usage": {"output_tokens": 800}}


def test_an_anthropic_stream_has_its_input_first_and_its_output_last():
    assert stream(START, WORD, DELTA) == changed(CALL, reasoning_tokens=0)
    assert stream(START, WORD, {**DELTA, "usage": {"output_tokens": 9}}, DELTA) == changed(
        CALL, reasoning_tokens=0
    )
    assert stream(START, {"type": "message_delta", "usage": ANTHROPIC}) == CALL


def test_failure_29_an_anthropic_stream_that_is_cut_is_a_lower_bound():
    assert stream(START, WORD).kind == "at_least"
    assert stream(WORD, DELTA) == Usage("at_least", 0, 800)
    assert lower_bound(stream(START, DELTA)).kind == "at_least"
    assert lower_bound(stream(START, DELTA)).cache_read_tokens == 6_000
    assert lower_bound(None) == UNKNOWN
    searched = {"output_tokens": 800, "server_tool_use": {"web_search_requests": 2}}
    assert stream(START, {"type": "message_delta", "usage": searched}).kind == "at_least"


def test_running_totals_are_not_added():
    first, last = ({"usage": {"prompt_tokens": 10, "completion_tokens": n}} for n in (1, 5))
    assert stream(first, {}, last) == Usage("exact", 10, 5)


def test_a_total_that_takes_something_back_is_a_lower_bound():
    first, last = ({"usage": {"prompt_tokens": 10, "completion_tokens": n}} for n in (5, 0))
    assert stream(first, last) == Usage("at_least", 10, 5)


def test_the_chunks_of_langchain_add_up():
    def chunk(into, out):
        counts = {"input_tokens": into, "output_tokens": out, "total_tokens": into + out}
        return AIMessageChunk("", usage_metadata=counts)

    chunks = [chunk(10, 0), chunk(0, 3), chunk(0, 4)]
    assert stream(*chunks) == Usage("exact", 10, 7)
    assert read_usage(chunks[0] + chunks[1] + chunks[2]) == Usage("exact", 10, 7)


def test_what_is_unknown_in_between_makes_the_rest_a_bound():
    assert merge_usage(Usage("exact", 1, 2), UNKNOWN) == Usage("at_least", 1, 2)
    assert merge_usage(UNKNOWN, Usage("exact", 1, 2)) == Usage("at_least", 1, 2)
    assert merge_usage(None, None) is None


def test_answers_add_up_to_what_is_known_of_all():
    assert add_usage([CALL, CALL]) == Usage(
        "exact", 20_000, 1_600, cache_read_tokens=12_000, cache_write_tokens=2_000, reasoning_tokens=600
    )
    assert add_usage([CALL, lower_bound(CALL)]).kind == "at_least"
    assert add_usage([CALL, UNKNOWN]).kind == "at_least"
    assert add_usage([UNKNOWN, UNKNOWN]) == UNKNOWN
    assert add_usage([Usage("exact", 2**53 - 1), Usage("exact", 1)]) == UNKNOWN
    assert add_usage([]) == Usage("exact")
