"""One run under a policy tree: every event of a host, answered plainly and slowly."""

from __future__ import annotations

import hashlib
from itertools import count
from typing import Any

from checkrein.language import tree

from . import admission, ends, errors, health, limits, models, observed, progress, suspend
from .accounts import Now, World
from .facts import Vocabulary
from .family import Family
from .prices import Used, tariffs_of
from .state import (
    DIMENSIONS,
    ERROR_KINDS,
    KINDS,
    TIMES,
    Ask,
    Attempt,
    Call,
    Misuse,
    Request,
    Vote,
    normal,
    usage_of,
    whole,
)
from .values import call_bytes, is_exact

NOTHING = (
    "call attempt model output_cap timeout_ns wait_ns state tell_agent tell_user by kind file line column"
    " reason request queue wants answered expires_at attempt_number text template reused"
).split()


SCOPES = ("session", "user", "team", "org")
NUMBERS = count(1)


class Run:
    """A run of `policy` in a world of accounts; a child takes from the accounts of its ancestors too."""

    def __init__(
        self, policy, *, seed, now, wall, world=None, parent=None, keys=None, id=None, **scopes
    ) -> None:  # fmt: skip
        self.seed = seed
        self.parent = parent
        self.children: list[Run] = []
        self.family = parent.family if parent else Family()
        if parent:
            parent.children.append(self)
        self.number = next(NUMBERS)
        self.world = World() if world is None else world
        self.scopes = parent.scopes if parent else {each: scopes.get(each) for each in SCOPES}
        self.keys = parent.keys if parent else keys or {}
        self.id = id
        self.stay: Any = None
        kinds = [tree.Model, tree.Tool, tree.Queue, tree.State, tree.Define]
        tables = [{each.name.text: each for each in policy.of(kind)} for kind in kinds]
        self.models, self.tools, self.queues, self.states, self.defines = tables
        self.of = {kind: policy.of(getattr(tree, kind.title())) for kind in KINDS}
        self.file_of = policy.file_of
        for statements in self.of.values():
            statements.sort(key=lambda each: each.name.text.encode())
        self.vocabulary = Vocabulary.of(policy)
        self.charged = dict.fromkeys(DIMENSIONS, 0)
        self.holding = dict.fromkeys(DIMENSIONS, 0)
        self.now = self.told = self.begun = now
        self.wall = wall
        self.paused = 0
        self.paused_at: int | None = None
        self.clock = 0
        self.step_index = 0
        self.step_clock: int | None = None
        self.steps = progress.Steps()
        self.calls: dict[int, Call] = {}
        self.attempts: dict[int, Attempt] = {}
        self.requests: dict[tuple, Request] = {}
        self.asked: dict[int, Request] = {}
        self.successes: list[tuple[str, int, dict, int]] = []
        self.known: dict[Any, int] = {}
        self.given: set[tuple[str, int]] = set()
        self.decisions = 0
        self.would: list[Vote] = []
        self.latch: dict[str, Any] | None = None
        self.ended = False
        self.left: Run | None = None
        self.wrap_ups: dict[str, int] = {}
        currency = self.vocabulary.currency.strip()
        self.tariffs = {name: tariffs_of(model, currency) for name, model in self.models.items()}
        self.lines = limits.open_lines(self, self.scopes, self.keys)

    # -- events -----------------------------------------------------------------------------------

    def model_call(
        self, now, wall, call, model, input_tokens, max_output, facts, results=None, messages=None
    ) -> dict:
        whole(input_tokens)
        whole(max_output or 0)
        for _, tokens in messages or []:
            whole(tokens)
        self.vocabulary.accept(facts)
        self.tick(now, wall)
        asked = Ask("model", dict(facts), model, input_tokens, max_output, results=results, messages=messages)
        return self._asked(asked, call)

    def tool_call(self, now, wall, call, tool, args, facts) -> dict:
        self.vocabulary.accept(facts)
        self.tick(now, wall)
        return self._asked(Ask("tool", dict(facts), tool=tool, args=args), call)

    def settle(self, now, wall, attempt, usage, **tokens) -> dict:
        return ends.settle(self, now, wall, attempt, usage_of(usage, **tokens))

    def result(self, now, wall, attempt, usage, facts, fields, fingerprint, committed, **tokens) -> dict:
        self.vocabulary.accept(facts, is_result=True)
        return ends.result(
            self, now, wall, attempt, usage_of(usage, **tokens), facts, fields, fingerprint, committed
        )

    def tell_agent(self, fingerprint) -> None:
        if self.left:
            raise Misuse("suspended")
        self.family.give(fingerprint)

    def error(
        self,
        now,
        wall,
        attempt,
        usage,
        kind,
        status,
        retry_after,
        billed,
        own=False,
        fingerprint=None,
        **tokens,
    ) -> dict:
        reported = usage_of(usage, **tokens)
        if kind not in ERROR_KINDS:
            raise Misuse("bad_value")
        self.happens(now, wall)
        tried = self.attempt(attempt, unsettled=True)
        good = health.verdict_of(self, tried, kind, own)
        ends.close(self, tried, normal(tried, reported), kind, good)
        details = {"kind": kind, "status": status, "retry_after": retry_after, "billed": billed}
        details["fingerprint"] = fingerprint
        details["usage"] = usage
        return errors.decide(self, tried, details)

    def adjust(self, now, wall, attempt, **tokens) -> dict:
        return ends.adjust(self, now, wall, attempt, usage_of("exact", **tokens))

    def answer(self, now, wall, request, approve, ago=0) -> None:
        self.happens(now, wall)
        if self.latch or self.is_over:
            raise Misuse("ended")
        question = self.asked.get(request)
        given = self.now - ago
        if question is None:
            raise Misuse("unknown_request")
        if question.answer is None and given > question.expires:
            raise Misuse("expired")
        if question.answer not in (None, approve):
            raise Misuse("already_answered")
        if approve and question.answer is None:
            admission.grant(self, question)
            question.expires = given + self.queues[question.queue].expires
        question.answer = approve

    def count(self, now, wall, attempt, n) -> int:
        whole(n)
        if attempt in self.attempts and self.attempts[attempt].cap is None:
            raise Misuse("bad_value")
        self.happens(now, wall)
        tried = self.attempt(attempt, unsettled=True)
        tried.produced += n
        return max(0, tried.cap - tried.produced)

    def end(self, now, wall) -> None:
        self.tick(now, wall)
        if self.left:
            return
        self.ended = True
        for tried in self.attempts.values():
            if tried.usage is None:
                ends.close(self, tried, normal(tried, Used("unknown")))
                tried.call.state = "closed"

    def suspend(self, now, wall, keep) -> None:
        suspend.leave(self, now, wall, keep)

    def held(self, attempt) -> dict | None:
        return suspend.held(self, attempt)

    def limits(self) -> list[dict]:
        return [] if self.left else [limits.reading(self, line) for line in self.lines]

    @property
    def in_flight(self) -> int:
        return 0 if self.left else sum(tried.usage is None for tried in self.attempts.values())

    def underway(self) -> int:
        """Attempts in flight of this run and of all below it."""
        return self.in_flight + sum(child.underway() for child in self.children)

    def upwards(self) -> list[Run]:
        """This run and those above it."""
        return [self, *(self.parent.upwards() if self.parent else [])]

    @property
    def latched(self) -> str | None:
        return self.latch.get("state") if self.latch else None

    @property
    def handed_over(self) -> bool:
        """Whether a person does the task now."""
        return self.latch is not None and "state" not in self.latch

    # -- what events share ------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Nothing more is done: nobody counts what is below a run that has left."""
        first = self
        while first.parent:
            first = first.parent
        return self.ended or bool(first.left)

    @property
    def at(self) -> Now:
        """The latest instant that the host named."""
        return Now(self.now, self.wall)

    def happens(self, now: int, wall: int) -> None:
        """An event that only a run that has not left can answer."""
        self.tick(now, wall)
        if self.left:
            raise Misuse("suspended")

    def tick(self, now: int, wall: int) -> None:
        now = max(self.now, now)
        self.wall, self.told = wall, now
        self.would = []
        self.clock += 1
        for run in self.upwards():
            run.now = max(run.now, now)
            if run.paused_at is not None:
                run.paused += run.now - run.paused_at
                run.paused_at = None

    def _asked(self, ask: Ask, number: int | None) -> dict:
        event = f"{ask.point} call"
        if self.latch:
            return self.decide(event, "stop", **self.latch, latched=True, call=number)
        if self.is_over:
            return self.built_in(event, "run ended", call=number)
        advice = admission.advice(self)
        call = self._new_call(ask) if number is None else self.calls.get(number)
        if call is None or call.state != "open":
            return self.built_in(event, "closed call", call=number, advice=advice)
        if call.point != ask.point or call.binding != binding_of(ask, call.number):
            return self.built_in(event, "changed call", call=number, advice=advice)
        call.ask = ask
        admit = models.admit_model if ask.point == "model" else admission.admit_tool
        return admission.objections(self, call, advice, new=number is None) or admit(self, call, advice)

    def _new_call(self, ask: Ask) -> Call:
        number = len(self.calls) + 1
        if ask.point == "model":
            self.step_index += 1
            self.family.steps += 1
            self.step_clock = self.clock
            progress.stepped(self)
        else:
            tool = self.tools.get(ask.tool)
            if not (tool and tool.may_repeat):
                self.family.note(ask.tool, ask.args)
        binding = binding_of(ask, number)
        call = self.calls[number] = Call(number, ask.point, self.now, self.step_clock, binding, ask)
        if ask.point == "model":
            call.loops = progress.idle(self)
        else:
            progress.asked(self, call)
        return call

    def attempt(self, number: int, unsettled: bool = False) -> Attempt:
        if number not in self.attempts:
            raise Misuse("unknown_attempt")
        if unsettled and self.attempts[number].usage is not None:
            raise Misuse("already_settled")
        return self.attempts[number]

    # -- limits ------------------------------------------------------------------------------------

    def every_line(self) -> list:
        """The accounts that a call takes from: this run's, and those of its ancestors' runs."""
        found = [line for line in self.lines if line.bound.dimension not in TIMES]
        above = self.parent
        while above:
            own = [line for line in above.lines if line.limit.scope.text == "run"]
            found += [line for line in own if line.bound.dimension not in TIMES]
            above = above.parent
        return found

    def total(self, charged: dict[str, int], held: dict[str, int] | None = None) -> None:
        """Add to what this run and its ancestors spent and hold, whatever limits there are."""
        for dimension, amount in charged.items():
            self.charged[dimension] += amount
        for dimension, amount in (held or {}).items():
            self.holding[dimension] += amount
        if self.parent:
            self.parent.total(charged, held)

    def spent(self, dimension: str) -> int:
        """What is spent so far; of active time, what has passed while no person was waited for."""
        if dimension in TIMES:
            return self.now - self.begun - (self.paused if dimension == "active_time" else 0)
        return self.charged[dimension]

    def time_left(self, observed: bool = False) -> list[tuple]:
        """Every bound on time, with what is left of it to this run and to those above it."""
        lines = [line for line in self.lines if line.bound.dimension in TIMES]
        lines = [line for line in lines if bool(line.limit.observed) is observed]
        times = {each: max(run.spent(each) for run in self.upwards()) for each in TIMES}
        return [(line, line.bound.literal.value - times[line.bound.dimension]) for line in lines]

    def fits_time(self, delay: int) -> bool:
        """Whether every bound on time leaves room after a delay."""
        return all(left > delay for _, left in self.time_left())

    # -- decisions --------------------------------------------------------------------------------

    def decide(self, event: str, outcome: str, **fields) -> dict:
        """The next decision, in full; what is not given does not apply."""
        self.decisions += 1
        decision = self.decision(event, outcome, **fields)
        if outcome == "escalate":
            self._pause()
        return decision

    def _pause(self) -> None:
        """Time stands still for whoever has nothing under way but an attempt that waits for this run."""
        waiting = 0
        for run in self.upwards():
            waiting += run is not self and run.in_flight > 0
            if run.underway() <= waiting:
                run.paused_at = run.now

    def decision(self, event: str, outcome: str, **fields) -> dict:
        """A decision with the latest number."""
        decision = dict.fromkeys(NOTHING) | {"number": self.decisions, "event": event, "outcome": outcome}
        decision |= {
            "undecided": False,
            "latched": False,
            "wrap_up": False,
            "stayed": False,
            "may_be_sooner": False,
            "reserved_tokens": 0,
            "reserved_cost": 0,
        }
        decision |= {"votes": [], "advice": [], "values": [], "skipped": [], "passed": []}
        return decision | {"would": observed.shown(self)} | fields

    def built_in(self, event: str, by: str, outcome: str = "deny", **fields) -> dict:
        """A decision that no statement of the policy made."""
        return self.decide(event, outcome, by=by, kind="built-in", **fields)

    def conclude(self, event: str, call: Call, votes: list, winner: Vote | None = None, **fields) -> dict:
        """The decision that the most restrictive vote makes, and what it does to the call."""
        votes = sorted(votes, key=Vote.rank)
        top = winner or votes[0]
        if top.outcome == "escalate" and top.request is None:
            instead = admission.too_many_questions(self, call)
            votes = sorted([*votes, *instead], key=Vote.rank)
            if instead and votes[0].outcome == "escalate" and votes[0].request is None:
                votes = [each for each in votes if each.outcome != "escalate" or each.request]
            top = votes[0]
        kind, by = top.key
        span = top.statement.span
        place = {"file": self.file_of(span), "line": span.line, "column": span.column}
        by_whom = {"by": by, "kind": kind, **place, "reason": top.reason}
        if top.state is not None:
            state = self.states[top.state]
            by_whom |= {"state": top.state, "tell_agent": state.tell_agent, "tell_user": state.tell_user}
        fields |= by_whom | {"undecided": top.undecided, "values": top.values}
        fields |= {
            "call": call.number,
            "wait_ns": top.wait,
            "may_be_sooner": top.sooner,
            "text": top.text,
            "template": top.template,
        }
        if top.outcome == "reuse":
            fields["reused"] = self.known[call.binding]
        fields["votes"] = [(*each.key, each.outcome, each.undecided) for each in votes]
        if top.outcome == "escalate":
            call.waiting = None
            request = top.request or self._open_request(top, call)
            fields |= {"request": request.number, "queue": request.queue, "expires_at": request.expires}
            fields["wants"] = top.wants
        elif top.outcome != "wait":
            call.state = "closed"
        if top.outcome == "answer":
            progress.goes_on(self, call)
        if top.answered is not None:
            fields["answered"] = top.answered.number
            self.requests = {key: each for key, each in self.requests.items() if each is not top.answered}
        if top.outcome == "stop":
            self.latch = by_whom
        return self.decide(event, top.outcome, **fields)

    def _open_request(self, vote: Vote, call: Call) -> Request:
        expires = self.now + self.queues[vote.queue].expires
        number = len(self.asked) + 1
        request = Request(number, vote.queue, expires, vote.wants, accounts=vote.accounts)
        self.asked[number] = request
        admission.count_question(self)
        # A limit is asked about one logical call, whatever its arguments.
        binding = call.number if isinstance(vote.statement, tree.Limit) else vote.binding
        self.requests[*vote.key, binding] = request
        return request


def binding_of(ask: Ask, number: int) -> Any:
    """What an answer is for: a tool with these very arguments, or one logical call."""
    if ask.point == "model" or not is_exact(ask.args):
        return number
    return hashlib.sha256(call_bytes(ask.tool, ask.args)).hexdigest()
