"""LangChain: one middleware that puts an agent's model and tool calls under a policy.

    agent = create_agent(model, tools, middleware=[..., langchain.middleware(guard, models={"small": small})])

It has to be the last in the list, next to the model and the tools: a middleware further inside could
call the model again, or change a tool's arguments, after the decision. A model that another middleware
calls by itself (to summarize, say) is not seen from here: give it one that is governed in its own right.

**Which run.** When the host has opened one (`with guard.run() as run: agent.invoke(...)`), that one:
context variables follow LangGraph's threads and tasks. Otherwise each invocation begins its own run in
`before_agent` and ends it in `after_agent`. Between the hooks the graph's state says which: without a
checkpointer it holds the run itself, which so ends its life with the invocation; with one, it holds the
run's id, and the middleware keeps the run until the invocation ends or its thread begins another, so
that a resumed hook finds it again. Such a run lives in one process: resumed in another one, nothing is
called (`EngineError`). A run of the host's may be suspended while the graph is interrupted, and the graph
resumed under it anywhere (`run.suspend()`, `with guard.resume(run_id): agent.invoke(Command(...), ...)`).

**Refusals.** A tool that may not run gives the agent an error message that tells the truth. A model
call that may not run ends the agent with a last message of the policy; its
`response_metadata["checkrein"]` says what was decided. A stop is latched: whatever swallows it, the next
call meets it again.

**Escalation.** With an approver (here, of the run or of the guard) that one is asked. Without, and with
a checkpointer, the graph is interrupted: the payload says what would run, and `Command(resume=True)` or
`Command(resume=False)` answers. With neither, the agent is told that a person has to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from checkrein.errors import EngineError

try:
    from checkrein.adapters.langchain.hooks import Checkrein, Describe
except ImportError as error:
    needs = f"this adapter needs LangChain 1.x, `pip install 'checkrein[langchain]'` ({error})"
    raise type(error)(needs, name=error.name) from error

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from checkrein.guard.approval import Approver
    from checkrein.guard.guard import Guard

__all__ = ["Checkrein", "Describe", "middleware"]


def middleware(
    guard: Guard,
    *,
    models: Mapping[str, BaseChatModel] | None = None,
    approver: Approver | None = None,
    describe: Describe | None = None,
) -> Checkrein:
    """The middleware that governs an agent by `guard`; one may serve many agents and threads.

    `models` maps the policy's model names to the objects that a route may choose; the agent's own
    model is known by its name. `describe(request)` gives what the host knows about a model or tool
    call: `step`, `confidence`, `facts`, and for a model call `input_tokens`, if the prompt has parts
    that bytes do not measure. Raises `EngineError` for a name that the policy does not declare.
    """
    unknown = sorted(set(models or {}) - set(guard.models))
    if unknown:
        raise EngineError(
            f"the policy declares no model `{unknown[0]}`; it has {', '.join(sorted(guard.models))}"
        )
    return Checkrein(guard, dict(models or {}), approver, describe)
