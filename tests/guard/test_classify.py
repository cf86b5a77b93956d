"""What real clients raise, in the policy's words: their own exceptions, from a real server's answers."""

import asyncio
import socket
import urllib.request

import anthropic
import httpx
import openai
import pytest
import requests

from checkrein import Denied
from checkrein.guard.classify import classify

from .answering import (
    Answering,
    of_anthropic,
    of_bedrock,
    of_gemini,
    of_httpx,
    of_openai,
    of_requests,
)

CLIENTS = [of_openai, of_anthropic, of_gemini, of_bedrock, of_httpx, of_requests]


@pytest.fixture(scope="module")
def server():
    answering = Answering()
    yield answering
    answering.close()


def raised(call, *args, point="model", **options):
    """The failure that a call ends with."""
    with pytest.raises(Exception) as caught:
        call(*args, **options)
    return classify(caught.value, point)


def openai_says(code, message="No.", kind="invalid_request_error"):
    return {"error": {"message": message, "type": kind, "code": code}}


def anthropic_says(kind, message="No."):
    return {"type": "error", "error": {"type": kind, "message": message}}


def gemini_says(code, status, *details):
    return {"error": {"code": code, "message": "No.", "status": status, "details": list(details)}}


DAY = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}
MINUTE = {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]}


@pytest.mark.parametrize("call", CLIENTS)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request"), (401, "auth"), (402, "billing"), (403, "auth"), (404, "invalid_request"),
        (405, "invalid_request"), (408, "timeout"), (409, "unavailable"), (413, "context_too_long"),
        (422, "invalid_request"), (429, "rate_limited"), (500, "unavailable"), (502, "unavailable"),
        (503, "unavailable"), (504, "timeout"), (524, "timeout"), (529, "unavailable"),
    ],
)  # fmt: skip
def test_a_status_is_one_kind_with_every_client(server, call, status, kind):
    server.says(status)
    before = server.asked
    failure = raised(call, server.url)
    assert (failure.kind, failure.status, server.asked - before) == (kind, status, 1)
    charged = "unknown" if status in (408, 409, 500, 502, 504, 524) else "exact"
    assert failure.usage.kind == charged


@pytest.mark.parametrize(
    ("call", "status", "body", "kind"),
    [
        (of_openai, 429, openai_says("insufficient_quota", kind="insufficient_quota"), "quota_exhausted"),
        (of_openai, 429, openai_says("rate_limit_exceeded", kind="requests"), "rate_limited"),
        (of_openai, 429, openai_says("billing_hard_limit_reached"), "billing"),
        (of_openai, 400, openai_says("context_length_exceeded"), "context_too_long"),
        (of_openai, 400, openai_says(None, "This model's maximum context length is 8"), "context_too_long"),
        (of_openai, 400, openai_says("content_filter"), "content_policy"),
        (of_openai, 400, openai_says("content_policy_violation"), "content_policy"),
        (of_openai, 401, openai_says("invalid_api_key"), "auth"),
        (of_openai, 400, openai_says("unknown_parameter"), "invalid_request"),
        (of_anthropic, 429, anthropic_says("rate_limit_error"), "rate_limited"),
        (of_anthropic, 529, anthropic_says("overloaded_error"), "unavailable"),
        (of_anthropic, 402, anthropic_says("billing_error"), "billing"),
        (
            of_anthropic, 400,
            anthropic_says("invalid_request_error", "Your credit balance is too low"), "billing",
        ),
        (
            of_anthropic, 400,
            anthropic_says("invalid_request_error", "prompt is too long: 9 tokens > 8"), "context_too_long",
        ),
        (
            of_anthropic, 400,
            anthropic_says("invalid_request_error", "Output blocked by content filtering policy"),
            "content_policy",
        ),
        (of_anthropic, 413, anthropic_says("request_too_large"), "context_too_long"),
        (of_anthropic, 403, anthropic_says("permission_error"), "auth"),
        (of_gemini, 429, gemini_says(429, "RESOURCE_EXHAUSTED", MINUTE), "rate_limited"),
        (of_gemini, 429, gemini_says(429, "RESOURCE_EXHAUSTED", DAY), "quota_exhausted"),
        (of_gemini, 504, gemini_says(504, "DEADLINE_EXCEEDED"), "timeout"),
        (of_gemini, 403, gemini_says(403, "PERMISSION_DENIED"), "auth"),
        (of_httpx, 429, openai_says("insufficient_quota"), "quota_exhausted"),
        (of_requests, 429, openai_says("insufficient_quota"), "quota_exhausted"),
        (of_requests, 400, openai_says("context_length_exceeded"), "context_too_long"),
    ],
)  # fmt: skip
def test_the_servers_own_words_say_more_than_the_status(server, call, status, body, kind):
    server.says(status, body)
    failure = raised(call, server.url)
    assert (failure.kind, failure.status) == (kind, status)


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (429, "ThrottlingException", "Too many requests", "rate_limited"),
        (400, "ThrottlingException", "Too many requests", "rate_limited"),
        (400, "ServiceQuotaExceededException", "No more today", "quota_exhausted"),
        (400, "ValidationException", "Input is too long for requested model.", "context_too_long"),
        (400, "ValidationException", "1 validation error", "invalid_request"),
        (403, "AccessDeniedException", "No access", "auth"),
        (408, "ModelTimeoutException", "Too slow", "timeout"),
        (424, "ModelErrorException", "It failed", "invalid_request"),
        (503, "ServiceUnavailableException", "Later", "unavailable"),
    ],
)
def test_bedrock_names_its_errors_in_a_header(server, status, code, message, kind):
    server.says(status, {"message": message}, x_amzn_errortype=code)
    assert raised(of_bedrock, server.url).kind == kind


OPENAI_CHUNK = 'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\n'
ANTHROPIC_START = (
    'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message",'
    '"role":"assistant","content":[],"model":"m","stop_reason":null,"stop_sequence":null,'
    '"usage":{"input_tokens":3,"output_tokens":1}}}\n\n'
)


@pytest.mark.parametrize(
    ("call", "stream", "kind"),
    [
        (of_openai, OPENAI_CHUNK + 'data: {"error":{"message":"No.","code":"rate_limit_exceeded"}}\n\n',
         "rate_limited"),
        (of_openai, OPENAI_CHUNK + 'data: {"error":{"message":"No.","type":"server_error","code":null}}\n\n',
         "unavailable"),
        (of_anthropic, ANTHROPIC_START + 'event: error\ndata: {"type":"error","error":'
         '{"type":"overloaded_error","message":"No."}}\n\n', "unavailable"),
        (of_gemini, 'data: {"error":{"code":503,"message":"No.","status":"UNAVAILABLE"}}\r\n\r\n',
         "unavailable"),
    ],
)  # fmt: skip
def test_an_error_inside_a_stream_that_began_with_200_is_what_it_says(server, call, stream, kind):
    server.says(200, stream)
    assert raised(call, server.url, stream=True).kind == kind


@pytest.mark.parametrize("call", [of_openai, of_anthropic, of_gemini, of_bedrock, of_httpx, of_requests])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after_ms": "250", "retry_after": "9"}, 0.25),
        ({"retry_after": "0"}, 0),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "NaN"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "1e300"}, 8_640_000),
        ({"retry_after": "inf"}, 8_640_000),
        ({"retry_after": "99999999999"}, 8_640_000),
        ({"retry_after_ms": "nan", "retry_after": "2"}, 2),
        ({"retry_after": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0),
        ({"retry_after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 8_640_000),
        ({}, None),
    ],
)
def test_every_form_of_retry_after(server, call, headers, seconds):
    server.says(503, **headers)
    assert raised(call, server.url).retry_after == seconds


def test_a_date_is_read_by_the_clock_of_the_server_that_gives_it():
    dates = {"retry-after": "Thu, 01 Jan 1970 00:01:30 GMT", "date": "Thu, 01 Jan 1970 00:01:00 GMT"}
    request = httpx.Request("GET", "http://x")
    error = httpx.HTTPStatusError("", request=request, response=httpx.Response(503, headers=dates))
    assert classify(error, "model").retry_after == 30


def test_gemini_says_in_its_body_how_long_to_wait(server):
    server.says(429, gemini_says(429, "RESOURCE_EXHAUSTED", MINUTE, {"retryDelay": "36s"}))
    assert raised(of_gemini, server.url).retry_after == 36


@pytest.fixture
def nobody():
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def mute():
    """An address where somebody listens and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize(
    ("call", "charged"),
    [
        (of_openai, "exact"), (of_anthropic, "exact"), (of_gemini, "exact"), (of_httpx, "exact"),
        # These clients say in the same words that a connection broke off: nobody knows.
        (of_bedrock, "unknown"), (of_requests, "unknown"), (urllib.request.urlopen, "unknown"),
    ],
)  # fmt: skip
def test_where_nobody_listens_it_is_unavailable(nobody, call, charged):
    failure = raised(call, nobody)
    assert (failure.kind, failure.usage.kind) == ("unavailable", charged)


@pytest.mark.parametrize(
    "call",
    [
        lambda url: openai.OpenAI(
            base_url=url, api_key="none", max_retries=0, timeout=0.05
        ).chat.completions.create(model="m", messages=[]),
        lambda url: anthropic.Anthropic(
            base_url=url, api_key="none", max_retries=0, timeout=0.05
        ).messages.create(model="m", max_tokens=5, messages=[]),
        lambda url: of_bedrock(url, timeout=0.05),
        lambda url: httpx.get(url, timeout=0.05),
        lambda url: requests.get(url, timeout=0.05),
    ],
)
def test_no_answer_in_time_is_a_timeout_of_unknown_outcome(mute, call):
    failure = raised(call, mute)
    assert (failure.kind, failure.usage.kind) == ("timeout", "unknown")


@pytest.mark.parametrize(
    ("status", "kind"), [(503, "unavailable"), (429, "rate_limited"), (404, "invalid_request")]
)
def test_a_tool_that_was_refused_may_have_done_something_before(server, status, kind):
    server.says(status)
    tool = raised(of_httpx, server.url, point="tool")
    assert (tool.kind, tool.usage.kind, tool.billed) == (kind, "unknown", None)
    assert raised(of_httpx, server.url, point="model").usage.kind == "exact"


def test_a_tool_that_nobody_listened_to_may_have_done_something_before(nobody):
    tool = raised(of_httpx, nobody, point="tool")
    assert (tool.kind, tool.usage.kind, tool.billed) == ("unavailable", "unknown", None)


def test_an_attribute_of_the_hosts_own_exception_is_no_answer_of_a_server():
    error = ValueError("no")
    error.code, error.type = "unavailable", "rate_limit_error"
    assert classify(error, "tool").kind == "tool_failure"
    error.code = 7
    assert classify(error, "tool").kind == "tool_failure"


def test_who_gives_up_cancels_and_what_a_policy_refuses_is_denied():
    assert classify(asyncio.CancelledError(), "model").kind == "cancelled"
    assert classify(KeyboardInterrupt(), "tool").kind == "cancelled"
    refused = Denied.__new__(Denied)
    assert classify(refused, "tool").kind == "denied"
    group = ExceptionGroup("several", [ValueError(), refused])
    assert classify(group, "model").kind == "denied"
