"""The `test` blocks of a policy, run through the real engine under a virtual clock.

    for result in checkrein.testing.run_file("support.rein"):
        assert result.passed, result

Every call of a test is one logical call: asked, asked again after each `wait` (the clock moves on by
itself), failed as its `fails` says, until the decision is final. What is spent under the limits of a
user or another scope is kept in memory and ends with the test; `new run` begins another run under them. What
a test can't do: run two calls at the same time, or reach a real model or tool.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkrein import _core
from checkrein.errors import EngineError, LoadError
from checkrein.guard import Guard, VirtualClock
from checkrein.guard.classify import Failure
from checkrein.guard.result import fingerprint
from checkrein.guard.usage import NOTHING, UNKNOWN, Usage
from checkrein.misses import Miss, came, expectation, one_by_one
from checkrein.sent import host_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike

    from checkrein.language import tree


@dataclass(frozen=True, slots=True)
class Result:
    """How one `test` block went. `str()` names every miss."""

    name: str
    file: str
    line: int
    misses: tuple[Miss, ...]

    @property
    def passed(self) -> bool:
        """True if everything came as expected."""
        return not self.misses

    def __str__(self) -> str:
        return "\n".join(map(str, self.misses)) or f"test `{self.name}` passed"


def run_file(path: str | PathLike[str], *, only: str | None = None) -> list[Result]:
    """Run every `test` block of a `.rein` file, in source order; or those with `only` in their names.

    Raises `PolicyError` with every mistake if the file does not compile, and `LoadError` if it can't
    be read.
    """
    try:
        source = Path(path).read_bytes()
    except OSError as error:
        raise LoadError(f"cannot read the policy `{path}`: {error.strerror or error}") from error
    return run_source(source, str(path), only=only, path=str(path))


def run_source(
    source: str | bytes, file: str, *, only: str | None = None, path: str | None = None
) -> list[Result]:
    """Like `run_file`, of a policy's text; `file` is its name, `path` where it is, if it may include."""
    from checkrein.language import artifact_of, sound

    policy = sound(source, file, path=path)
    return run_tests(policy, _core.Program.load(artifact_of(policy)), only=only)


def run_tests(policy: tree.Policy, program: Any, *, only: str | None = None) -> list[Result]:
    """Run the `test` blocks of a parsed policy through `program`, its compiled form."""
    return [Rehearsal(policy, program, test).result() for test in chosen(policy, only)]


def chosen(policy: tree.Policy, only: str | None) -> list[tree.Test]:
    """The tests with `only` in their names, in capitals or not; all if it is None."""
    from checkrein.language import tree

    tests = policy.of(tree.Test)
    return [test for test in tests if only is None or only.casefold() in test.name.text.casefold()]


@dataclass(slots=True)
class _Call:
    """One logical call of a test, and everything that was decided about it."""

    item: tree.Call
    run: int
    """Which of the test's runs makes it, from 1."""
    subject: str
    ask: Callable[[int | None], Any]
    failed: int = 0
    given: int = 0
    decisions: list[Any] = field(default_factory=list)

    @property
    def final(self) -> Any:
        return self.decisions[-1]

    def fails_now(self) -> bool:
        """Whether the attempt that is under way is one of those that fail; it is then counted."""
        fails = self.item.fails
        if fails is None or (fails.times is not None and self.failed >= fails.times):
            return False
        self.failed += 1
        return True

    def gives_now(self) -> tree.Gives | None:
        """What the attempt that is under way gives, if the test says; it is then counted."""
        gives = self.item.gives
        if gives is None or (gives.times is not None and self.given >= gives.times):
            return None
        self.given += 1
        return gives

    def decided(self, kind: str) -> Any:
        """The decision that an expectation of `kind` is about: the final one, or the last wait."""
        if kind != "wait":
            return self.final
        return next((d for d in reversed(self.decisions) if d.outcome == "wait"), self.final)


class Watch:
    """Sees what the calls of a test ask, and what is decided. This one looks away."""

    def asked(self, item: tree.Call, facts: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """The facts that are sent when `item` is asked about."""
        return facts

    def decided(self, item: tree.Call, decision: Any) -> None:
        """Something was decided about `item`: an ask, a result or an error."""


class Rehearsal:
    """One test: runs of the policy one after the other, with a clock and a ledger of their own."""

    def __init__(
        self, policy: tree.Policy, program: Any, test: tree.Test, watch: Watch | None = None
    ) -> None:
        self.watch = watch or Watch()
        self.policy = policy
        self.test = test
        begins, self.items = _beginning(test)
        self.clock = VirtualClock(wall=begins)
        self.guard = Guard(program, clock=self.clock)
        self.names = {word: name.text for word, name in test.scopes}
        self.facts = {fact.text: host_value(value) for fact, value in test.facts}
        self.runs = 1
        self.run = self.guard.begin(id="test", seed=0, names=self.names, facts=self.facts)
        self.calls: list[_Call] = []
        self.misses: list[Miss] = []
        self.said: dict[tuple[int, int], str] = {}
        """What was answered to the requests of a run."""

    def result(self) -> Result:
        try:
            self._play(self.items)
        finally:
            self.guard.close()
        file, place = self.policy.file_of(self.test.span), self.test.span
        return Result(self.test.name.text, file, place.line, tuple(self.misses))

    def _play(self, items: Iterable[tree.TestItem]) -> None:
        from checkrein.language import tree

        for item in items:
            try:
                match item:
                    case tree.Call():
                        self._call(item)
                    case tree.Repeat():
                        for _ in range(item.times):
                            self._play(item.items)
                    case tree.Wait():
                        self.clock.advance(item.duration)
                    case tree.Clock():
                        self._move_clock(item)
                    case tree.NewRun():
                        self._begin(item)
                    case tree.Answer():
                        self._answer(item)
                    case tree.Expect():
                        self._expect(item)
            except EngineError as error:
                self._miss(item.span, "an event that the engine takes", str(error))

    # -- events ---------------------------------------------------------------------------------------

    def _begin(self, item: tree.NewRun) -> None:
        """End the run, and begin another one: of the same, but for what is said of whose it is."""
        self.run.end()
        self.names = self.names | {word: name.text for word, name in item.scopes}
        self.facts = self.facts | {fact.text: host_value(value) for fact, value in item.facts}
        self.runs += 1
        self.run = self.guard.begin(id=f"test {self.runs}", seed=0, names=self.names, facts=self.facts)

    def _move_clock(self, item: tree.Clock) -> None:
        if item.wall < self.clock.wall():
            self._miss(item.span, "a time that is not over", "the clock past it: it never goes back")
        else:
            self.clock.advance(item.wall - self.clock.wall())

    def _call(self, item: tree.Call) -> None:
        facts = {fact.text: host_value(value) for fact, value in item.facts}
        name = item.name.text if item.name else None
        if item.point == "tool":
            subject = f"tool `{name}`"
            units = self._money_units(name)
            args = {arg.text: host_value(value, units.get(arg.text)) for arg, value in item.args}

            def ask(again: int | None) -> Any:
                sent = self.watch.asked(item, facts)
                return self.run.decide(tool=name, args=args, facts=sent, call=again)
        else:
            subject = f"model `{name or 'any'}`"

            def ask(again: int | None) -> Any:
                return self.run.decide(
                    model=name,
                    input_tokens=item.input,
                    max_tokens=item.asks,
                    facts=self.watch.asked(item, facts),
                    call=again,
                    context=(),
                )

        call = _Call(item, self.runs, subject, ask)
        self._pursue(call, None)
        self.calls.append(call)

    def _pursue(self, call: _Call, again: int | None) -> None:
        """Ask about `call`, and go on as a host would, until nothing is left to do for it."""
        while True:
            decision = call.ask(again)
            self.watch.decided(call.item, decision)
            call.decisions.append(decision)
            again = decision.call
            if decision.outcome == "allow":
                after = self._end(call, decision)
                if after is not None:
                    self.watch.decided(call.item, after)
                if after is None or (after.outcome == "allow" and after.event.endswith("result")):
                    return
                decision = after
                call.decisions.append(decision)
            if decision.outcome != "wait":
                return
            self.clock.advance(decision.wait_ns or 0)

    def _end(self, call: _Call, decision: Any) -> Any:
        """What is decided about the end of an attempt; nothing, if it ends well and nobody looks."""
        if call.fails_now():
            return self.run.fail(decision, _failure(call.item), call.subject)
        gives = call.gives_now()
        if decision.model is not None and self.guard.models[decision.model]["cascades"]:
            said = gives.fields if gives else ()
            facts = {name.text: host_value(value) for name, value in said}
            used = _usage(call.item, decision)
            return self.run.result(decision, used, facts=facts, subject=call.subject)
        if gives is None or decision.model is not None:
            self.run.settle(decision, _usage(call.item, decision))
            return None
        name = call.item.name.text if call.item.name else None
        units = self._money_units(name, "results")
        fields = {field.text: host_value(value, units.get(field.text)) for field, value in gives.fields}
        mark = fingerprint(fields)
        return self.run.result(decision, NOTHING, fields=fields, fingerprint=mark, subject=call.subject)

    def _answer(self, item: tree.Answer) -> None:
        verb = "answer" if isinstance(item.approve, str) else "approve" if item.approve else "reject"
        waiting = next((call for call in reversed(self.calls) if self._waits(call)), None)
        if waiting is None:
            self._miss(item.span, f"a call that waits for a person, to {verb} it", "no call that waits")
            return
        try:
            self.run.answer(waiting.final.request, item.approve)
            if isinstance(item.approve, str):
                self.said[self.runs, waiting.final.request] = item.approve
        except EngineError as error:
            # Too late is not a mistake of the test: asked again, the queue's default decides.
            if error.kind == "other_kind":
                self._miss(item.span, verb, str(error))
                return
            if error.kind != "expired":
                raise
        self._pursue(waiting, waiting.final.call)

    def _waits(self, call: _Call) -> bool:
        """Whether a call of the run waits for a person."""
        return call.run == self.runs and call.final.outcome == "escalate"

    # -- expectations -----------------------------------------------------------------------------------

    def _expect(self, item: tree.Expect) -> None:
        expected = expectation(item)
        number = item.at_call or len(self.calls)
        if not 1 <= number <= len(self.calls):
            made = "no call yet" if not self.calls else f"only {len(self.calls)} calls so far"
            self._miss(item.span, expected, made)
            return
        call = self.calls[number - 1]
        if item.would:
            self._expect_observed(item, call, f"{expected} (call {number})")
            return
        outcome = "stop" if item.kind == "handover" else item.kind
        decision = call.decided(outcome)
        said = self.said.get((call.run, decision.answered or 0), decision.text)
        named = {"allow": decision.model, "escalate": decision.queue, "answer": said}
        target = named.get(item.kind, decision.state)
        met = (
            decision.outcome == outcome
            and (item.kind == "handover") == (outcome == "stop" and decision.state is None)
            and (item.target is None or item.target.text == target)
            and (item.by is None or item.by.text == decision.by)
        )
        if not met:
            self._miss(item.span, expected, f"{came(decision, call.subject)} (call {number})", call)

    def _expect_observed(self, item: tree.Expect, call: _Call, expected: str) -> None:
        said = [each for decision in call.decisions for each in decision.would]
        by = [each for each in said if item.by is None or each[2] == item.by.text]
        met = [each for each in by if each[0] == item.kind and self._meant(item, each)]
        if bool(met) if item.kind != "allow" else all(each[0] == "allow" for each in by):
            return
        told = ", ".join(f"would {outcome} by {kind} `{name}`" for outcome, kind, name, _, _ in said)
        self._miss(item.span, expected, told or "nothing that an observed statement would have done", call)

    def _meant(self, item: tree.Expect, said: tuple[str, str, str, str | None, bool]) -> bool:
        """Whether the state or queue is the one of the statement that says so."""
        from checkrein.language.names import KIND_WORDS

        if item.target is None:
            return True
        place = said[1], said[2]
        named = [s for s in self.policy.statements if (KIND_WORDS.get(type(s)), _name(s)) == place]
        outcomes = [getattr(s, "outcome", None) or getattr(s, "otherwise", None) for s in named]
        return any(o and o.target and o.target.text == item.target.text for o in outcomes)

    def _miss(self, span: tree.Span, expected: str, told: str, call: _Call | None = None) -> None:
        decided = () if call is None else one_by_one(call.decisions, call.subject)
        file = self.policy.file_of(span)
        self.misses.append(Miss(file, span.line, span.column, expected, told, decided))

    def _money_units(self, tool: str | None, of: str = "args") -> dict[str, str | None]:
        from checkrein.language import tree

        declared = next((t for t in self.policy.of(tree.Tool) if t.name.text == tool), None)
        return {field.name.text: field.type.unit for field in getattr(declared, of)} if declared else {}


def _beginning(test: tree.Test) -> tuple[int, tuple[tree.TestItem, ...]]:
    """When a test begins, and what happens from then on: a time before everything else is its beginning."""
    from checkrein.language import tree

    if test.items and isinstance(test.items[0], tree.Clock):
        return test.items[0].wall, test.items[1:]
    return 0, test.items


def _usage(item: tree.Call, decision: Any) -> Usage:
    """What the call used: a provider never produces more than the cap that it is given."""
    if item.point == "tool":
        return NOTHING
    cap = item.output if decision.output_cap is None else decision.output_cap
    return Usage("exact", item.input, min(item.output, cap))


def _failure(item: tree.Call) -> Failure:
    """A timeout may have been paid for, and a tool may have run; the other failures used nothing."""
    kind = item.fails.kind.text if item.fails else "unknown"
    return Failure(kind, UNKNOWN if kind == "timeout" or item.point == "tool" else NOTHING)


def _name(statement: Any) -> str | None:
    name = getattr(statement, "name", None)
    return name.text if name else None
