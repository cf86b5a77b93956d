"""What a person is asked when a policy escalates."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Approval:
    """A question to a person: may this exact call run?

    `arguments` are the exact arguments that will run if the answer is yes. `expires_at` is on the
    guard's monotonic clock, in nanoseconds; an answer after it is too late, and the queue's default
    applies.
    """

    request: int
    queue: str
    subject: str
    arguments: Mapping[str, Any]
    rule: str
    reason: str
    expires_at: int
    limits: list[dict[str, Any]]


# True approves, False rejects, None leaves the request open: the call then raises `Escalated`.
Approver = Callable[[Approval], "bool | Awaitable[bool | None] | None"]
