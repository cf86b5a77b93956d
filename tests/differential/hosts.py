"""Random hosts, by seed: they do what hosts do, in any order, and now and then what they should not."""

from __future__ import annotations

from random import Random
from typing import Any

from checkrein.frozen import replace
from tests.both import Event

from .facts import CHOICES, KINDS, Fact
from .generate import Made
from .values import ILL_TYPED, ODD_ARGUMENTS, VALUES

SECOND = 10**9
HOUR = 3600 * SECOND
AFTER_STOP = 3
USAGE = "usage input_tokens output_tokens cache_read cache_write reasoning".split()
# Where clocks were changed: in Rome, in St. John's (over midnight, too), in Auckland.
EDGES = sorted(second * SECOND for second in (
    1_289_097_060, 1_774_746_000, 1_774_761_000, 1_775_311_200, 1_790_431_200, 1_792_890_000, 1_798_761_600,
))  # fmt: skip


class Clock:
    """The time of all hosts: `now` never goes back, the wall clock may be set."""

    def __init__(self, chance: Random, begun: int) -> None:
        self.chance = chance
        self.now = begun
        self.wall = chance.choice(EDGES) - chance.choice([0, 1, SECOND, 30 * SECOND, HOUR, 40 * HOUR])

    def move(self) -> None:
        """Some time goes by."""
        self.pass_by(self.chance.choice([0, 0, SECOND // 100, SECOND // 10, SECOND, 3 * SECOND]))
        if self.chance.random() < 0.02:
            self.pass_by(self.chance.choice([25, 130, 4000]) * SECOND)
        if self.chance.random() < 0.04:
            self.set_the_wall()

    def pass_by(self, delay: int) -> None:
        self.now += delay
        self.wall += delay

    def set_the_wall(self) -> None:
        """To or just before a border of windows, or somewhat back."""
        border = self.chance.choice([HOUR // 2, HOUR, HOUR, 24 * HOUR, 24 * HOUR, 7 * 24 * HOUR])
        later = [each for each in EDGES if each > self.wall]
        if self.chance.random() < 0.2 and later:
            self.wall = later[0]
        elif self.chance.random() < 0.2:
            self.wall -= self.chance.choice([SECOND, HOUR, 25 * HOUR])
        else:
            self.wall += border - self.wall % border
        self.wall += self.chance.choice([0, 0, -1, 1, 1800 * SECOND])


class Host:
    """Chooses each next event of a run from what was answered so far."""

    def __init__(self, chance: Random, made: Made, clock: Clock) -> None:
        self.chance = chance
        self.made = made
        self.clock = clock
        self.flights: dict[int, tuple[int, str, dict]] = {}
        self.settled: list[tuple[int, dict]] = []
        self.waiting: list[tuple[int, int, str, dict]] = []
        self.closed: list[tuple[int, str, dict]] = []
        self.requests: dict[int, int] = {}
        self.done: list[tuple[str, dict]] = []
        self.after_stop = 0
        self.prompt: list[tuple[int, int]] = []
        # Some hosts send values of the wrong type often, most never.
        self.carelessness = chance.choice([0, 0, 0.02, 0.1])
        self.repeats = chance.choice([0.1, 0.3, 0.8])

    @property
    def now(self) -> int:
        return self.clock.now

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come of this run."""
        return self.after_stop > AFTER_STOP

    def _wait_until(self, instant: int) -> None:
        self.clock.pass_by(max(0, instant - self.now))

    # -- the next event ---------------------------------------------------------------------------

    def next(self) -> Event:
        """An event that a host could send now."""
        draw = self.chance.random()
        if draw < 0.05:
            return self._misuse()
        if draw < 0.07 and self.settled:
            return self._adjust()
        if draw < 0.18 and self.flights:
            return self._settle()
        if draw < 0.32 and self.flights:
            return self._result()
        if draw < 0.52 and self.flights:
            return self._error()
        if draw < 0.54 and self.flights:
            return self._count()
        if draw < 0.56:
            return "tell_agent", {"fingerprint": self.chance.choice([1, 3, 5])}
        if draw < 0.60 and self.requests:
            return self._answer()
        if draw < 0.83 and self.waiting:
            return self._ask_again()
        return self._model() if self.chance.random() < 0.45 else self._tool()

    def _ask_again(self) -> Event:
        ready, call, method, ask = min(self.waiting, key=lambda each: each[0])
        if self.chance.random() < 0.9:
            self._wait_until(ready)
        facts = self._facts() if self.chance.random() < 0.3 else ask["facts"]
        return method, {**ask, "facts": facts, "call": call, "now": self.now}

    def _model(self) -> Event:
        model = self.chance.choice([*self.made.models, *self.made.models, None])
        if self.chance.random() < 0.02:
            model = "ghost"
        asked = {"model": model, "input_tokens": self.chance.choice([0, 1, 20, 50, 100, 120, 350, 399, 900])}
        limit = self.chance.choice([None, None, 10, 60, 200, 0])
        return "model_call", {
            "now": self.now,
            "call": None,
            **asked,
            "max_output": limit,
            "facts": self._facts(),
            "messages": self._messages(),
            "results": self.chance.choice([None, [], [], [(1, 1)], [(1, 5), (2, 2)], [(3, 5)]]),
        }

    def _messages(self) -> list[tuple[int, int]] | None:
        """A prompt that goes on with the latest, mostly, or begins otherwise with some of what was said."""
        if self.chance.random() < 0.03:
            return None
        said = [(self.chance.choice([1, 2, 3, 4, 5]), self.chance.choice([0, 1, 10, 90])) for _ in range(2)]
        if self.chance.random() < 0.3:
            self.prompt = self.chance.sample(self.prompt, len(self.prompt) // 2)
        self.prompt = [*self.prompt[-12:], *said[: self.chance.choice([0, 1, 1, 2])]]
        return self.prompt

    def _tool(self) -> Event:
        tool, is_keen = self._chosen()
        args = {fact.name[10:]: self._value(fact) for fact in self.made.tools[tool] if self._sends(fact)}
        if self.chance.random() < 0.04:
            args["extra"] = self.chance.choice(ODD_ARGUMENTS)
        if self.done and self.chance.random() < (0.9 if is_keen else 0.3):
            args |= self._same()
        if self.done and self.chance.random() < self.repeats:  # what succeeded once is asked for again
            tool, args = self.chance.choice(self.done)
        if self.chance.random() < 0.02:
            tool = "ghost"
        return "tool_call", {
            "now": self.now,
            "call": None,
            "tool": tool,
            "args": args,
            "facts": self._facts(),
        }

    def _chosen(self) -> tuple[str, bool]:
        """A tool, and whether it is to be about what was done: some order has that come first."""
        if self.made.orders and self.chance.random() < 0.4:
            before, after = self.chance.choice(self.made.orders)
            has_looked = any(tool in before for tool, _ in self.done) and self.chance.random() < 0.8
            return self.chance.choice(after if has_looked else before), has_looked
        return self.chance.choice(list(self.made.tools)), False

    def _same(self) -> dict:
        """What the latest success was about, or an earlier one."""
        return self.chance.choice([self.done[-1], *self.done])[1]

    def _usage(self, attempt: int) -> dict:
        ask = self.flights[attempt][2]
        used = self._tokens(ask.get("input_tokens", 0))
        usage = self.chance.choices(["exact", "at_least", "unknown", "unsent"], [6, 2, 2, 1])[0]
        return {"attempt": attempt, "usage": usage, **used}

    def _tokens(self, asked: int) -> dict:
        used = {"input_tokens": asked, "output_tokens": self.chance.choice([0, 5, 20, 50])}
        if self.chance.random() < 0.1:
            used = {"input_tokens": self.chance.choice([500, 500, 40_000]), "output_tokens": 400}
        if self.chance.random() < 0.4:
            read = self.chance.choice([0, 7, used["input_tokens"] // 2, used["input_tokens"]])
            written = self.chance.choice([0, 1, max(0, used["input_tokens"] - read)])
            reasoning = self.chance.choice([0, 3, used["output_tokens"]])
            used |= {"cache_read": read, "cache_write": written, "reasoning": reasoning}
        return used

    def _adjust(self) -> Event:
        attempt, usage = self.chance.choice(self.settled[-6:])
        used = self._tokens(self.chance.choice([usage["input_tokens"], 0, 30, 300]))
        if self.chance.random() < 0.1:
            attempt = self.chance.choice([*self.flights, 999])
        return "adjust", {"now": self.now, "attempt": attempt, **used}

    def _settle(self) -> Event:
        usage = self._usage(self.chance.choice(list(self.flights)))
        return "settle", {"now": self.now, **usage}

    def _result(self) -> Event:
        attempt = self.chance.choice(list(self.flights))
        usage = self._usage(attempt)
        facts = self._facts() if self.chance.random() < 0.3 else {}
        if self.chance.random() < 0.3:
            facts["result.confidence"] = self.chance.choice(VALUES["percent"])
        fingerprint = self.chance.choice([None, 1, 2, 2**64 - 1])
        known = self.made.results.get(self.flights[attempt][2].get("tool"), [])
        fields = {fact.name[7:]: self._value(fact) for fact in known if self._sends(fact)}
        said = {
            "facts": facts,
            "fields": fields,
            "fingerprint": fingerprint,
            "committed": self.chance.random() < 0.1,
        }
        return "result", {"now": self.now, **usage, **said}

    def _error(self) -> Event:
        usage = self._usage(self.chance.choice(list(self.flights)))
        details = {
            "kind": self.chance.choice([*KINDS, *KINDS[:3], *KINDS[:3], "timeout"]),
            "status": self.chance.choice([None, None, 0, 2, 3, 5, 503]),
            "retry_after": self.chance.choice([None, None, None, 0.5, 2, 0.1, 45]),
            "billed": self.chance.choice([None, None, True, False]),
            "own": self.chance.random() < 0.2,
            "fingerprint": self.chance.choice([None, None, None, 1, 2]),
        }
        if self.chance.random() < self.carelessness:
            details[self.chance.choice(["status", "retry_after", "billed"])] = self.chance.choice(ILL_TYPED)
        return "error", {"now": self.now, **usage, **details}

    def _count(self) -> Event:
        attempt = self.chance.choice(list(self.flights))
        return "count", {"now": self.now, "attempt": attempt, "n": self.chance.choice([0, 1, 7, 60])}

    def _answer(self) -> Event:
        request = self.chance.choice(list(self.requests))
        if self.chance.random() < 0.06:
            self._wait_until(self.requests[request] + self.chance.choice([0, 1]))
        if self.chance.random() < 0.03:
            return self._ask_again() if self.waiting else self._tool()
        return "answer", {"now": self.now, "request": request, "approve": self.chance.random() < 0.75}

    def _misuse(self) -> Event:
        return self.chance.choice([
            self._settle_again, self._settle_again, self._stale_call, self._stale_call, self._changed_call,
            self._unknown_things, self._bad_fact, self._bad_number, self._time_back, self._end,
        ])()  # fmt: skip

    def _settle_again(self) -> Event:
        if not self.settled:
            return self._tool()
        attempt, usage = self.chance.choice(self.settled[-4:])
        arguments = {"now": self.now, "attempt": attempt, **usage}
        if self.chance.random() < 0.4:
            arguments["output_tokens"] += 1
        if self.chance.random() < 0.1:
            return "error", {
                **arguments,
                "kind": "timeout",
                "status": None,
                "retry_after": None,
                "billed": None,
            }
        return "settle", arguments

    def _stale_call(self) -> Event:
        calls = [*self.closed[-5:], *(flight for flight in self.flights.values())]
        if not calls:
            return self._model()
        call, method, ask = self.chance.choice(calls)
        return method, {**ask, "call": self.chance.choice([call, call, call + 40]), "now": self.now}

    def _changed_call(self) -> Event:
        if not self.waiting:
            return self._tool()
        method, ask = self.chance.choice([self._tool, self._model])()
        return method, {**ask, "call": self.chance.choice(self.waiting)[1]}

    def _unknown_things(self) -> Event:
        return self.chance.choice([
            ("answer", {"now": self.now, "request": 99, "approve": True}),
            ("settle", {"now": self.now, "attempt": 999, "usage": "unknown"}),
            ("adjust", {"now": self.now, "attempt": 999, "input_tokens": 1, "output_tokens": 1}),
            ("count", {"now": self.now, "attempt": 999, "n": 1}),
        ])  # fmt: skip

    def _bad_fact(self) -> Event:
        method, ask = self._tool()
        name = self.chance.choice(["no.such", "run.steps.spent", "call.tool", "error.kind"])
        return method, {**ask, "facts": {**ask["facts"], name: 1}}

    def _bad_number(self) -> Event:
        method, ask = self._model()
        field = self.chance.choice(["input_tokens", "max_output"])
        return method, {**ask, field: self.chance.choice([-1, 2**53])}

    def _time_back(self) -> Event:
        method, ask = self._tool()
        return method, {**ask, "now": max(0, self.now - 4 * SECOND)}

    def _end(self) -> Event:
        return ("end", {"now": self.now}) if self.chance.random() < 0.15 else self._tool()

    # -- values -----------------------------------------------------------------------------------

    def _facts(self) -> dict[str, Any]:
        facts = {fact.name: self._value(fact) for fact in self.made.facts if self._sends(fact)}
        if self.chance.random() < 0.3:
            facts["step.kind"] = self.chance.choice(VALUES["text"])
        if self.chance.random() < 0.3:
            facts["step.confidence"] = self.chance.choice(VALUES["percent"])
        return facts

    def _sends(self, fact: Fact) -> bool:
        return self.chance.random() < (0.5 if fact.optional else 0.92)

    def _value(self, fact: Fact) -> Any:
        if self.chance.random() < self.carelessness:
            return self.chance.choice([*ILL_TYPED, None])
        if fact.most and self.chance.random() > self.carelessness:
            # Now and then it is too long.
            length = self.chance.choice(
                [0, 1, 1, 2, fact.most, fact.most, fact.most + (self.carelessness > 0)]
            )
            elements = [self._value(replace(fact, most=0)) for _ in range(length)]
            return self.chance.choice([elements, tuple(elements)])
        choices = [*fact.choices, *fact.choices, *CHOICES] if fact.choices else VALUES[fact.dimension]
        return self.chance.choice(choices)

    # -- what was answered ------------------------------------------------------------------------

    def saw(self, event: Event, answer: Any) -> None:
        """Remember what became of an event."""
        method, arguments = event
        if isinstance(answer, dict) and "error" in answer:
            return
        if method in ("settle", "error", "result"):
            attempt = arguments["attempt"]
            usage = {each: arguments[each] for each in USAGE if each in arguments}
            self.settled.append((attempt, usage))
            flight = self.flights.pop(attempt, None)
            if flight and method == "settle":
                self.closed.append(flight)
            if flight and method != "error" and flight[1] == "tool_call":
                self.done.append((flight[2]["tool"], flight[2]["args"]))
            if flight and method != "settle":
                self._decided(answer, flight[1], flight[2])
        elif method.endswith("_call"):
            self._decided(answer, method, arguments)
        elif method == "end":
            self.flights.clear()
            self.after_stop += 1
        elif method == "answer":
            self.requests.pop(arguments["request"], None)

    def _decided(self, answer: dict, method: str, ask: dict) -> None:
        call, outcome = answer["call"], answer["outcome"]
        self.waiting = [each for each in self.waiting if each[1] != call]
        if outcome == "stop" or answer["by"] == "run ended":
            self.after_stop += 1
        if answer["attempt"] is not None:
            self.flights[answer["attempt"]] = (call, method, ask)
        elif outcome == "wait":
            self.waiting.append((self.now + answer["wait_ns"], call, method, ask))
        elif outcome == "escalate":
            self.waiting.append((self.now, call, method, ask))
            self.requests[answer["request"]] = answer["expires_at"]
        elif call is not None:
            self.closed.append((call, method, ask))
