"""A host that wants as much as it can get, within its word: what it uses is never more than was reserved.

It always asks for more, fails whatever is retried, climbs every cascade, starts runs below, suspends and
goes on, waits for windows to begin anew, and every person says yes. What got a call through in an earlier
run of the same policy is tried again first.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from checkrein import _core
from checkrein.analysis import Bounds
from checkrein.analysis.attempts import Corner, corners
from checkrein.errors import EngineError
from checkrein.language.prices import tariffs_of
from checkrein.language.tree import Model, Policy
from tests.differential.generate import KINDS, Fact, Made
from tests.differential.hosts import EDGES, VALUES

SECOND = 10**9
APPETITES = ("calls", "tokens", "output", "money", "cheap", "any")
STUCK = 40
"""After so many asks in a row that got nothing it gives up."""
EVENTS_MAX = 400
WHOSE = {"session": "session1", "user": "user1", "team": "team1", "org": "org1"}
PAUSES = (1, 1, 2, 7, 60, 3600, 86_400, 8 * 86_400)
"""Seconds after which some window may have begun anew."""


@dataclass
class Memory:
    """What served well in earlier runs of the same policy."""

    allowed: dict[str, list[dict]] = field(default_factory=dict)
    served: dict[str, list[dict]] = field(default_factory=dict)
    retried: Counter = field(default_factory=Counter)


@dataclass
class Flight:
    """An attempt that is under way."""

    run: int
    call: int
    kind: str
    ask: dict[str, Any]
    decision: Any


@dataclass
class Call:
    """A logical call that may be asked again."""

    run: int
    call: int
    kind: str
    ask: dict[str, Any]
    ready: int
    tries: int = 0


class Adversary:
    """One run, with all that it starts, and what all of them used in the end."""

    def __init__(self, policy: Policy, program: Any, made: Made, memory: Memory, seed: str) -> None:
        self.chance = Random(seed)
        self.policy, self.program, self.made, self.memory = policy, program, made, memory
        self.appetite = self.chance.choice(APPETITES)
        self.now = self.begun = self.chance.choice([0, 5 * SECOND])
        self.base = self.chance.choice(EDGES) - self.chance.choice([1, SECOND, SECOND, 60 * SECOND])
        self.patience = self.chance.choice([0, 0.02, 0.3])
        self.fails = self.chance.choice([0.3, 0.6, 0.97])
        self.travels = self.chance.choice([0, 0, 0.03])
        self.starts = self.chance.choice([0, 0, 0.03])
        self.favourites = self.favour()
        self.ledger = _core.Ledger.memory()
        keys = {"acct.id": "n1", "acct.tier": "free"}
        self.whose = {"ledger": self.ledger, **WHOSE, "keys": keys, "id": "a"}
        self.seed = self.chance.getrandbits(64)
        self.runs = [_core.Run(program, seed=self.seed, now=self.now, wall=self.wall, **self.whose)]
        self.flights: dict[tuple[int, int], Flight] = {}
        self.open: list[Call] = []
        self.sent: list[tuple[int, int, int, str]] = []
        self.unsent: set[tuple[int, int]] = set()
        self.latest_start = 0
        self.asked = self.got_nothing = 0
        self.over: set[int] = set()

    @property
    def wall(self) -> int:
        """The wall clock, which goes with the other."""
        return self.base + self.now

    # -- the whole run ----------------------------------------------------------------------------

    def spend(self) -> dict[str, int]:
        """Take what can be had, then tell what was used of each measure."""
        for _ in range(EVENTS_MAX):
            if self.got_nothing > STUCK or len(self.over) == len(self.runs):
                break
            self.one()
        for flight in list(self.flights.values()):
            self.finish(flight)
        for run in self.runs:
            run.end(self.now, self.wall)
        return self.used()

    def one(self) -> None:
        """The next thing that it does."""
        if self.chance.random() < self.travels:
            self.travel()
        if self.chance.random() < self.starts and len(self.runs) < 4:
            above = self.chance.choice(self.runs)
            whose = {"ledger": self.ledger, "parent": above, "id": f"b{len(self.runs)}"}
            seed = self.seed + len(self.runs)
            self.runs.append(
                _core.Run(self.program, seed=seed % 2**64, now=self.now, wall=self.wall, **whose)
            )
        if self.flights and self.chance.random() < 0.6:
            self.finish(self.chance.choice(list(self.flights.values())))
        elif self.open and self.chance.random() < 0.8:
            self.ask_again(self.open.pop(self.chance.randrange(len(self.open))))
        else:
            self.propose()

    def used(self) -> dict[str, int]:
        """What all that was sent comes to, as the engine charged it."""
        total: Counter = Counter()
        steps = set()
        for run, call, attempt, kind in self.sent:
            if (run, attempt) in self.unsent:
                continue
            total["attempts"] += 1
            total[f"{kind}_calls"] += 1
            charged = self.runs[run].settled(attempt)
            total["cost"] += charged.cost
            total["tokens"] += charged.tokens
            if kind == "model":
                steps.add((run, call))
                total["input_tokens"] += charged.input_tokens
                total["output_tokens"] += charged.output_tokens
        total["steps"] = len(steps)
        return dict(total)

    def travel(self) -> None:
        """The run with nobody below it leaves, and goes on at once."""
        if len(self.runs) > 1 or self.over:
            return
        keep = [attempt for _, attempt in self.flights if self.chance.random() < 0.7]
        state = self.runs[0].suspend(self.now, self.wall, keep)
        for place in [each for each in self.flights if each[1] not in keep]:
            del self.flights[place]
        self.runs[0] = _core.Run.resume(
            self.program, state, now=self.now, wall=self.wall, later=0, **self.whose
        )

    # -- asking -----------------------------------------------------------------------------------

    def propose(self) -> None:
        """A new logical call."""
        going = [each for each in range(len(self.runs)) if each not in self.over]
        run = self.chance.choice(going)
        kind = "tool" if self.made.tools and self.chance.random() < 0.3 else "model"
        known = self.memory.allowed.get(kind, [])
        ask = dict(self.chance.choice(known)) if known and self.chance.random() < 0.7 else self.new(kind)
        if kind == "model":
            ask = self.favoured(ask)
            ask |= self.size(ask["model"])
        else:
            ask["args"] = {**ask["args"], "number": self.asked}
        self.ask(Call(run, 0, kind, ask, self.now))

    def favoured(self, ask: dict[str, Any]) -> dict[str, Any]:
        """One that was served by the model that is worth most, if this host goes for that."""
        for name in self.favourites:
            if name in self.memory.served and self.chance.random() < 0.85:
                return dict(self.chance.choice(self.memory.served[name]))
        return ask

    def favour(self) -> list[str]:
        """The models, the one that brings most of what is wanted first; none if it takes what comes."""
        if self.chance.random() < 0.4:
            return []
        worth = {
            each.name.text: max(self.worth(corner) for corner in corners(each, tariffs_of(each, "$") or ()))
            for each in self.policy.of(Model)
        }
        return sorted(worth, key=lambda name: worth[name], reverse=True)

    def worth(self, corner: Corner) -> Any:
        """What an attempt is worth to this host."""
        wanted = {"money": corner.cost, "output": corner.output}
        return wanted.get(self.appetite, corner.input + corner.output)

    def new(self, kind: str) -> dict[str, Any]:
        if kind == "model":
            model = self.chance.choice([*self.made.models, None])
            return {"model": model, "facts": self.facts()}
        tool = self.chance.choice(list(self.made.tools))
        args = {each.name[10:]: self.value(each) for each in self.made.tools[tool] if self.sends(each)}
        return {"tool": tool, "args": args, "facts": self.facts()}

    def size(self, name: str | None) -> dict[str, Any]:
        """How large a prompt is, and what is asked for, by what this host wants most."""
        models = {each.name.text: each for each in self.policy.of(Model)}
        name = self.favourites[0] if self.favourites else name
        model = models[name or self.chance.choice(list(models))]
        window, output = int(model.window or 0), int(model.output or 0)
        sizes = {
            "calls": [0],
            "tokens": [window - model.least_output, window - output],
            "output": [0, 0, 1],
            "money": [*[window - output] * 4, window - model.least_output, 0],
            "cheap": [window - model.least_output, window - output],
        }
        everything = [0, 1, 20, 50, 100, window - output, window - model.least_output]
        asked = self.chance.choice(sizes.get(self.appetite, everything))
        # What is too large for somebody who is greedy is made smaller step by step.
        asked >>= (
            min(self.got_nothing // 2, 9) if self.favourites else self.chance.choice([0, 0, 0, 1, 2, 3, 5])
        )
        most = {"calls": 0, "cheap": self.chance.choice([0, 0, None])}.get(
            self.appetite, None if self.favourites else self.chance.choice([None, None, None, 10, 60])
        )
        return {"input_tokens": max(0, asked), "max_output": most}

    def ask(self, call: Call) -> None:
        self.asked += 1
        run = self.runs[call.run]
        begin = {"now": self.now, "wall": self.wall, "call": call.call or None}
        if call.kind == "model":
            decision = run.model_call(**begin, **call.ask, results=[])
        else:
            decision = run.tool_call(**begin, **call.ask)
        call.call = decision.call or call.call
        self.heed(call, decision)

    def ask_again(self, call: Call) -> None:
        """After its delay, with other facts now and then, and with a smaller prompt."""
        self.now = max(self.now, call.ready) if self.chance.random() < 0.8 else self.now
        call.tries += 1
        if call.tries > 12:
            return
        if self.chance.random() < 0.2:
            call.ask = {**call.ask, "facts": self.facts()}
        if call.kind == "model" and self.chance.random() < 0.3:
            models = [*self.made.models, None]
            call.ask = {**call.ask, "model": self.chance.choice(models), **self.size(None)}
            call.ask |= self.favoured({})
        self.ask(call)

    def heed(self, call: Call, decision: Any) -> None:
        """Do what a decision asks for."""
        if decision.attempt is not None:
            self.got_nothing = 0
            self.latest_start = max(self.latest_start, self.now - self.begun)
            self.flights[(call.run, decision.attempt)] = Flight(
                call.run, call.call, call.kind, call.ask, decision
            )
            self.sent.append((call.run, call.call, decision.attempt, call.kind))
            known = self.memory.allowed.setdefault(call.kind, [])
            if decision.model is not None:
                served = self.memory.served.setdefault(decision.model, [])
                served.append({each: call.ask[each] for each in ("model", "facts")})
            known.append(
                {each: call.ask[each] for each in ("model", "tool", "args", "facts") if each in call.ask}
            )
            return
        self.got_nothing += 1
        match decision.outcome:
            case "stop":
                self.over.add(call.run)
            case "wait":
                call.ready = self.now + (decision.wait_ns or 0)
                self.open.append(call)
            case "escalate":
                self.approve(call, decision.request)
                self.open.append(call)
        if decision.outcome in ("deny", "fail") and self.chance.random() < self.patience:
            self.now += self.chance.choice(PAUSES) * SECOND

    def approve(self, call: Call, request: int) -> None:
        with suppress(EngineError):
            self.runs[call.run].answer(self.now, self.wall, request, True)

    # -- ending attempts --------------------------------------------------------------------------

    def finish(self, flight: Flight) -> None:
        """An attempt ends: with an error that is retried, or with a result that leads on."""
        (place,) = [each for each, other in self.flights.items() if other is flight]
        del self.flights[place]
        self.now += self.chance.choice([0, 0, 0, SECOND // 100, SECOND])
        run, attempt = self.runs[place[0]], place[1]
        begin = {"now": self.now, "wall": self.wall, "attempt": attempt}
        usage = self.usage(flight)
        if usage["usage"] == "unsent":
            self.unsent.add(place)
        if self.chance.random() < self.fails:
            kind = self.error_kind()
            none = {"input_tokens": 0, "output_tokens": 0}
            decision = run.error(**begin, **none | usage, kind=kind, fingerprint=self.asked)
            self.memory.retried[kind] += 3 if decision.outcome == "wait" else -1
        elif usage["usage"] == "unsent":
            run.settle(**begin, **usage)
            return
        else:
            facts = {**self.facts(), "result.confidence": self.chance.choice([0, 0, 0.3, 1])}
            fields = {
                each.name[7:]: self.value(each)
                for each in self.made.results.get(flight.ask.get("tool", ""), [])
            }
            facts = (
                {name: each for name, each in facts.items() if name != "result.confidence"}
                if (flight.kind == "tool")
                else facts
            )
            decision = run.result(**begin, **usage, facts=facts, fields=fields, fingerprint=self.asked)
        if decision.outcome == "wait":
            ready = self.now + (decision.wait_ns or 0)
            self.open.append(Call(flight.run, flight.call, flight.kind, flight.ask, ready))
        elif decision.outcome == "stop":
            self.over.add(flight.run)

    def usage(self, flight: Flight) -> dict[str, Any]:
        """What an attempt used: by what this host wants most, never more than was reserved."""
        if self.chance.random() < 0.05:
            return {"usage": "unsent"}
        if flight.kind == "tool":
            return {"usage": self.chance.choice(["unknown", "exact"])}
        asked, cap = flight.ask["input_tokens"], flight.decision.output_cap
        full = {"usage": "exact", "input_tokens": asked, "output_tokens": cap}
        match self.appetite if self.chance.random() < 0.9 else "any":
            case "calls":
                return {"usage": "exact", "input_tokens": 0, "output_tokens": 0}
            case "money":
                return self.chance.choice([{"usage": "unknown"}, {**full, "usage": "at_least"}])
            case "cheap":
                reasoning = self.chance.choice([0, cap])
                read = self.chance.choice([0, *[asked] * 9])
                write = self.chance.choice([0, asked - read])
                return full | {"cache_read": read, "cache_write": write, "reasoning": reasoning}
            case "any":
                used = {"input_tokens": asked // 2, "output_tokens": self.chance.choice([0, cap])}
                return {"usage": self.chance.choice(["exact", "at_least"]), **used}
        return full

    def error_kind(self) -> str:
        """Most often one that was retried before."""
        good = [kind for kind, times in self.memory.retried.items() if times > 0]
        return self.chance.choice(good if good and self.chance.random() < 0.8 else KINDS)

    # -- values -----------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        facts = {each.name: self.value(each) for each in self.made.facts if self.sends(each)}
        if self.chance.random() < 0.5:
            facts["step.kind"] = self.chance.choice(VALUES["text"])
        if self.chance.random() < 0.5:
            facts["step.confidence"] = self.chance.choice(VALUES["percent"])
        return facts

    def sends(self, fact: Fact) -> bool:
        return not fact.optional or self.chance.random() < 0.5

    def value(self, fact: Fact) -> Any:
        return self.chance.choice(fact.choices or VALUES[fact.dimension])


def over(bounds: Bounds, used: dict[str, int], latest_start: int) -> list[str]:
    """Where a run used more than its worst case."""
    found = [
        f"{figure.measure}: {used.get(figure.measure, 0)} of {figure.most}"
        for figure in bounds.figures
        if figure.most is not None and used.get(figure.measure, 0) > figure.most
    ]
    if bounds.time is not None and latest_start >= bounds.time.most:
        found.append(f"time: a call began at {latest_start} of {bounds.time.most}")
    return found
