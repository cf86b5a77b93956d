"""What a server said when it refused a call: its status, its own words for the reason, how long to wait.

Nothing is imported from any client. Their exceptions differ in names only, and all of them are read here:
OpenAI, Anthropic, Gemini, Bedrock (botocore), httpx, requests, urllib, aiohttp.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_KIND_BY_STATUS = {
    401: "auth", 402: "billing", 403: "auth", 407: "auth", 408: "timeout", 409: "unavailable",
    413: "context_too_long", 425: "unavailable", 429: "rate_limited", 504: "timeout", 522: "timeout",
    524: "timeout",
}  # fmt: skip

# The servers' words for a reason, in lower case. They say more than the status, which is 200 in a stream.
_KIND_BY_CODE = {
    code: kind
    for kind, codes in {
        "rate_limited": "rate_limit_exceeded rate_limit_error resource_exhausted throttlingexception"
        " toomanyrequestsexception throttling",
        "quota_exhausted": "insufficient_quota quota_exceeded servicequotaexceededexception",
        "billing": "billing_hard_limit_reached billing_not_active billing_error payment_required",
        "auth": "invalid_api_key authentication_error permission_error permission_denied unauthenticated"
        " accessdeniedexception unrecognizedclientexception expiredtokenexception invalidsignatureexception"
        " account_deactivated",
        "content_policy": "content_filter content_policy_violation",
        "context_too_long": "context_length_exceeded request_too_large exceed_context_size_error",
        "unavailable": "overloaded_error api_error server_error internal_server_error unavailable internal"
        " slow_down serviceunavailableexception internalserverexception modelnotreadyexception"
        " modelstreamerrorexception",
        "timeout": "deadline_exceeded timeout_error modeltimeoutexception",
    }.items()
    for code in codes.split()
}

# What a message says where status and code say only that the request was wrong.
_KIND_BY_PHRASE = {
    "credit balance is too low": "billing",
    "maximum context length": "context_too_long",
    "prompt is too long": "context_too_long",
    "input is too long": "context_too_long",
    "exceed context limit": "context_too_long",
    "exceeds the maximum number of tokens": "context_too_long",
    "exceeds the available context size": "context_too_long",
    "content management policy": "content_policy",
    "content filtering policy": "content_policy",
}

# Statuses with which a model refuses a request before its first token.
_UNBILLED = frozenset({400, 401, 402, 403, 404, 405, 407, 411, 413, 415, 422, 425, 429, 503, 529})

# 100 days, in seconds; a server that asks for more is answered as if for these.
_RETRY_AFTER_MAX = 8_640_000.0

# The longest body that is looked at.
_BODY_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's refusal. `status` is None or 200 if it came in a stream that had begun well."""

    status: int | None
    codes: tuple[str, ...]
    message: str
    retry_after: float | None

    @property
    def kind(self) -> str:
        """The error kind, in the policy's words."""
        for code in self.codes:
            if (kind := _KIND_BY_CODE.get(code.lower())) is not None:
                return kind
        message = self.message.lower()
        kind = "unknown" if self.status is None else _kind_of_status(self.status)
        if kind in ("invalid_request", "unknown"):
            return next((said for phrase, said in _KIND_BY_PHRASE.items() if phrase in message), kind)
        return kind

    @property
    def is_unbilled(self) -> bool:
        """Whether a model did nothing for the request, as far as its status says."""
        return self.status in _UNBILLED


def _kind_of_status(status: int) -> str:
    kind = _KIND_BY_STATUS.get(status)
    if kind is not None:
        return kind
    if 400 <= status < 500:
        return "invalid_request"
    return "unavailable" if 500 <= status < 600 else "unknown"


def answer_of(error: BaseException) -> Answer | None:
    """What a server answered, if `error` says so; None if no answer is behind it."""
    response = getattr(error, "response", None)
    bodies = [body for body in _bodies(error, response) if body]
    status = _status(error, response)
    codes = tuple(dict.fromkeys(_codes(error, bodies)))
    if not bodies and status is None:
        return None  # whatever such an exception calls its attributes, no server said it
    if (status is None or status < 400) and not any(code.lower() in _KIND_BY_CODE for code in codes):
        return None
    message = " ".join([str(error), *(str(body.get("message", "")) for body in bodies)])
    return Answer(status, codes, message[:_BODY_MAX], _retry_after(_headers(error, response), bodies))


def _status(error: BaseException, response: Any) -> int | None:
    meta = response.get("ResponseMetadata") if isinstance(response, Mapping) else None
    if isinstance(meta, Mapping):
        return _whole(meta.get("HTTPStatusCode"))
    for holder in (error, response):
        for name in ("status_code", "status", "code"):
            status = _whole(getattr(holder, name, None))
            if status is not None:
                return status
    return None


def _whole(status: Any) -> int | None:
    plain = isinstance(status, int) and not isinstance(status, bool)
    return int(status) if plain and 100 <= status < 600 else None


def _headers(error: BaseException, response: Any) -> Mapping[str, Any]:
    if isinstance(response, Mapping):
        found = (response.get("ResponseMetadata") or {}).get("HTTPHeaders")
    else:
        found = getattr(response, "headers", None) or getattr(error, "headers", None)
    items: Any = getattr(found, "items", {}.items)
    return {str(name).lower(): value for name, value in items()}


def _bodies(error: BaseException, response: Any) -> Iterator[Mapping[str, Any]]:
    """The parts of a body that may have a code and a message, wherever a client keeps them."""
    for found in (getattr(error, "body", None), getattr(error, "details", None), response, _read(response)):
        if isinstance(found, Mapping):
            yield found
            for name in ("error", "Error"):
                if isinstance(found.get(name), Mapping):
                    yield found[name]


def _read(response: Any) -> Any:
    """The body of a response of httpx or requests, if it was read already: nothing is waited for here."""
    body = getattr(response, "_content", None)  # a property of its name would read it from the network
    if not isinstance(body, bytes) or len(body) > _BODY_MAX:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return None


def _codes(error: BaseException, bodies: list[Mapping[str, Any]]) -> Iterator[str]:
    if any(_lasts_for_the_day(body) for body in bodies):
        yield "quota_exceeded"
    holders: list[Any] = [vars(error) if hasattr(error, "__dict__") else {}, *bodies]
    for name in ("code", "Code", "type", "status"):
        for holder in holders:
            code = holder.get(name)
            if isinstance(code, str):
                yield code


def _lasts_for_the_day(body: Mapping[str, Any]) -> bool:
    """Gemini has one code for a busy minute and for a day's quota that is gone; the quota's name tells."""
    violations = [each for detail in _details(body) for each in detail.get("violations") or ()]
    return any("PerDay" in str(each.get("quotaId")) for each in violations if isinstance(each, Mapping))


def _details(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = body.get("details")
    return [each for each in details if isinstance(each, Mapping)] if isinstance(details, list) else []


def _retry_after(headers: Mapping[str, Any], bodies: list[Mapping[str, Any]]) -> float | None:
    """How long the server asks to wait, in seconds; what is no time asks for nothing."""
    millis = _number(headers.get("retry-after-ms"))
    if millis is not None:
        return min(millis / 1000, _RETRY_AFTER_MAX)
    text = headers.get("retry-after")
    if text is not None:
        seconds = _number(text)
        asked = seconds if seconds is not None else _until(str(text), headers.get("date"))
        return None if asked is None else min(asked, _RETRY_AFTER_MAX)
    delays = [each.get("retryDelay") for body in bodies for each in _details(body)]
    asked = max((_number(str(delay).removesuffix("s")) or 0.0 for delay in delays if delay), default=None)
    return None if asked is None else min(asked, _RETRY_AFTER_MAX)


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if value >= 0 else None


def _until(text: str, sent: Any) -> float | None:
    """Seconds until a date, by the clock of the server that gives it, if it says what that shows."""
    then, now = _date(text), _date(str(sent)) or datetime.now(UTC)
    return None if then is None else max(0.0, (then - now).total_seconds())


def _date(text: str) -> datetime | None:
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
