"""What went wrong in a call, in the policy's words: from the exceptions that real clients raise.

Nothing is imported from any client: what their exceptions have in common is read here, what their servers
answered in `answers`.
"""

from __future__ import annotations

from dataclasses import dataclass

from checkrein.errors import CheckreinError
from checkrein.guard.answers import answer_of
from checkrein.guard.usage import NOTHING, UNKNOWN, Usage

# The base of what LangGraph raises to leave a node without an error, and its kind that pauses a graph.
_STEERING, _PAUSING = "GraphBubbleUp", "GraphInterrupt"

# What clients raise when a connection is lost or was never there, and nobody knows which.
_LOST_CONNECTION = frozenset(
    "APIConnectionError ConnectError RemoteProtocolError ReadError WriteError CloseError ConnectionError"
    " ClientConnectionError ClientPayloadError ChunkedEncodingError ConnectionClosedError"
    " EndpointConnectionError HTTPClientError ProtocolError IncompleteRead".split()
)

# Of httpx, which retries nothing that was sent: there was no connection yet.
_HTTPX = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})
_BEFORE_SENDING = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})

# How far a chain of causes is followed: it may be a circle.
_CAUSES_MAX = 8


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt. `retry_after` in seconds; `billed` None when it can't be known.

    `own`: the caller had less patience than the policy, so a timeout says nothing about whom it called.
    `fingerprint` is of the error's message: loops take errors with other ones for other errors.
    """

    kind: str
    usage: Usage
    status: int | None = None
    retry_after: float | None = None
    billed: bool | None = None
    own: bool = False
    fingerprint: int | None = None


def classify(error: BaseException, point: str) -> Failure:
    """The failure behind `error` at a `model` or `tool` point.

    An unknown outcome (a timeout, a lost connection in the middle) keeps the whole hold; so does any
    error of a tool, which may have made other requests before the one that was refused. An error
    of ours from further inside (a model called by a tool), and what a framework raises to steer its
    own graph, is passed on, never retried.
    """
    # What is no `Exception` gave the attempt up: a cancelled task, a closed generator, Ctrl-C, exit.
    names = {kind.__name__ for kind in type(error).__mro__}
    if _refused_inside(error):
        return Failure("denied", UNKNOWN)
    if not isinstance(error, Exception) or _STEERING in names:
        return Failure("cancelled", UNKNOWN)
    try:
        return _read(error, names, point)
    except Exception:  # noqa: BLE001 -- an attribute of the host's error that can't be read says nothing
        return Failure("tool_failure" if point == "tool" else "unknown", UNKNOWN)


def _read(error: BaseException, names: set[str], point: str) -> Failure:
    answer = answer_of(error)
    if answer is not None:
        billed = False if answer.is_unbilled and point == "model" else None
        usage = NOTHING if billed is False else UNKNOWN
        return Failure(answer.kind, usage, answer.status, answer.retry_after, billed)
    if _never_connected(error):
        kind = "timeout" if any("Timeout" in name for name in names) else "unavailable"
        # A tool may have done something else before, which nobody was asked about here.
        known = point == "model"
        return Failure(kind, NOTHING if known else UNKNOWN, billed=False if known else None)
    if isinstance(error, TimeoutError) or any("Timeout" in name for name in names):
        return Failure("timeout", UNKNOWN)
    # Raised while a refused connection was handled, it says nothing about what was done instead.
    if (
        isinstance(error, ConnectionError)
        or names & _LOST_CONNECTION
        or _never_connected(error, implied=True)
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


def _never_connected(error: BaseException | None, *, implied: bool = False) -> bool:
    """Whether nothing can have been sent, since there was nobody to send it to."""
    seen = 0
    while error is not None and seen < _CAUSES_MAX:
        kind = type(error)
        if isinstance(error, ConnectionRefusedError):
            return True
        if kind.__module__.partition(".")[0] in _HTTPX and kind.__name__ in _BEFORE_SENDING:
            return True
        error = error.__cause__ or (error.__context__ if implied else None)
        seen += 1
    return False
