"""What a run says of its decisions, to agents, people and developers, and what people answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checkrein import sentences
from checkrein.errors import Answered, EngineError, Refusal
from checkrein.guard.approval import Approval
from checkrein.guard.approvals import OTHER_KIND, own_answer, require_text
from checkrein.guard.context import is_inside
from checkrein.guard.door import Door
from checkrein.guard.result import told_mark
from checkrein.guard.stream import unless_ended
from checkrein.record import answer_record


class Voice(Door):
    """A run that says in words what was decided, and takes answers."""

    def answer(self, request: int, approve: bool | str) -> None:
        """A person's answer to an escalation; then ask about the same call again. A question takes a text.

        Raises `EngineError` of kind `self_answer` inside a call of this run: an agent does not answer for
        people. Others are `other_kind` (no `True`, `False` or text, which is not empty), `unknown_request`,
        `expired`, `already_answered`, and `ended` once the run has ended or stopped.
        """
        if is_inside(self.id):
            raise EngineError(own_answer(self.id), "self_answer")
        self.take_answer(request, approve)

    def take_answer(self, request: int, approve: bool | str) -> None:
        """What an approver has said, who may be asked anywhere."""
        if not isinstance(approve, bool):
            require_text(approve)
        with self._lock:
            now = self._instant()
            asked = (open for open in self._core.open_requests() if open["request"] == request)
            is_right = all(isinstance(approve, str) == (open["wants"] == "question") for open in asked)
            if approve is not False and not is_right:
                raise EngineError(OTHER_KIND, "other_kind")
            self._core.answer(*now, request, approve is not False)  # a text answers its question
            self._asked.pop(request, None)
            if isinstance(approve, str):
                self._texts[request] = approve
            word = "answer" if isinstance(approve, str) else "approve" if approve else "reject"
            self._write(answer_record(self, request, word))

    def take_advice(self) -> list[str]:
        """What the agent is to be told and has not been told yet."""
        with self._lock:
            advice, self._advice, self._is_unused = self._advice, [], False
        return advice

    def approval(self, decision: Any, subject: str, arguments: Mapping[str, Any]) -> Approval:
        """What a person is asked for an `escalate` decision."""
        return Approval(
            decision.request, decision.queue, subject, dict(arguments), decision.by,
            decision.reason or "", decision.expires_at, self.limits(), decision.wants,
        )  # fmt: skip

    def refusal(self, decision: Any, subject: str) -> Refusal:
        """The exception for a decision that does not let a call run."""
        program = self.guard.program
        self.tell_agent(sentences.for_agent(decision))
        standing = ""
        if decision.kind == "limit" and not decision.latched:
            ledger = self.guard.ledger
            health = ledger.health() if ledger is not None else {"error": None, "refused": None}
            trouble = health["error"] if health["error"] != health["refused"] else None
            standing = sentences.standing(decision, self._rows(), program.currency, trouble)
        refusal = sentences.refusal(
            decision, subject, self.decision_id(decision), self.guard.instead_of(decision), standing
        )
        if isinstance(refusal, Answered):
            refusal.text = self.text_of(decision)
        self.guard.drain()
        return refusal

    def _rows(self) -> list[dict[str, Any]]:
        """Where the limits stand: this run's, and those of the run above it."""
        above = [] if self.first is self else self.first.limits()
        scope = f"run {self.first.id}, which this one is a part of"
        return self.limits() + [{**row, "scope": scope} for row in above if row["scope"] == "run"]

    def text_of(self, decision: Any) -> str:
        """What an `answer` says: the policy's text, or once what a person answered."""
        if decision.answered is None:
            return str(decision.text)
        return self._texts.pop(decision.answered, "")

    def tell_agent(self, text: Any, *, id: str | None = None) -> None:
        """The agent gets `text` in place of a tool's result, so a `truth` does not take it for an invention.

        For what a host writes itself: an error that was passed on, what was said before this run. What the
        policy tells the agent is known. With the `id` of a call it is the result of that call only.
        """
        mark = told_mark(text, id) if self.guard.program.checks_truth else None
        if mark is not None:
            with unless_ended(self):
                self._core.tell_agent(mark)
