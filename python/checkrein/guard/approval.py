"""What a person is asked when a policy escalates."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Approval:
    """A question to a person: may this exact call run, or what `wants` says.

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
    wants: Literal["approval", "question", "handover"] = "approval"
    """A question is answered with a text; who takes a handover does the task instead of the agent."""


# True approves, False rejects, a text answers a question, None leaves the request open: the call then
# raises `Escalated`.
Approver = Callable[[Approval], "bool | str | Awaitable[bool | str | None] | None"]
