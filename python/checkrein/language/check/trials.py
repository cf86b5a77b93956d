"""`test` blocks: every call, value and expectation names something that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Literal as Choice

from checkrein.diagnostics import Related, quote
from checkrein.language.check.conditions import value_problems
from checkrein.language.check.observed import check_expectation
from checkrein.language.facts import BUILT_IN, CLOCK_PREFIX, CONFIDENCE, ERROR_KINDS, HOST_BUILT_IN
from checkrein.language.tree import (
    Call,
    Clock,
    Expect,
    Limit,
    Literal,
    Name,
    NewRun,
    Repeat,
    Test,
    Type,
    Wait,
)

if TYPE_CHECKING:
    from checkrein.diagnostics import Report
    from checkrein.language.names import Names
    from checkrein.language.tree import Fails, Gives, TestItem, Value

Point = Choice["model", "tool"]
CALLS_MAX = 10_000
"""Most calls of one test once its repeats are unrolled."""
BUILT_IN_REASONS = (
    "undeclared tool", "undeclared model", "no candidate", "no usable model", "closed call", "changed call",
    "run ended", "holds", "lease", "not retried", "incomplete result",
)  # fmt: skip
"""What decides where no statement of the policy does."""
ID_BYTES_MAX = 512
"""Of whatever a limit is kept for; the engine takes no longer one."""


class TrialChecker:
    """Checks the tests of one policy."""

    def __init__(self, names: Names, report: Report) -> None:
        self.names = names
        self.report = report

    def check(self, test: Test) -> None:
        """Report what is wrong with one test."""
        self._whose(test)
        self._clock(test.items, 0)
        points: list[Point] = []
        expects = self._items(test.items, points)
        if expects == 0 and not self.names.broken:
            self.report.add(
                "R0603",
                test.name.span,
                f"test {quote(test.name.text)} expects nothing",
                help="write `expect ...`",
            )
        if len(points) > CALLS_MAX:
            self.report.add(
                "R0605", test.name.span, f"test {quote(test.name.text)} makes more than {CALLS_MAX:,} calls"
            )

    def _whose(self, test: Test) -> None:
        """Whose run the test is must be said, as far as a limit is kept for it."""
        self._given(test)
        given = {word for word, _ in test.scopes} | {name.text for name, _ in test.facts}
        for limit in self.names.policy.enforced(Limit):
            scope = limit.scope.text
            if scope == "run" or scope in given or self.names.broken:
                continue
            given.add(scope)
            self.report.add(
                "R0611",
                test.name.span,
                f"test {quote(test.name.text)} does not say for which `{scope}` it runs",
                related=(Related("this limit is kept for each", limit.scope.span),),
                help=f'begin it with `as {scope} "..."`'
                if "." not in scope
                else f'begin it with `facts {{ {scope} "..." }}`',
            )

    def _given(self, run: Test | NewRun) -> None:
        """Check whose a run is, and what is sent with it."""
        for word, name in run.scopes:
            self._id(word, name)
        for name, value in run.facts:
            if name.text in HOST_BUILT_IN:
                help = "write it in the braces of a call"
                message = f"{quote(name.text)} is a fact of one call, not of the run"
                self.report.add("R0606", name.span, message, help=help)
                continue
            self._fact(name, value)
            if name.text in self._keys() and isinstance(value, Literal) and isinstance(value.value, str):
                self._id(name.text, Name(value.value, value.span))

    def _keys(self) -> set[str]:
        return {limit.scope.text for limit in self.names.policy.of(Limit)}

    def _id(self, word: str, name: Name) -> None:
        text = name.text
        if not text or len(text.encode()) > ID_BYTES_MAX or not all(c >= " " and c != "\x7f" for c in text):
            self.report.add(
                "R0105",
                name.span,
                f"{quote(text)} cannot be what a limit is kept for (`{word}`)",
                help=f"use 1 to {ID_BYTES_MAX} bytes on one line",
            )

    def _clock(self, items: tuple[TestItem, ...], now: int, *, again: bool = False) -> int:
        """Report a time that the test has passed already; retry delays are not known here."""
        for item in items:
            match item:
                case Wait():
                    now += item.duration
                case Repeat():
                    before = now
                    now = self._clock(item.items, now, again=again or item.times > 1)
                    now += (now - before) * (min(max(item.times, 1), CALLS_MAX) - 1)
                case Clock() if item.wall < now or again:
                    self.report.add(
                        "R0612",
                        item.span,
                        "the clock of a test never goes back" + (", so this cannot repeat" if again else ""),
                        help="write the times in their order, or `wait` for so long",
                    )
                case Clock():
                    now = item.wall
                case _:
                    pass
        return now

    def _items(self, items: tuple[TestItem, ...], points: list[Point]) -> int:
        """Check the items and append what each of their calls is of; how many items expect something."""
        expects = 0
        for item in items:
            match item:
                case Call():
                    self._call(item)
                    points.append(item.point)
                case Repeat():
                    if not 1 <= item.times <= CALLS_MAX:
                        self.report.add(
                            "R0605",
                            item.span,
                            f"`repeat` takes 1 to {CALLS_MAX:,}",
                            help="leave it out to do it once",
                        )
                    before = len(points)
                    expects += self._items(item.items, points)
                    _unroll(points, before, item.times)
                case NewRun():
                    self._given(item)
                case Expect():
                    self._expect(item, points)
                    expects += 1
                case _:
                    pass
        return expects

    def _call(self, call: Call) -> None:
        if call.name is not None:
            table = self.names.models if call.point == "model" else self.names.tools
            self.names.resolve(self.report, call.point, call.name, table)
        for argument, value in call.args:
            self._argument(call, argument, value)
        for name, value in call.facts:
            self._fact(name, value)
        if call.fails is not None:
            self._fails(call.fails)
        if call.gives is not None:
            self._gives(call, call.gives)

    def _argument(self, call: Call, argument: Name, value: Value) -> None:
        if call.point == "model" or call.name is None:
            message = f"a model call has no argument {quote(argument.text)}"
            has = "it has `input`, `output`, `asks` and facts, as in `model { input 500 output 100 }`"
            self.report.add("R0104", argument.span, message, help=has)
            return
        tool = self.names.tools.get(call.name.text)
        if tool is None:
            return
        if not tool.args:
            return  # nothing is declared, so nothing can be misspelt
        declared = next((a for a in tool.args if a.name.text == argument.text), None)
        if declared is None:
            if not self.names.broken:
                help = self.names.did_you_mean(argument.text, [a.name.text for a in tool.args])
                self.report.add(
                    "R0104",
                    argument.span,
                    f"tool {quote(tool.name.text)} declares no argument {quote(argument.text)}",
                    help=help,
                )
            return
        self._value(value, argument.text, declared.type)

    def _gives(self, call: Call, gives: Gives) -> None:
        if call.point == "model":
            for name, value in gives.fields:
                self._judged(name, value)
        tool = self.names.tools.get(call.name.text) if call.name else None
        for name, value in gives.fields if tool else ():
            declared = next((f for f in tool.results if f.name.text == name.text), None) if tool else None
            if declared is not None:
                self._value(value, name.text, declared.type)
            elif tool and not self.names.broken:
                help = self.names.did_you_mean(name.text, [f.name.text for f in tool.results])
                message = f"tool {quote(tool.name.text)} declares no field {quote(name.text)} of its result"
                help = help or f"declare it: `result {{ {quote(name.text)[1:-1]!r} ... }}`".replace("'", '"')
                self.report.add("R0323", name.span, message, help=help)
        if gives.times == 0 and gives.fields:
            self.report.add(
                "R0607", gives.fields[0][0].span, "`gives ... 0 times` gives nothing", help="leave it out"
            )

    def _judged(self, name: Name, value: Value) -> None:
        if name.text == CONFIDENCE:
            self._value(value, name.text, Type(BUILT_IN[name.text].dimension, name.span))
        else:
            message = f"a model's result does not bring {quote(name.text)}"
            help = "it brings `result.confidence`; other facts are sent in the braces of the call"
            self.report.add("R0606", name.span, message, help=help)

    def _fact(self, name: Name, value: Value) -> None:
        if name.text in self.names.facts:
            self._value(value, name.text, self.names.facts[name.text].type)
        elif name.text in HOST_BUILT_IN:
            self._value(value, name.text, Type(BUILT_IN[name.text].dimension, name.span))
        elif name.text in BUILT_IN or name.text.startswith("call.args."):
            help = "a test sets declared facts, `step.kind` and `step.confidence`"
            if name.text.startswith(CLOCK_PREFIX):
                help = 'set the clock instead: `at time "2026-03-29T00:30:00Z"`, in UTC'
            message = f"{quote(name.text)} is set by the engine, a test cannot set it"
            if name.text == CONFIDENCE:
                help = "write it behind the braces: `gives { result.confidence 50% }`"
                message = f"{quote(name.text)} is known when a model's result is there, not when it is asked"
            self.report.add("R0606", name.span, message, help=help)
        elif not self.names.broken:
            known = sorted([*self.names.facts, *HOST_BUILT_IN])
            help = self.names.did_you_mean(name.text, known) or "declare it with `fact`"
            self.report.add("R0103", name.span, f"unknown fact {quote(name.text)}", help=help)

    def _value(self, value: Value, subject: str, kind: Type) -> None:
        for span, found in value_problems(self.names, value, subject, kind):
            self.report.add(found.code, span, found.message, help=found.help)

    def _fails(self, fails: Fails) -> None:
        if fails.kind.text not in ERROR_KINDS:
            help = self.names.did_you_mean(fails.kind.text, ERROR_KINDS)
            self.report.add(
                "R0602",
                fails.kind.span,
                f"{quote(fails.kind.text)} is not a kind of error",
                help=help or "one of " + ", ".join(f"`{k}`" for k in ERROR_KINDS),
            )
        if fails.times == 0:
            self.report.add(
                "R0607", fails.kind.span, "`fails ... 0 times` never fails", help="leave `fails` out"
            )

    def _expect(self, expect: Expect, points: list[Point]) -> None:
        calls = len(points)
        number = calls if expect.at_call is None else expect.at_call
        if calls == 0:
            self.report.add(
                "R0604", expect.span, "nothing was called before this `expect`", help="put it after a call"
            )
        elif not 1 <= number <= calls:
            self.report.add(
                "R0601",
                expect.span,
                f"there is no call {number} before this `expect`",
                help=f"calls are numbered from 1; {calls} {'is' if calls == 1 else 'are'} made so far",
            )
        if expect.target is not None and not (expect.would and expect.kind == "allow"):
            point = points[number - 1] if 1 <= number <= calls else None
            self._target(expect.kind, expect.target, point)
        check_expectation(self.names, expect, self.report)
        if expect.by is not None and expect.by.text not in BUILT_IN_REASONS:
            self.names.resolve(self.report, "statement", expect.by, self.names.statements)

    def _target(self, kind: str, target: Name, point: Point | None) -> None:
        """Check what an expected outcome names: the model of `allow`, a queue or a state."""
        if kind == "allow" and point == "tool":
            # In a broken policy a call may be missing, and then another one is meant.
            if not self.names.broken:
                self.report.add(
                    "R0608",
                    target.span,
                    "a tool call is not allowed on a model",
                    help="leave `on` out, or name a model call with `at call`",
                )
        elif kind == "allow":
            self.names.resolve(self.report, "model", target, self.names.models)
        elif kind == "escalate":
            self.names.resolve(self.report, "queue", target, self.names.queues)
        elif kind != "answer":  # whose text is compared as it comes out
            self.names.resolve(self.report, "state", target, self.names.states)


def _unroll(points: list[Point], begin: int, times: int) -> None:
    """Append the calls from `begin` on again for each further time; no more than tell that it is too much."""
    once = points[begin:]
    if once:
        more = min(max(times, 1) - 1, CALLS_MAX // len(once) + 1)
        points += once * more
        del points[CALLS_MAX + 1 :]
