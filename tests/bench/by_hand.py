"""The benchmark's policy as a careful engineer would write it by hand: counters, reasons, a lock.

It covers the allowed paths and the outcomes that the benchmark meets, with integers for money.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from typing import Any

RATE = {"large": (1_250_000_000, 10_000_000_000), "small": (0, 0)}
PLACE = {"large": "cloud", "small": "edge"}
WINDOW = {"large": 400_000, "small": 32_000}
OUTPUT = {"large": 8_000, "small": 2_000}
CLASS = {"search_kb": "retrieve", "refund": "act"}
LIMITS = {"cost": 9_000_000 * 10**9, "tokens": 9 * 10**12, "steps": 9 * 10**12, "tool_calls": 9 * 10**12}


class ByHand:
    """One run's state."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.spent = dict.fromkeys(LIMITS, 0)
        self.held = dict.fromkeys(LIMITS, 0)
        self.clock = 0
        self.step_clock: int | None = None
        self.looked_up: int | None = None
        self.ring: deque[tuple[int, int]] = deque(maxlen=256)

    def tool_call(self, now: int, tool: str, args: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Decide a tool call."""
        with self._lock:
            self.clock += 1
            fingerprint = hash((tool, json.dumps(args, sort_keys=True, separators=(",", ":"))))
            step = self.spent["steps"]
            self.ring.append((fingerprint, step))
            votes: list[tuple[int, str, str, str]] = []
            if CLASS[tool] == "act":
                if facts.get("risk.flagged", False) is True:
                    votes.append((2, "flagged", "deny", "Flagged."))
                if self.looked_up is None or (
                    self.step_clock is not None and self.looked_up >= self.step_clock
                ):
                    votes.append((2, "look first", "deny", "Look it up first."))
            if tool == "refund":
                if facts.get("risk.score", 0) >= 0.9:
                    votes.append((2, "risky", "deny", "Too risky."))
                if args["amount"] > 10_000 and facts.get("customer.tier", "free") != "enterprise":
                    votes.append((3, "big", "escalate", "Needs a person."))
                if facts.get("ticket.age", 0) > 30 * 86_400:
                    votes.append((2, "old", "deny", "Too old."))
            if self._stuck(fingerprint, step):
                votes.append((0, "stuck", "stop", "over_limit"))
            if votes:
                _rank, by, outcome, reason = min(votes)
                return {"outcome": outcome, "by": by, "reason": reason, "model": None}
            if self.spent["tool_calls"] + 1 > LIMITS["tool_calls"]:
                return {"outcome": "stop", "by": "per run", "reason": "over_limit", "model": None}
            self.spent["tool_calls"] += 1
            return {"outcome": "allow", "by": None, "reason": None, "model": None}

    def model_call(
        self, now: int, wanted: str, input_tokens: int, max_tokens: int, facts: dict[str, Any]
    ) -> dict[str, Any]:
        """Decide a model call: route, requirement, window, cap, reservation."""
        with self._lock:
            self.clock += 1
            self.step_clock = self.clock
            if facts.get("customer.region", "eu") == "embargoed":
                return {"outcome": "deny", "by": "region", "reason": "Not served.", "model": None}
            if facts.get("ticket.reopened", 0) > 9:
                return {"outcome": "deny", "by": "reopened", "reason": "Reopened too often.", "model": None}
            candidates = (
                ["small", "large"]
                if facts.get("step.kind") in ("classify", "extract")
                else ["large", "small"]
            )
            for model in candidates:
                if facts.get("data.class", "public") == "pii" and PLACE[model] != "edge":
                    continue
                if input_tokens + 1 > WINDOW[model]:
                    continue
                cap = min(max_tokens, OUTPUT[model], WINDOW[model] - input_tokens)
                rate_in, rate_out = RATE[model]
                cost = -(-(input_tokens * rate_in + cap * rate_out) // 1_000_000)
                tokens = input_tokens + cap
                spent, held = self.spent, self.held
                if (
                    spent["cost"] + held["cost"] + cost <= LIMITS["cost"]
                    and spent["tokens"] + held["tokens"] + tokens <= LIMITS["tokens"]
                    and spent["steps"] + 1 <= LIMITS["steps"]
                ):
                    held["cost"] += cost
                    held["tokens"] += tokens
                    spent["steps"] += 1
                    return {
                        "outcome": "allow",
                        "by": None,
                        "model": model,
                        "cap": cap,
                        "hold": (tokens, cost),
                    }
            return {"outcome": "stop", "by": "per run", "reason": "over_limit", "model": None}

    def settle_model(self, decision: dict[str, Any], used_input: int, used_output: int) -> None:
        """Release the hold and spend what was used."""
        with self._lock:
            self.clock += 1
            tokens, cost = decision["hold"]
            rate_in, rate_out = RATE[decision["model"]]
            self.held["tokens"] -= tokens
            self.held["cost"] -= cost
            self.spent["tokens"] += used_input + used_output
            self.spent["cost"] += -(-(used_input * rate_in + used_output * rate_out) // 1_000_000)

    def settle_tool(self, tool: str) -> None:
        """Remember a success."""
        with self._lock:
            self.clock += 1
            if tool == "search_kb" and self.looked_up is None:
                self.looked_up = self.clock

    def _stuck(self, fingerprint: int, step: int) -> bool:
        ring = self.ring
        same = 0
        for seen, at in reversed(ring):
            if at <= step - 10:
                break
            same += seen == fingerprint
        if same >= 3:
            return True
        marks = [seen for seen, _at in list(ring)[-12:]]
        for period in range(1, 5):
            tail = marks[-period * 3 :]
            if len(tail) == period * 3 and all(tail[i] == tail[i - period] for i in range(period, len(tail))):
                return True
        return False
