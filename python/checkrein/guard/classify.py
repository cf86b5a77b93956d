"""What went wrong in a call, in the policy's words: from the exceptions that real clients raise.

Nothing is imported from any client: HTTP clients and SDKs agree on `status_code`, `response` and a
few attribute names, which is what is read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from checkrein.errors import CheckreinError
from checkrein.guard.usage import NOTHING, UNKNOWN, Usage

_KIND_BY_STATUS = {
    400: "invalid_request", 401: "auth", 402: "billing", 403: "auth", 404: "invalid_request",
    408: "timeout", 409: "unavailable", 413: "context_too_long", 422: "invalid_request",
    429: "rate_limited", 500: "unavailable", 502: "unavailable", 503: "unavailable",
    504: "timeout", 529: "unavailable",
}  # fmt: skip

# Error codes in a response body that say more than its status.
_KIND_BY_CODE = {
    "insufficient_quota": "quota_exhausted",
    "billing_hard_limit_reached": "billing",
    "context_length_exceeded": "context_too_long",
    "content_filter": "content_policy",
    "content_policy_violation": "content_policy",
}

# The base of what LangGraph raises to leave a node without an error, and its kind that pauses a graph.
_STEERING, _PAUSING = "GraphBubbleUp", "GraphInterrupt"

_LOST_CONNECTION = frozenset({"APIConnectionError", "ConnectError", "RemoteProtocolError", "ReadError"})

# Statuses that providers answer before any token is produced, so that nothing is billed.
_UNBILLED = frozenset({400, 401, 402, 403, 404, 413, 422, 429, 503, 529})

# 100 days, in seconds; a server that asks for more is answered as if for these.
_RETRY_AFTER_MAX = 8_640_000.0

# How far a chain of causes is followed: it may be a circle.
_CAUSES_MAX = 8


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt. `retry_after` in seconds; `billed` None when it can't be known."""

    kind: str
    usage: Usage
    status: int | None = None
    retry_after: float | None = None
    billed: bool | None = None


def classify(error: BaseException, point: str) -> Failure:
    """The failure behind `error` at a `model` or `tool` point.

    An unknown outcome (a timeout, a lost connection in the middle) keeps the whole hold. An error
    of ours from further inside (a model called by a tool), and what a framework raises to steer its
    own graph, is passed on, never retried.
    """
    # What is no `Exception` gave the attempt up: a cancelled task, a closed generator, Ctrl-C, exit.
    names = {kind.__name__ for kind in type(error).__mro__}
    if not isinstance(error, Exception) or _STEERING in names or _refused_inside(error):
        return Failure("cancelled", UNKNOWN)
    try:
        return _read(error, names, point)
    except Exception:  # noqa: BLE001 -- an attribute of the host's error that can't be read says nothing
        return Failure("tool_failure" if point == "tool" else "unknown", UNKNOWN)


def _read(error: BaseException, names: set[str], point: str) -> Failure:
    status = _status(error)
    if status is not None:
        kind = _KIND_BY_CODE.get(_code(error)) or _KIND_BY_STATUS.get(status) or "unknown"
        billed = False if status in _UNBILLED else None
        usage = NOTHING if billed is False else UNKNOWN
        return Failure(kind, usage, status, _retry_after(error), billed)
    if isinstance(error, TimeoutError) or any("Timeout" in name for name in names):
        return Failure("timeout", UNKNOWN)
    if _connection_refused(error):
        return Failure("unavailable", NOTHING, billed=False)
    # Raised while a refused connection was handled, it says nothing about what was done instead.
    if (
        isinstance(error, ConnectionError)
        or names & _LOST_CONNECTION
        or _connection_refused(error, implied=True)
    ):
        return Failure("unavailable", UNKNOWN)
    return Failure("tool_failure" if point == "tool" else "unknown", UNKNOWN)


def pauses(error: BaseException) -> bool:
    """Whether `error` suspends the host's call: it will be run again, from its top, when it resumes."""
    return any(kind.__name__ == _PAUSING for kind in type(error).__mro__)


def _refused_inside(error: BaseException | None) -> bool:
    """Whether an error of ours is behind `error`: itself, its cause, or one of a group."""
    seen = 0
    while error is not None and seen < _CAUSES_MAX:
        if isinstance(error, CheckreinError):
            return True
        if isinstance(error, BaseExceptionGroup) and any(map(_refused_inside, error.exceptions)):
            return True
        error = error.__cause__
        seen += 1
    return False


def _status(error: BaseException) -> int | None:
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int) and not isinstance(status, bool):
            return status
    return None


def _code(error: BaseException) -> str:
    code = getattr(error, "code", None)
    if isinstance(code, str):
        return code
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict):
            return str(inner.get("code") or inner.get("type") or "")
    return ""


def _connection_refused(error: BaseException | None, *, implied: bool = False) -> bool:
    seen = 0
    while error is not None and seen < _CAUSES_MAX:
        if isinstance(error, ConnectionRefusedError):
            return True
        error = error.__cause__ or (error.__context__ if implied else None)
        seen += 1
    return False


def _retry_after(error: BaseException) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None)
    if headers is None:
        return None
    millis = _number(headers.get("retry-after-ms"))
    if millis is not None:
        return millis / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    return seconds if seconds is not None or text is None else _until(text)


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return min(value, _RETRY_AFTER_MAX) if value >= 0 else None


def _until(text: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max(0.0, (when - datetime.now(UTC)).total_seconds()), _RETRY_AFTER_MAX)
