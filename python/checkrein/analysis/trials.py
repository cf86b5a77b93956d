"""One run of a policy through its engine, written down as the items of a `test` block that plays it again.

It goes like a test: the clock begins at 0 and moves by itself over every delay. The engine decides, so what
was let through here is let through.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from checkrein import _core
from checkrein.diagnostics import ODD
from checkrein.language.meaning.examples import written

if TYPE_CHECKING:
    from collections.abc import Iterable

WORDS = ("session", "user", "team", "org")
SCALE = {"money": -9, "duration": -9, "percent": -6}
"""Powers of ten from the engine's integers to what a host sends."""
CENTS = 2


@dataclass(frozen=True, slots=True)
class Given:
    """A fact or an argument of a call, as a policy writes it and as a host sends it."""

    name: str
    literal: str
    value: Any


def given(name: str, value: Any, dimension: str, currency: str, unit: str | None = None) -> Given | None:
    """What a host can send and a test can say; None for what has no literal."""
    if isinstance(value, tuple):
        parts = [given(name, each, dimension, currency, unit) for each in value]
        whole = [each for each in parts if each is not None]
        literal = f"[{', '.join(each.literal for each in whole)}]"
        return Given(name, literal, [each.value for each in whole]) if len(whole) == len(parts) else None
    literal = written(value, dimension, currency)
    if literal in ODD or literal.startswith("-"):
        return None
    if dimension not in SCALE:
        return Given(name, literal, value)
    scale = SCALE[dimension] + (CENTS if unit == "cents" else 0)
    sent = Decimal(value).scaleb(scale)
    return Given(name, literal, int(sent) if sent == sent.to_integral_value() else sent)


@dataclass(slots=True)
class Trial:
    """A run, what it cost so far in billionths, and its items."""

    program: Any
    cost: int = 0
    now: int = 0
    items: list[str] = field(default_factory=list)
    run: Any = None
    keys: dict[str, str] = field(default_factory=dict)
    cascades: frozenset[str] = frozenset()
    """The models whose results may be followed by a larger model's."""

    def __post_init__(self) -> None:
        self.cascades = frozenset(model["name"] for model in self.program.models if model["cascades"])
        words: dict[str, Any] = {scope: "x" for scope in self.program.scopes if scope in WORDS}
        self.keys = {scope: "x" for scope in self.program.scopes if scope not in WORDS}
        shares = self.program.wide or self.program.watches
        ledger = _core.Ledger.memory() if shares else None
        self.run = _core.Run(
            self.program, seed=0, now=0, wall=0, ledger=ledger, keys=self.keys, id="test", **words
        )
        if words:
            self.items.append(" ".join(["as", *(f'{word} "x"' for word in words)]))
        if self.keys:
            self.items.append(" ".join(["facts {", *(f'{key} "x"' for key in self.keys), "}"]))

    def model(self, name: str, facts: Iterable[Given], used: tuple[int, int], *, fails: bool) -> bool:
        """Ask for a model, with a prompt and a reply of so many tokens; whether an attempt was made.

        Each attempt times out if it `fails`: then all that was reserved for it is spent.
        """
        facts, sent = list(facts), 0
        prompt, reply = used
        said = "".join(f"{fact.name} {fact.literal} " for fact in facts)
        item = f"model {_quoted(name)} {{ {said}input {prompt} tokens output {reply} tokens }}"
        self.items.append(item + (' fails "timeout"' if fails else ""))
        values = self._values(facts)
        messages: list[Any] | None = [] if self.program.compares_context else None
        call = None
        while True:
            asked = self.run.model_call(self.now, self.now, call, name, prompt, None, values, None, messages)
            call = asked.call
            if asked.outcome == "allow":
                sent += 1
                asked = self._end(asked, used, fails=fails)
            if asked is None or asked.outcome != "wait":
                return sent > 0
            self.now += asked.wait_ns or 0

    def _end(self, decision: Any, used: tuple[int, int], *, fails: bool) -> Any:
        """What follows the end of an attempt; None if it ended well."""
        at = (self.now, self.now, decision.attempt)
        after, spent = None, (used[0], min(used[1], decision.output_cap))
        if fails:
            after = self.run.error(*at, "unknown", 0, 0, "timeout")
        elif decision.model in self.cascades:
            # Nothing says how sure the model was, so a larger one may be asked as well.
            after = self.run.result(*at, "exact", *spent)
        else:
            self.run.settle(*at, "exact", *spent)
        self.cost += self.run.settled(decision.attempt).cost
        return after

    def tool(self, name: str, args: Iterable[Given], facts: Iterable[Given]) -> bool:
        """Ask for a tool, which succeeds; people approve once. Whether it was run."""
        args, facts = list(args), list(facts)
        said = [f"{_quoted(arg.name)} {arg.literal}" for arg in args] + [
            f"{f.name} {f.literal}" for f in facts
        ]
        self.items.append(" ".join([f"tool {_quoted(name)} {{", *said, "}"]))
        values = {arg.name: arg.value for arg in args}
        call, approved = None, False
        while True:
            asked = self.run.tool_call(self.now, self.now, call, name, values, self._values(facts))
            call = asked.call
            if asked.outcome == "allow":
                self.run.settle(self.now, self.now, asked.attempt, "exact")
                return True
            if asked.outcome == "escalate" and not approved and asked.wants == "approval":
                self.items.append("approve")
                self.run.answer(self.now, self.now, asked.request, True)
                approved = True
            elif asked.outcome == "wait":
                self.now += asked.wait_ns or 0
            else:
                return False

    def _values(self, facts: Iterable[Given]) -> dict[str, Any]:
        return self.keys | {fact.name: fact.value for fact in facts}

    def written(self) -> tuple[str, ...]:
        """The items, equal ones in a row as one."""
        found = []
        for item, group in itertools.groupby(self.items):
            times = len(list(group))
            found.append(item if times == 1 else f"repeat {times} {{ {item} }}")
        return tuple(found)


def _quoted(name: str) -> str:
    return written(name, "text", "")
