"""Whatever a server reports, what is read of it can be settled: parts within their wholes, never an error."""

from hypothesis import given, settings
from hypothesis import strategies as st

from checkrein.guard.usage import merge_usage, read_usage

from .test_dialects import ANTHROPIC, CHAT, CONVERSE, GEMINI, LANGCHAIN, PLAIN, RESPONSES

NAMES = sorted(
    {name for report in (ANTHROPIC, CHAT, CONVERSE, GEMINI, LANGCHAIN, PLAIN, RESPONSES) for name in report}
    | {
        "prompt_tokens_details",
        "cached_tokens",
        "reasoning_tokens",
        "audio_tokens",
        "cache_read",
        "reasoning",
    }
    | {"eval_count", "prompt_eval_count", "timings", "prompt_n", "cache_n", "predicted_n", "stop", "choices"}
)
COUNTS = st.one_of(
    st.integers(0, 50),
    st.integers(-(2**64), 2**64),
    st.none(),
    st.booleans(),
    st.floats(),
    st.text(max_size=3),
)
PARTS = st.dictionaries(st.sampled_from(NAMES), COUNTS, max_size=6)
REPORTS = st.dictionaries(st.sampled_from(NAMES), COUNTS | PARTS | st.lists(PARTS, max_size=2), max_size=10)
SIDES = st.sampled_from([("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens")])


@st.composite
def events(draw):
    report = draw(REPORTS)
    for name in draw(SIDES):
        report.setdefault(name, draw(st.integers(0, 60)))
    place = draw(st.sampled_from(["usage", "usage_metadata", "usageMetadata", "message", "metadata", None]))
    kind = draw(st.sampled_from([None, "message_start", "message_delta", "response.completed"]))
    inner = {"usage": report} if place in ("message", "metadata") else report
    return {"type": kind, **(report if place is None else {place: inner})}


def check(usage):
    if usage is None:
        return
    assert usage.kind in ("exact", "at_least", "unknown")
    assert 0 <= usage.input_tokens < 2**53
    assert 0 <= usage.output_tokens < 2**53
    assert min(usage.cache_read_tokens, usage.cache_write_tokens, usage.reasoning_tokens) >= 0
    assert usage.cache_read_tokens + usage.cache_write_tokens <= usage.input_tokens
    assert usage.reasoning_tokens <= usage.output_tokens


@settings(max_examples=300)
@given(events())
def test_a_report_of_any_shape_is_read_soundly(event):
    check(read_usage(event))


@settings(max_examples=300)
@given(st.lists(events(), max_size=5))
def test_a_stream_of_any_reports_never_takes_back_what_it_said(stream):
    seen = None
    for event in stream:
        new = read_usage(event)
        merged = merge_usage(seen, new)
        check(merged)
        for earlier in (seen, new):
            if earlier is not None and merged.kind != "unknown":
                assert merged.input_tokens >= earlier.input_tokens
                assert merged.output_tokens >= earlier.output_tokens
        seen = merged
