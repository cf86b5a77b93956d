"""The benchmark's policy as a careful engineer would write it by hand: counters, reasons, a lock.

It covers the allowed paths and the outcomes that the benchmark meets, with integers for money. Limits of
sessions, users and organisations are kept in dicts of the process, under one lock.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

RATE = {"large": (1_250_000_000, 10_000_000_000), "small": (0, 0)}
PLACE = {"large": "cloud", "small": "edge"}
WINDOW = {"large": 400_000, "small": 32_000}
OUTPUT = {"large": 8_000, "small": 2_000}
CLASS = {"search_kb": "retrieve", "refund": "act"}
COST, MANY = 9_000_000 * 10**9, 9 * 10**12
LEVELS = ("session", "user", "org")
LONGEST_CYCLE, REPEATED, SAME, WITHIN, REMEMBERED = 4, 3, 3, 10, 256

canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def by_json(tool: str, args: dict[str, Any]) -> int:
    """The fingerprint of a call whose arguments may be nested."""
    return hash((tool, canonical(args)))


def by_pairs(tool: str, args: dict[str, Any]) -> int:
    """The fingerprint of a call whose arguments are known to be flat, hashable and in one order."""
    return hash((tool, *args.items()))


class Account:
    """What one session, user, organisation or run has spent and holds."""

    __slots__ = ("cost", "held", "tool_calls")

    def __init__(self) -> None:
        self.cost = self.held = self.tool_calls = 0


class Books:
    """The accounts of a process, and their lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.accounts: dict[tuple[str, str], Account] = {}

    def of(self, level: str, name: str) -> Account:
        """The account of somebody."""
        return self.accounts.setdefault((level, name), Account())


class ByHand:
    """One run's state."""

    def __init__(
        self,
        books: Books | None = None,
        fingerprint: Callable[..., int] = by_json,
        regions: dict[str, tuple[str, int]] | None = None,
    ) -> None:
        books = books or Books()
        self._lock = books.lock
        self._fingerprint = fingerprint
        self._regions = regions or {}
        self.own = Account()
        self.accounts = [self.own, *(books.of(level, f"{level} 1") for level in LEVELS)]
        self.names = ("per run", *(f"per {level}" for level in LEVELS))
        self.tokens = self.held_tokens = self.steps = 0
        self.clock = 0
        self.step_clock: int | None = None
        self.looked_up: int | None = None
        self.ring: deque[int] = deque(maxlen=REMEMBERED)
        self.recent: deque[tuple[int, int]] = deque()
        self.count: dict[int, int] = {}

    def tool_call(self, now: int, tool: str, args: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Decide a tool call."""
        with self._lock:
            self.clock += 1
            is_stuck = self._stuck(self._fingerprint(tool, args))
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
                if self._regions:
                    found = self._regions.get(facts.get("customer.region", "eu"))
                    if found is not None and args["amount"] > found[1]:
                        votes.append((2, found[0], "deny", "Not in this region."))
            if is_stuck:
                votes.append((0, "stuck", "stop", "over_limit"))
            if votes:
                _rank, by, outcome, reason = min(votes)
                return {"outcome": outcome, "by": by, "reason": reason, "model": None}
            for name, account in zip(self.names, self.accounts, strict=True):
                if account.tool_calls >= MANY:
                    return {"outcome": "stop", "by": name, "reason": "over_limit", "model": None}
            for account in self.accounts:
                account.tool_calls += 1
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
            is_small = facts.get("step.kind") in ("classify", "extract")
            must_be_edge = facts.get("data.class", "public") == "pii"
            by = "per run"
            for model in ("small", "large") if is_small else ("large", "small"):
                if must_be_edge and PLACE[model] != "edge":
                    continue
                if input_tokens + 1 > WINDOW[model]:
                    continue
                cap = min(max_tokens, OUTPUT[model], WINDOW[model] - input_tokens)
                rate_in, rate_out = RATE[model]
                cost = -(-(input_tokens * rate_in + cap * rate_out) // 1_000_000)
                tokens = input_tokens + cap
                if self.tokens + self.held_tokens + tokens > MANY or self.steps >= MANY:
                    continue
                for name, account in zip(self.names, self.accounts, strict=True):
                    if account.cost + account.held + cost > COST:
                        by = name
                        break
                else:
                    for account in self.accounts:
                        account.held += cost
                    self.held_tokens += tokens
                    self.steps += 1
                    return {
                        "outcome": "allow", "by": None, "reason": None, "model": model, "cap": cap,
                        "hold": (tokens, cost),
                    }  # fmt: skip
            return {"outcome": "stop", "by": by, "reason": "over_limit", "model": None}

    def settle_model(self, decision: dict[str, Any], used_input: int, used_output: int) -> None:
        """Release the hold and spend what was used."""
        with self._lock:
            self.clock += 1
            tokens, held = decision["hold"]
            rate_in, rate_out = RATE[decision["model"]]
            cost = -(-(used_input * rate_in + used_output * rate_out) // 1_000_000)
            self.held_tokens -= tokens
            self.tokens += used_input + used_output
            for account in self.accounts:
                account.held -= held
                account.cost += cost

    def settle_tool(self, tool: str) -> None:
        """Remember a success."""
        with self._lock:
            self.clock += 1
            if tool == "search_kb" and self.looked_up is None:
                self.looked_up = self.clock

    def _stuck(self, fingerprint: int) -> bool:
        """Whether the call repeats too often, or ends a cycle that does."""
        ring, recent, count = self.ring, self.recent, self.count
        ring.append(fingerprint)
        recent.append((fingerprint, self.steps))
        count[fingerprint] = count.get(fingerprint, 0) + 1
        while recent[0][1] <= self.steps - WITHIN or len(recent) > REMEMBERED:
            old, _step = recent.popleft()
            count[old] -= 1
            if not count[old]:
                del count[old]
        if count[fingerprint] >= SAME:
            return True
        known = len(ring)
        for period in range(1, LONGEST_CYCLE + 1):
            if known < period * REPEATED:
                return False
            if ring[-1] != ring[-1 - period]:  # nearly always, so no loop is begun
                continue
            if all(ring[-i] == ring[-i - period] for i in range(1, period * (REPEATED - 1) + 1)):
                return True
        return False


class Recorded:
    """The same, with a line of JSON for each decision and settlement."""

    def __init__(self, hand: ByHand, file: Any) -> None:
        self.hand = hand
        self._write = file.write
        self._number = 0

    def _record(self, now: int, event: str, decision: dict[str, Any]) -> None:
        own = self.hand.own
        self._number += 1
        line = {
            "number": self._number, "at": now, "event": event, "outcome": decision["outcome"],
            "by": decision["by"], "model": decision["model"], "reason": decision["reason"],
            "cost": own.cost, "held": own.held, "tokens": self.hand.tokens, "steps": self.hand.steps,
        }  # fmt: skip
        self._write(canonical(line) + "\n")

    def tool_call(self, now: int, tool: str, args: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Decide a tool call and write its record."""
        decision = self.hand.tool_call(now, tool, args, facts)
        self._record(now, "tool call", decision)
        return decision

    def model_call(
        self, now: int, wanted: str, input_tokens: int, max_tokens: int, facts: dict[str, Any]
    ) -> dict[str, Any]:
        """Decide a model call and write its record."""
        decision = self.hand.model_call(now, wanted, input_tokens, max_tokens, facts)
        self._record(now, "model call", decision)
        return decision

    def settle_model(self, decision: dict[str, Any], used_input: int, used_output: int) -> None:
        """Settle and write the record."""
        self.hand.settle_model(decision, used_input, used_output)
        self._record(0, "settled", decision)

    def settle_tool(self, tool: str) -> None:
        """Settle and write the record."""
        self.hand.settle_tool(tool)
        self._record(0, "settled", {"outcome": "allow", "by": None, "model": None, "reason": None})
