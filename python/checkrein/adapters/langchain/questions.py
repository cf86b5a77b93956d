"""Asking a person by interrupting the graph, and where in the graph the caller is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.config import get_config
from langgraph.types import interrupt

if TYPE_CHECKING:
    from checkrein.guard.approval import Approval
    from checkrein.guard.run import Run


def place() -> tuple[str, str]:
    """The thread, and the path of the graph's running task: the same when the task is resumed."""
    configurable = get_config().get("configurable", {})
    return str(configurable.get("thread_id")), str(configurable.get("checkpoint_ns"))


def whose() -> dict[str, str]:
    """Whose run an invocation is, as its config says: the thread is the session."""
    configurable = get_config().get("configurable", {})
    named = {"session": configurable.get("thread_id"), "user": configurable.get("user_id")}
    return {word: str(id) for word, id in named.items() if id is not None}


def has_checkpointer() -> bool:
    """Whether a graph that is interrupted now can be resumed."""
    return get_config().get("configurable", {}).get("__pregel_checkpointer") is not None


class Questions:
    """The interrupts of one hook.

    A resumed hook runs again from its top, and LangGraph answers its interrupts by their order. So
    `asked`, which outlives the hook, lists the request of each interrupt made so far; they are made
    again in that order, so that no answer is taken for another question's.
    """

    def __init__(self, run: Run, asked: list[int]) -> None:
        self._run = run
        self._asked = asked
        self._made = 0

    def ask(self, approval: Approval) -> bool | str:
        """The person's answer; interrupts the graph while there is none.

        Only True and False are answers, and to a question a text that is not empty or False: anything else
        is asked again.
        """
        yes = str if approval.wants == "question" else bool
        while True:
            if self._made == len(self._asked):
                self._asked.append(approval.request)
            request = self._asked[self._made]
            answer = interrupt(self._payload(approval))
            self._made += 1
            is_answer = answer is False or (isinstance(answer, yes) and answer != "")
            if request == approval.request and is_answer:
                return answer  # type: ignore[no-any-return]

    async def ask_async(self, approval: Approval) -> bool | str:
        """As `ask`."""
        return self.ask(approval)

    def catch_up(self) -> None:
        """Make the interrupts that were answered before, so that a tool's own ones keep their order."""
        while self._made < len(self._asked):
            interrupt(None)
            self._made += 1

    def _payload(self, approval: Approval) -> dict[str, Any]:
        return {
            "checkrein": approval.wants,
            "run": self._run.id,
            "request": approval.request,
            "queue": approval.queue,
            "subject": approval.subject,
            "arguments": dict(approval.arguments),
            "rule": approval.rule,
            "reason": approval.reason,
            "answer_with": 'Command(resume="the answer") or Command(resume=False)'
            if approval.wants == "question"
            else "Command(resume=True) or Command(resume=False)",
        }
