"""Where an answer or a known result can be given instead of a call, and what an answer's text may say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checkrein.diagnostics import Report
    from checkrein.language.tree import Outcome

NO_ANSWER = {
    "rule": ("a tool call", "then deny"),
    "retry": ("a failed tool call", 'else fail "state"'),
    "order": ("a tool call", "else deny"),
    "loop": ("a loop", "else deny"),
    "truth": ("an invented result", "else deny"),
}
"""Statement on tools: what has no answer, and what to write instead."""
NO_REUSE = {
    "rule": ("a model call", 'then answer "..."'),
    "retry": ("a call that has failed", 'else fail "state"'),
    "order": ("a call that comes too early", "else deny"),
    "loop": ("a model call", "else deny"),
    "limit": ("a limit", "else deny"),
    "truth": ("an invented result", "else deny"),
}
MAY_REUSE = ("rule", "loop")
"""They hand known results back where they look at tools."""


def check_gift(report: Report, outcome: Outcome, statement: str, *, on_models: bool = False) -> None:
    """Report an answer where there is only a tool to give it, and a known result where there is none."""
    if outcome.kind == "answer" and statement in NO_ANSWER and (statement == "loop" or not on_models):
        what, better = NO_ANSWER[statement]
        help = f"write `{better}`: what the agent is told stands in its reason or its state"
        report.add("R0510", outcome.span, f"{what} is not ended by an answer", help=help)
    if outcome.kind == "reuse" and statement in NO_REUSE and (statement not in MAY_REUSE or on_models):
        what, better = NO_REUSE[statement]
        help = f"write `{better}`; rules on tools and loops hand known results back"
        report.add("R0511", outcome.span, f"{what} is not given a known result", help=help)
