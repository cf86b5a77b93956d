"""The closed lists whose positions are the codes of an artifact."""

from __future__ import annotations

DIMENSIONS = ("text", "flag", "count", "money", "tokens", "duration", "percent")
SOURCES = ("host", "arg", "builtin")
OPERATORS = ("==", "!=", "<", "<=", ">", ">=")
QUANTIFIERS = ("all", "any")
CLASSES = (None, "retrieve", "reason", "act")
PLACES = ("edge", "cloud")
MEASURES = (
    "cost", "tokens", "input_tokens", "output_tokens", "steps", "model_calls", "tool_calls", "attempts",
    "retries", "escalations", "active_time", "wall_time", "calls of",
)  # fmt: skip
SCOPES = ("run", "session", "user", "team", "org")
KEY_SCOPE = len(SCOPES)
PERIODS = ("hour", "day", "week", "month")
BASES = ("attempted", "executed", "succeeded")
FAILURES = ("spend", "deny", "allow")
AMOUNTS = ("cost", "tokens", "input_tokens", "output_tokens")
MONEY_UNITS = (None, "units", "cents")
OUTCOMES = ("stop", "fail", "deny", "escalate", "answer", "reuse")
WANTS = {"approval": OUTCOMES.index("escalate"), "question": 6, "handover": 7}
