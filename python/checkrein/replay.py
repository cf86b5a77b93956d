"""Recorded runs fed through the engine: what a policy would have decided about them.

Each assistant's message is one model call, each tool call in it a tool call, each tool's message its
result. A replay can't know what an agent would have done after a refusal: the record goes on as it
was, without the results of calls that the policy did not let run. A stop ends the run.

Tokens are estimates unless the trace reports them: used is a token per four bytes of text, the bound
that is reserved before a call a token per byte. Neither the system prompt nor the tools' schemas are
in most traces, so both may be too low there. The clock stands still unless messages carry times. Limits
of a user or another scope add up over the runs of a trace, in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from checkrein import _core, sentences
from checkrein.errors import CheckreinError, EngineError
from checkrein.guard import Guard, Run, VirtualClock
from checkrein.guard.classify import Failure
from checkrein.guard.result import fields_of, fingerprint
from checkrein.guard.usage import NOTHING, UNKNOWN, Usage
from checkrein.trace import ModelTurn, Problem, RecordedRun, ToolCall, ToolResult, read_trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from checkrein.record import Sink

BYTES_PER_TOKEN = 4
"""What used tokens are estimated with, where a trace does not report them."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision that kept a recorded call from running, or put it before a person.

    `message` is the 1-based message of the record, `at` the statement's file and line.
    """

    outcome: str
    state: str | None
    by: str
    kind: str
    at: str | None
    subject: str
    message: int
    reason: str | None
    undecided: bool
    id: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What an observed statement would have decided about a recorded call, which went on as it was."""

    outcome: str
    by: str
    kind: str
    subject: str
    message: int
    call: int | None
    undecided: bool
    id: str


@dataclass(slots=True)
class Replayed:
    """What became of one recorded run. `cost` is in nano-units of the policy's currency."""

    line: int
    task: str
    trial: str
    reward: float | None
    model_calls: int = 0
    tool_calls: int = 0
    retries: int = 0
    tokens: int = 0
    cost: int = 0
    estimated: bool = False
    verdicts: list[Verdict] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    @property
    def stop(self) -> Verdict | None:
        """The verdict that ended the run, if one did."""
        return next((v for v in self.verdicts if v.outcome == "stop"), None)

    @property
    def outcome(self) -> str:
        """`completed`, or the failure state that the run was stopped in."""
        return (self.stop.state or "stopped") if self.stop else "completed"


def replay(
    lines: Iterable[bytes],
    program: Any,
    *,
    model: str | None = None,
    approve: bool = True,
    sink: Sink | None = None,
) -> Iterator[Replayed | Problem]:
    """Feed the runs of a trace through a loaded program, one at a time, each with a fresh run.

    `model` is the policy's name of the model that made the recorded calls; it may be left out when
    the policy has one only. `approve` is the answer to every escalation. A line that can't be
    replayed is a `Problem` at its place. Raises `CheckreinError` if `model` is not of the policy.
    """
    model = _model(program, model)
    ledger = _core.Ledger.memory() if program.wide or program.watches else None
    for recorded in read_trace(lines):
        if isinstance(recorded, Problem):
            yield recorded
            continue
        try:
            yield _Replay(recorded, program, model, approve, sink, ledger).result()
        except EngineError as error:
            needed = "; say so in the line" if error.kind == "missing_scope" else ""
            yield Problem(recorded.line, str(error).partition("; pass")[0] + needed)


def _model(program: Any, wanted: str | None) -> str:
    names = [m["name"] for m in program.models]
    known = ", ".join(f"`{name}`" for name in names)
    if wanted is not None and wanted not in names:
        raise CheckreinError(f"the policy declares no model `{wanted}`; it has {known or 'none'}")
    if wanted is None and len(names) != 1:
        missing = (
            "declare the model that was recorded"
            if not names
            else f"say which was recorded (`--model`): {known}"
        )
        raise CheckreinError(f"the policy declares {len(names) or 'no'} models; {missing}")
    return wanted or names[0]


class _Replay:
    """One recorded run under way."""

    def __init__(
        self,
        recorded: RecordedRun,
        program: Any,
        model: str,
        approve: bool,
        sink: Sink | None,
        ledger: Any,
    ) -> None:
        self.recorded = recorded
        self.program = program
        self.model = model
        self.approve = approve
        first = next((e.time for e in recorded.events if e.time is not None), None)
        # Runs that share limits share a clock that only goes forward: the time of their messages.
        self.clock = VirtualClock(now=first or 0, wall=first or 0)
        guard = Guard(program, sink=sink, clock=self.clock, ledger=ledger)
        self.run: Run = guard.begin(
            id=f"line{recorded.line}", seed=0, names=recorded.names, facts=recorded.facts
        )
        self.open: dict[str, tuple[Any, str, list[str]]] = {}
        self.report = Replayed(recorded.line, recorded.task, recorded.trial, recorded.reward)

    def result(self) -> Replayed:
        for event in self.recorded.events:
            self._move_clock(event.time)
            if isinstance(event, ModelTurn):
                self._turn(event)
            else:
                self._result(event)
            if self.report.stop:
                break
        self.run.end()
        return self.report

    def _move_clock(self, time: int | None) -> None:
        if time is not None:
            self.clock.advance(max(0, time - self.clock.wall()))

    def _turn(self, turn: ModelTurn) -> None:
        self.report.model_calls += 1
        used, bound = self._usage(turn)
        subject = f"model `{self.model}`"
        decision = self._ask(
            lambda again: self.run.decide(
                model=self.model, input_tokens=bound, call=again, context=turn.prompt
            ),
            subject,
            turn.message,
        )
        if decision.outcome != "allow":
            return
        settled = self.run.settle(decision, used)
        self.report.tokens += settled.tokens
        self.report.cost += settled.cost
        for call in turn.calls:
            if self.report.stop:
                return
            self._tool(call, turn.message)

    def _usage(self, turn: ModelTurn) -> tuple[Usage, int]:
        """What the call used, and the bound of its prompt."""
        if turn.usage is not None:
            return turn.usage, max(turn.prompt_bytes, turn.usage.input_tokens)
        self.report.estimated = True
        estimate = Usage("exact", _tokens(turn.prompt_bytes), _tokens(turn.output_bytes))
        return estimate, turn.prompt_bytes

    def _tool(self, call: ToolCall, message: int) -> None:
        self.report.tool_calls += 1
        subject = sentences.subject("tool", call.name)
        decision = self._ask(
            lambda again: self.run.decide(tool=call.name, args=call.arguments, call=again), subject, message
        )
        if decision.outcome == "allow":
            self.open[call.id] = decision, subject, self.run.guard.tool_fields.get(call.name, [])

    def _result(self, result: ToolResult) -> None:
        if result.call not in self.open:
            return  # of a call that was not let run: here it never happened
        decision, subject, wanted = self.open.pop(result.call)
        if result.failed:
            after = self.run.fail(decision, Failure("tool_failure", UNKNOWN), subject)
        elif self.program.judges:
            fields, mark = fields_of(result.content, wanted), fingerprint(result.content)
            after = self.run.result(decision, NOTHING, fields=fields, fingerprint=mark, subject=subject)
        else:
            self.run.settle(decision, NOTHING)
            return
        self._observe(after, subject, result.message)
        if after.outcome == "wait":
            self.report.retries += 1
        elif after.outcome != "allow":
            self._note(after, subject, result.message)

    def _ask(self, ask: Any, subject: str, message: int) -> Any:
        """The final decision about a call: waits are waited for, people answer at once."""
        again: int | None = None
        while True:
            decision = ask(again)
            again = decision.call
            self._observe(decision, subject, message)
            if decision.outcome == "wait":
                self.clock.advance(decision.wait_ns or 0)
                continue
            if decision.outcome != "allow":
                self._note(decision, subject, message)
            if decision.outcome != "escalate":
                return decision
            self.run.answer(decision.request, self.approve)

    def _observe(self, decision: Any, subject: str, message: int) -> None:
        id = self.run.decision_id(decision)
        self.report.remarks += [
            Remark(outcome, by, kind, subject, message, decision.call, undecided, id)
            for outcome, kind, by, _reason, undecided in decision.would
        ]

    def _note(self, decision: Any, subject: str, message: int) -> None:
        at = f"{decision.file}:{decision.line}" if decision.line else None
        self.report.verdicts.append(
            Verdict(
                decision.outcome, decision.state, decision.by, decision.kind, at, subject, message,
                decision.reason, decision.undecided, self.run.decision_id(decision),
            )
        )  # fmt: skip


def _tokens(text_bytes: int) -> int:
    return -(-text_bytes // BYTES_PER_TOKEN)
