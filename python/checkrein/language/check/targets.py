"""What statements point at: tools and models by selector, states and queues by outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import Related, quote

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from checkrein.diagnostics import Report
    from checkrein.language.names import Names
    from checkrein.language.tree import Name, Outcome, Queue, Selector, Tool


class Targets:
    """Checks that they are declared, and remembers which of them are used."""

    def __init__(self, names: Names, report: Report) -> None:
        self.names = names
        self.report = report
        self.used_states: set[str] = set()
        self.used_queues: set[str] = set()

    def selector(self, selector: Selector) -> None:
        """Report a name or a class that nothing has."""
        if selector.name is not None:
            table: Any = self.names.models if selector.point == "model" else self.names.tools
            self.names.resolve(self.report, selector.point, selector.name, table)
        elif selector.tool_class is not None:
            declared = any(t.tool_class == selector.tool_class for t in self.names.tools.values())
            if not declared and not self.names.broken:
                self.report.add(
                    "R0501",
                    selector.span,
                    f"no tool has the class `{selector.tool_class}`",
                    help=f'declare it: `tool "name" {{ class {selector.tool_class} }}`',
                )

    def outcome(self, outcome: Outcome) -> None:
        """Report a state or queue that is not declared, and a queue that only limits may ask."""
        if outcome.target is None:
            return
        if outcome.kind != "escalate":
            self._target("state", outcome.target, self.names.states, self.used_states)
        elif self._target("queue", outcome.target, self.names.queues, self.used_queues):
            queue = self.names.queues[outcome.target.text]
            if queue.grants is not None:
                self.report.add(
                    "R0506",
                    outcome.target.span,
                    f"queue {quote(outcome.target.text)} grants room in limits, so only limits may ask it",
                    related=(Related("it grants here", queue.grants.span),),
                    help="ask another queue, one without `grants`",
                )

    def asks(self, outcome: Outcome, selector: Selector | None) -> None:
        """Report a queue that binds arguments which a call that asks it does not have; None is any tool."""
        queue = self.names.queues.get(outcome.target.text) if outcome.target is not None else None
        if outcome.kind != "escalate" or queue is None:
            return
        if selector is not None and selector.point == "model":
            for name in queue.binds[:1]:
                self._unbound(
                    outcome, name, "a model call has no arguments", "ask about models in another queue"
                )
            return
        for tool in self.names.tools.values():
            if not _takes(selector, tool):
                continue
            declared = {arg.name.text for arg in tool.args}
            for name in queue.binds:
                if name.text not in declared:
                    why = f"tool {quote(tool.name.text)} does not declare it"
                    self._unbound(outcome, name, why, "declare the argument, or ask another queue")

    def _unbound(self, outcome: Outcome, name: Name, why: str, help: str) -> None:
        self.report.add(
            "R0520",
            outcome.span,
            f"the queue binds {quote(name.text)}, and {why}",
            related=(Related("it is bound here", name.span),),
            help=help,
        )

    def limit_outcome(self, outcome: Outcome) -> Queue | None:
        """The same for a limit; the queue that it asks, if there is one."""
        if outcome.kind != "escalate" or outcome.target is None:
            self.outcome(outcome)
            return None
        found = self._target("queue", outcome.target, self.names.queues, self.used_queues)
        return self.names.queues[outcome.target.text] if found else None

    def _target(self, kind: str, name: Name, table: Collection[str], used: set[str]) -> bool:
        known = self.names.resolve(self.report, kind, name, table)
        if known:
            used.add(name.text)
        return known


def _takes(selector: Selector | None, tool: Tool) -> bool:
    """Whether a selector of tools, or none, takes calls of a tool."""
    if selector is None:
        return True
    if selector.name is not None:
        return selector.name.text == tool.name.text
    return selector.tool_class in (None, tool.tool_class)
