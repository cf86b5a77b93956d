"""One run under a policy tree: every event of a host, answered plainly and slowly."""

from __future__ import annotations

import hashlib
from typing import Any

import xxhash

from checkrein.language import tree

from . import admission, errors, facts
from .state import CLASSES, DIMENSIONS, ERROR_KINDS, Ask, Attempt, Call, Ledger, Misuse, Request, Vote
from .state import whole, worst_case
from .values import canonical, fingerprint

RING = 256


class Run:
    """A run of `policy`; times are nanoseconds of any clock that never goes back."""

    def __init__(self, policy: tree.Policy, *, seed: int, now: int) -> None:
        self.policy = policy
        self.seed = seed
        self.statements = {
            kind: sorted(policy.of(kind), key=lambda each: each.name.text.encode()) for kind in CLASSES
        }
        self.routes: list[tree.Route] = self.statements[tree.Route]
        self.models = {each.name.text: each for each in policy.of(tree.Model)}
        self.tools = {each.name.text: each for each in policy.of(tree.Tool)}
        self.queues = {each.name.text: each for each in policy.of(tree.Queue)}
        self.states = {each.name.text: each for each in policy.of(tree.State)}
        self.defines = {each.name.text: each.condition for each in policy.of(tree.Define)}
        self.vocabulary = facts.Vocabulary(policy)
        self.ledger = Ledger(self.statements[tree.Limit])
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
        """The host wants to call a model."""
        whole(input_tokens)
        if max_output is not None:
            whole(max_output)
        self.vocabulary.accept(facts)
        self._tick(now)
        ask = Ask("model", dict(facts), model=model, input_tokens=input_tokens, max_output=max_output)
        return self._asked(ask, call)

    def tool_call(self, now, call, tool, args, facts) -> dict:
        """The host wants to call a tool."""
        self.vocabulary.accept(facts)
        self._tick(now)
        return self._asked(Ask("tool", dict(facts), tool=tool, args=args), call)

    def settle(self, now, attempt, usage, input_tokens=0, output_tokens=0) -> dict:
        """The attempt succeeded, or was given back unsent."""
        reported = self._usage(usage, input_tokens, output_tokens)
        self._tick(now)
        tried = self._attempt(attempt)
        reported = normal(tried, reported)
        if tried.usage is not None:
            if tried.usage != reported:
                raise Misuse("already_settled")
            return tried.settlement
        self._settle(tried, reported)
        tried.call.state = "closed"
        if tried.call.point == "tool" and reported[0] != "unsent":
            self.successes.append((tried.target, self.clock))
        return tried.settlement

    def error(
        self, now, attempt, usage, input_tokens, output_tokens, kind, status=None, retry_after=None, billed=None
    ) -> dict:
        """The attempt failed; the answer says what becomes of the call."""
        reported = self._usage(usage, input_tokens, output_tokens)
        if kind not in ERROR_KINDS:
            raise Misuse("bad_value")
        self._tick(now)
        tried = self._attempt(attempt)
        if tried.usage is not None:
            raise Misuse("already_settled")
        self._settle(tried, normal(tried, reported))
        error = {"kind": kind, "status": status, "retry_after": retry_after, "billed": billed}
        return errors.decide(self, tried, error)

    def answer(self, now, request, approve) -> None:
        """A person answered a request."""
        self._tick(now)
        if request not in self.asked:
            raise Misuse("unknown_request")
        question = self.asked[request]
        if question.answer is not None:
            if question.answer != approve:
                raise Misuse("already_answered")
        elif self.now > question.expires:
            raise Misuse("expired")
        else:
            question.answer = approve

    def count(self, now, attempt, n) -> int:
        """Tokens produced so far; how many more this attempt may produce."""
        whole(n)
        if attempt in self.attempts and self.attempts[attempt].cap is None:
            raise Misuse("bad_value")
        self._tick(now)
        tried = self._attempt(attempt)
        if tried.usage is not None:
            raise Misuse("already_settled")
        tried.produced += n
        return max(0, tried.cap - tried.produced)

    def end(self, now) -> None:
        """The run is over: what is open is charged in full."""
        self._tick(now)
        self.ended = True
        for tried in self.attempts.values():
            if tried.usage is None:
                self._settle(tried, normal(tried, ("unknown", 0, 0)))
                tried.call.state = "closed"

    def limits(self) -> list[dict]:
        """Every bound with what is spent and held; active time is as of the last event."""
        found = []
        for limit in self.statements[tree.Limit]:
            for bound in sorted(limit.bounds, key=lambda each: DIMENSIONS.index(each.dimension)):
                name = bound.dimension
                timed = name == "active_time"
                spent = self.elapsed() if timed else self.ledger.spent[name]
                row = {"name": limit.name.text, "dimension": name, "limit": bound.literal.value}
                found.append(row | {"spent": spent, "held": self.ledger.held[name]})
        return found

    @property
    def in_flight(self) -> int:
        """Attempts that are not settled."""
        return sum(tried.usage is None for tried in self.attempts.values())

    @property
    def latched(self) -> str | None:
        """The state of the stop that ended the run."""
        return self.latch["state"] if self.latch else None

    # -- what events share ------------------------------------------------------------------------

    def _tick(self, now: int) -> None:
        self.now = max(self.now, now)
        self.clock += 1
        if self.paused_at is not None:
            self.paused += self.now - self.paused_at
            self.paused_at = None

    def elapsed(self) -> int:
        """The active time so far."""
        return self.now - self.begun - self.paused

    def fits_time(self, delay: int) -> bool:
        """Whether every bound on active time leaves room after a delay."""
        return all(self.elapsed() + delay < most for most in self.ledger.bounds_on("active_time"))

    def _asked(self, ask: Ask, number: int | None) -> dict:
        event = f"{ask.point} call"
        if self.latch:
            return self.decide(event, "stop", **self.latch, latched=True, call=number)
        if self.ended:
            return self.refuse(event, "run ended", call=number)
        advice = admission.advice(self)
        if number is None:
            call = self._new_call(ask)
        else:
            call = self.calls.get(number)
            if call is None or call.state != "open":
                return self.refuse(event, "closed call", call=number, advice=advice)
            if self._changed(call, ask):
                return self.refuse(event, "changed call", call=number, advice=advice)
            call.ask = ask
        return admission.admit(self, call, advice, new=number is None)

    def _new_call(self, ask: Ask) -> Call:
        number = len(self.calls) + 1
        if ask.point == "model":
            self.step_index += 1
            self.step_clock = self.clock
        else:
            self.ring.append((fingerprint(ask.tool, ask.args), self.step_index))
            del self.ring[:-RING]
        call = Call(number, ask.point, self.now, self.step_clock, binding_of(ask, number), ask)
        self.calls[number] = call
        return call

    def _changed(self, call: Call, ask: Ask) -> bool:
        return call.point != ask.point or call.binding != binding_of(ask, call.number)

    def _attempt(self, number: int) -> Attempt:
        if number not in self.attempts:
            raise Misuse("unknown_attempt")
        return self.attempts[number]

    def _usage(self, usage: str, input_tokens: int, output_tokens: int) -> tuple:
        if usage not in ("exact", "at_least", "unknown", "unsent"):
            raise Misuse("bad_value")
        return usage, whole(input_tokens), whole(output_tokens)

    def _settle(self, tried: Attempt, usage: tuple) -> None:
        kind, used_in, used_out = usage
        tokens = cost = 0
        if tried.call.point == "model" and kind in ("exact", "at_least"):
            if kind == "at_least":
                used_out = max(used_out, tried.produced)
            tokens = used_in + used_out
            cost = worst_case(self.models[tried.target], used_in, used_out)
        if kind in ("at_least", "unknown"):
            tokens, cost = max(tokens, tried.tokens), max(cost, tried.cost)
        self.ledger.held["tokens"] -= tried.tokens
        self.ledger.held["cost"] -= tried.cost
        self.ledger.spent["tokens"] += tokens
        self.ledger.spent["cost"] += cost
        if kind == "unsent":
            for dimension, amount in tried.charged.items():
                self.ledger.spent[dimension] -= amount
            if tried.charged.get("steps"):
                tried.call.step_charged = False
        tried.usage = usage
        tried.settlement = {
            "input_tokens": used_in,
            "output_tokens": used_out,
            "cost": cost,
            "tokens": tokens,
            "reserved_tokens": tried.tokens,
            "reserved_cost": tried.cost,
        }

    # -- decisions --------------------------------------------------------------------------------

    def refuse(self, event: str, by: str, **fields) -> dict:
        """A denial that no statement of the policy made."""
        return self.decide(event, "deny", by=by, kind="built-in", **fields)

    def conclude(self, event: str, call: Call, votes: list[Vote], winner: Vote | None = None, **fields) -> dict:
        """The decision that the most restrictive vote makes, and what it does to the call."""
        votes = sorted(votes, key=Vote.rank)
        top = winner or votes[0]
        span = top.statement.span
        fields |= {"by": top.name, "kind": top.kind, "line": span.line, "column": span.column}
        fields |= {"reason": top.reason, "undecided": top.undecided, "values": top.values}
        fields |= {"state": top.state, "wait_ns": top.wait, "call": call.number}
        fields["votes"] = [(vote.kind, vote.name, vote.outcome, vote.undecided) for vote in votes]
        if top.state is not None:
            fields |= self.told(top.state)
        if top.outcome == "escalate":
            request = top.request or self._open_request(top, call)
            fields |= {"request": request.number, "queue": request.queue, "expires_at": request.expires}
        elif top.outcome != "wait":
            call.state = "closed"
        if top.outcome == "stop":
            kept = ("state", "tell_agent", "tell_user", "by", "kind", "line", "column", "reason")
            self.latch = {field: fields.get(field) for field in kept}
        return self.decide(event, top.outcome, **fields)

    def told(self, state: str) -> dict[str, str | None]:
        """What a declared state tells the agent and the user."""
        return {"tell_agent": self.states[state].tell_agent, "tell_user": self.states[state].tell_user}

    def _open_request(self, vote: Vote, call: Call) -> Request:
        request = Request(len(self.asked) + 1, vote.queue, self.now + self.queues[vote.queue].expires)
        self.requests[vote.kind, vote.name, call.binding] = self.asked[request.number] = request
        return request

    def decide(self, event: str, outcome: str, **fields) -> dict:
        """The next decision, in full; what is not given does not apply."""
        self.decisions += 1
        nothing = (
            "call attempt model output_cap timeout_ns wait_ns state tell_agent tell_user by kind line"
            " column reason request queue expires_at attempt_number"
        ).split()
        decision: dict[str, Any] = {"number": self.decisions, "event": event, "outcome": outcome}
        decision |= dict.fromkeys(nothing)
        decision |= {"undecided": False, "latched": False, "reserved_tokens": 0, "reserved_cost": 0}
        decision |= {"votes": [], "advice": [], "values": [], "skipped": []}
        decision |= fields
        if outcome == "escalate" and not self.in_flight:
            self.paused_at = self.now
        return decision

    def jitter(self, call: Call, made: int, span: int) -> int:
        """The share of a back-off that chance decides: the same for the same seed, call and attempt."""
        data = call.number.to_bytes(8, "little") + made.to_bytes(8, "little")
        return xxhash.xxh3_64_intdigest(data, seed=self.seed) % span


def normal(tried: Attempt, usage: tuple) -> tuple:
    """A usage as it is kept: numbers only where they mean something."""
    if usage[0] == "unsent" or (usage[0] == "unknown" and tried.call.point == "model"):
        return usage[0], 0, 0
    return ("exact", 0, 0) if tried.call.point == "tool" else usage


def binding_of(ask: Ask, number: int) -> Any:
    """What an approval is for: a tool with these very arguments, or one logical model call."""
    if ask.point == "model":
        return number
    return hashlib.sha256(ask.tool.encode() + b"\0" + canonical(ask.args).encode()).hexdigest()
