"""One run under a policy tree: every event of a host, answered plainly and slowly."""

from __future__ import annotations

import hashlib
from typing import Any

import xxhash

from checkrein.language import tree

from . import admission, errors
from .facts import Vocabulary
from .state import DIMENSIONS, ERROR_KINDS, KINDS, Ask, Attempt, Call, Misuse, Request, Vote, price, whole
from .values import call_bytes, is_exact

NOTHING = (
    "call attempt model output_cap timeout_ns wait_ns state tell_agent tell_user by kind line column"
    " reason request queue expires_at attempt_number"
).split()


class Run:
    """A run of `policy`; times are nanoseconds of any clock that never goes back."""

    def __init__(self, policy: tree.Policy, *, seed: int, now: int) -> None:
        self.seed = seed
        kinds = [tree.Model, tree.Tool, tree.Queue, tree.State, tree.Define]
        tables = [{each.name.text: each for each in policy.of(kind)} for kind in kinds]
        self.models, self.tools, self.queues, self.states, self.defines = tables
        self.of = {kind: policy.of(getattr(tree, kind.title())) for kind in KINDS}
        for statements in self.of.values():
            statements.sort(key=lambda each: each.name.text.encode())
        self.vocabulary = Vocabulary(policy)
        self.charged = dict.fromkeys(DIMENSIONS, 0)
        self.held = dict.fromkeys(DIMENSIONS, 0)
        self.now = self.begun = now
        self.paused = 0
        self.paused_at: int | None = None
        self.clock = 0
        self.step_index = 0
        self.step_clock: int | None = None
        self.calls: dict[int, Call] = {}
        self.attempts: dict[int, Attempt] = {}
        self.requests: dict[tuple, Request] = {}
        self.asked: dict[int, Request] = {}
        self.ring: list[tuple[int, int]] = []
        self.successes: list[tuple[str, int]] = []
        self.given: set[tuple[str, int]] = set()
        self.decisions = 0
        self.latch: dict[str, Any] | None = None
        self.ended = False

    # -- events -----------------------------------------------------------------------------------

    def model_call(self, now, call, model, input_tokens, max_output, facts) -> dict:
        whole(input_tokens)
        whole(max_output or 0)
        self.vocabulary.accept(facts)
        self._tick(now)
        return self._asked(Ask("model", dict(facts), model, input_tokens, max_output), call)

    def tool_call(self, now, call, tool, args, facts) -> dict:
        self.vocabulary.accept(facts)
        self._tick(now)
        return self._asked(Ask("tool", dict(facts), tool=tool, args=args), call)

    def settle(self, now, attempt, usage, input_tokens=0, output_tokens=0) -> dict:
        reported = usage_of(usage, input_tokens, output_tokens)
        self._tick(now)
        tried = self._attempt(attempt)
        reported = normal(tried, reported)
        if tried.usage is None:
            self._settle(tried, reported)
            tried.call.state = "closed"
            if tried.call.point == "tool" and reported[0] != "unsent":
                self.successes.append((tried.target, self.clock))
        elif tried.usage != reported:
            raise Misuse("already_settled")
        return tried.settlement

    def error(self, now, attempt, usage, input_tokens, output_tokens, kind, **details) -> dict:
        reported = usage_of(usage, input_tokens, output_tokens)
        if kind not in ERROR_KINDS:
            raise Misuse("bad_value")
        self._tick(now)
        tried = self._attempt(attempt, unsettled=True)
        self._settle(tried, normal(tried, reported))
        return errors.decide(self, tried, {"kind": kind, **details})

    def answer(self, now, request, approve) -> None:
        self._tick(now)
        question = self.asked.get(request)
        if question is None:
            raise Misuse("unknown_request")
        if question.answer is None and self.now > question.expires:
            raise Misuse("expired")
        if question.answer not in (None, approve):
            raise Misuse("already_answered")
        question.answer = approve

    def count(self, now, attempt, n) -> int:
        whole(n)
        if attempt in self.attempts and self.attempts[attempt].cap is None:
            raise Misuse("bad_value")
        self._tick(now)
        tried = self._attempt(attempt, unsettled=True)
        tried.produced += n
        return max(0, tried.cap - tried.produced)

    def end(self, now) -> None:
        self._tick(now)
        self.ended = True
        for tried in self.attempts.values():
            if tried.usage is None:
                self._settle(tried, normal(tried, ("unknown", 0, 0)))
                tried.call.state = "closed"

    def limits(self) -> list[dict]:
        rows = [(limit, bound) for limit in self.of["limit"] for bound in limit.bounds]
        rows.sort(key=lambda row: (row[0].name.text.encode(), DIMENSIONS.index(row[1].dimension)))
        return [
            {"name": limit.name.text, "dimension": bound.dimension, "limit": bound.literal.value}
            | {"spent": self.spent(bound.dimension), "held": self.held[bound.dimension]}
            for limit, bound in rows
        ]

    @property
    def in_flight(self) -> int:
        return sum(tried.usage is None for tried in self.attempts.values())

    @property
    def latched(self) -> str | None:
        return self.latch["state"] if self.latch else None

    # -- what events share ------------------------------------------------------------------------

    def _tick(self, now: int) -> None:
        self.now = max(self.now, now)
        self.clock += 1
        if self.paused_at is not None:
            self.paused += self.now - self.paused_at
            self.paused_at = None

    def _asked(self, ask: Ask, number: int | None) -> dict:
        event = f"{ask.point} call"
        if self.latch:
            return self.decide(event, "stop", **self.latch, latched=True, call=number)
        if self.ended:
            return self.built_in(event, "run ended", call=number)
        advice = admission.advice(self)
        call = self._new_call(ask) if number is None else self.calls.get(number)
        if call is None or call.state != "open":
            return self.built_in(event, "closed call", call=number, advice=advice)
        if call.point != ask.point or call.binding != binding_of(ask, call.number):
            return self.built_in(event, "changed call", call=number, advice=advice)
        call.ask = ask
        return admission.admit(self, call, advice, new=number is None)

    def _new_call(self, ask: Ask) -> Call:
        number = len(self.calls) + 1
        if ask.point == "model":
            self.step_index += 1
            self.step_clock = self.clock
        else:
            self.ring.append((xxhash.xxh3_64_intdigest(call_bytes(ask.tool, ask.args)), self.step_index))
            del self.ring[:-256]
        binding = binding_of(ask, number)
        call = self.calls[number] = Call(number, ask.point, self.now, self.step_clock, binding, ask)
        return call

    def _attempt(self, number: int, unsettled: bool = False) -> Attempt:
        if number not in self.attempts:
            raise Misuse("unknown_attempt")
        if unsettled and self.attempts[number].usage is not None:
            raise Misuse("already_settled")
        return self.attempts[number]

    def _settle(self, tried: Attempt, usage: tuple) -> None:
        kind, used_in, used_out = usage
        tokens = cost = 0
        if tried.call.point == "model" and kind in ("exact", "at_least"):
            used_out = max(used_out, tried.produced if kind == "at_least" else 0)
            tokens, cost = used_in + used_out, price(self.models[tried.target], used_in, used_out)
        if kind == "unknown" and tried.call.point == "model":
            assumed = tried.held["tokens"] - tried.cap, tried.produced
            tokens, cost = sum(assumed), price(self.models[tried.target], *assumed)
        if kind in ("at_least", "unknown"):
            tokens, cost = max(tokens, tried.held["tokens"]), max(cost, tried.held["cost"])
        for dimension, used in (("tokens", tokens), ("cost", cost)):
            self.held[dimension] -= tried.held[dimension]
            self.charged[dimension] += used
        if kind == "unsent":
            tried.call.step_charged &= not tried.charged.get("steps")
            for dimension, amount in tried.charged.items():
                self.charged[dimension] -= amount
        tried.usage = usage
        tried.settlement = {f"reserved_{each}": held for each, held in tried.held.items()}
        tried.settlement |= {"input_tokens": used_in, "output_tokens": used_out}
        tried.settlement |= {"cost": cost, "tokens": tokens}

    # -- limits -----------------------------------------------------------------------------------

    def spent(self, dimension: str) -> int:
        """What is spent so far; of active time, what has passed while no person was waited for."""
        return self.now - self.begun - self.paused if dimension == "active_time" else self.charged[dimension]

    def bounds_on(self, dimension: str) -> list[tuple[tree.Limit, int]]:
        """Every bound on a dimension, with its limit."""
        bounds = [(limit, bound) for limit in self.of["limit"] for bound in limit.bounds]
        return [(limit, bound.literal.value) for limit, bound in bounds if bound.dimension == dimension]

    def blockers(self, amounts: dict[str, int], with_held: bool = True) -> list[tree.Limit]:
        """The limits with a bound that does not hold once `amounts` are added; time is not reserved."""
        used = {each: spent + amounts.get(each, 0) for each, spent in self.charged.items()}
        if with_held:
            used = {each: amount + self.held[each] for each, amount in used.items()}
        limits = self.of["limit"]
        return [each for each in limits if any(used[b.dimension] > b.literal.value for b in each.bounds)]

    def fits_time(self, delay: int) -> bool:
        """Whether every bound on active time leaves room after a delay."""
        return all(self.spent("active_time") + delay < most for _, most in self.bounds_on("active_time"))

    # -- decisions --------------------------------------------------------------------------------

    def decide(self, event: str, outcome: str, **fields) -> dict:
        """The next decision, in full; what is not given does not apply."""
        self.decisions += 1
        decision = dict.fromkeys(NOTHING) | {"number": self.decisions, "event": event, "outcome": outcome}
        decision |= {"undecided": False, "latched": False, "reserved_tokens": 0, "reserved_cost": 0}
        decision |= {"votes": [], "advice": [], "values": [], "skipped": []} | fields
        if outcome == "escalate" and not self.in_flight:
            self.paused_at = self.now
        return decision

    def built_in(self, event: str, by: str, outcome: str = "deny", **fields) -> dict:
        """A decision that no statement of the policy made."""
        return self.decide(event, outcome, by=by, kind="built-in", **fields)

    def conclude(self, event: str, call: Call, votes: list, winner: Vote | None = None, **fields) -> dict:
        """The decision that the most restrictive vote makes, and what it does to the call."""
        votes = sorted(votes, key=Vote.rank)
        top = winner or votes[0]
        kind, by = top.key
        span = top.statement.span
        by_whom = {"by": by, "kind": kind, "line": span.line, "column": span.column, "reason": top.reason}
        if top.state is not None:
            state = self.states[top.state]
            by_whom |= {"state": top.state, "tell_agent": state.tell_agent, "tell_user": state.tell_user}
        fields |= by_whom | {"undecided": top.undecided, "values": top.values}
        fields |= {"call": call.number, "wait_ns": top.wait}
        fields["votes"] = [(*each.key, each.outcome, each.undecided) for each in votes]
        if top.outcome == "escalate":
            request = top.request or self._open_request(top, call)
            fields |= {"request": request.number, "queue": request.queue, "expires_at": request.expires}
        elif top.outcome != "wait":
            call.state = "closed"
        if top.outcome == "stop":
            self.latch = by_whom
        return self.decide(event, top.outcome, **fields)

    def _open_request(self, vote: Vote, call: Call) -> Request:
        expires = self.now + self.queues[vote.queue].expires
        request = self.asked[len(self.asked) + 1] = Request(len(self.asked) + 1, vote.queue, expires)
        self.requests[*vote.key, call.binding] = request
        return request


def usage_of(usage: str, input_tokens: int, output_tokens: int) -> tuple:
    """A usage as it was reported."""
    if usage not in ("exact", "at_least", "unknown", "unsent"):
        raise Misuse("bad_value")
    return usage, whole(input_tokens), whole(output_tokens)


def normal(tried: Attempt, usage: tuple) -> tuple:
    """A usage as it is kept: numbers only where they mean something."""
    if usage[0] == "unsent" and tried.produced:
        return "unknown", 0, 0  # What produced tokens was sent.
    if usage[0] == "unsent" or (usage[0] == "unknown" and tried.call.point == "model"):
        return usage[0], 0, 0
    return ("exact", 0, 0) if tried.call.point == "tool" else usage


def binding_of(ask: Ask, number: int) -> Any:
    """What an answer is for: a tool with these very arguments, or one logical call."""
    if ask.point == "model" or not is_exact(ask.args):
        return number
    return hashlib.sha256(call_bytes(ask.tool, ask.args)).hexdigest()
