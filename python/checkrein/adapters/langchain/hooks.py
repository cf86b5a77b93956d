"""The hooks of the LangChain middleware; the package says what they promise."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NotRequired
from weakref import WeakKeyDictionary

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelResponse
from langchain.agents.middleware.types import OmitFromSchema
from langchain_core.messages import ToolMessage
from langgraph.errors import GraphInterrupt

from checkrein.adapters.langchain import messages
from checkrein.adapters.langchain import models as chat
from checkrein.adapters.langchain.questions import Questions, has_checkpointer, place, whose
from checkrein.errors import EngineError, Refusal
from checkrein.guard.context import ATTEMPT, RUN
from checkrein.guard.run import Run
from checkrein.sentences import WRAP_UP

if TYPE_CHECKING:
    from langchain.agents.middleware import ModelRequest
    from langchain_core.language_models import BaseChatModel
    from langgraph.prebuilt.tool_node import ToolCallRequest
    from langgraph.runtime import Runtime

    from checkrein.guard.approval import Approver
    from checkrein.guard.guard import Guard

# What the host knows about one call: `step`, `confidence`, `facts`, and `input_tokens` of a model call.
Describe = Callable[[Any], Mapping[str, Any]]
# As many runs are kept for being resumed; beyond it the oldest ends, as if it were not in this process.
MOST_PAUSED = 10_000
_private = OmitFromSchema(input=True, output=True)
_result = OmitFromSchema(input=True, output=False)


class _State(AgentState[Any]):
    checkrein_run: NotRequired[Annotated[Any, _private]]
    checkrein_outcome: NotRequired[Annotated[str | None, _result]]


class _ToolFailed(Exception):
    """A tool answered with an error message: for the policy a failure, for the agent its result."""

    def __init__(self, message: ToolMessage) -> None:
        super().__init__(message.text)
        self.message = message


class Checkrein(AgentMiddleware[Any, Any, Any]):
    """See `middleware`, which makes it."""

    state_schema = _State

    def __init__(
        self,
        guard: Guard,
        models: dict[str, BaseChatModel],
        approver: Approver | None,
        describe: Describe | None,
    ) -> None:
        super().__init__()
        self.guard = guard
        self.models = models
        self.approver = approver
        self.describe = describe
        self._refusals: WeakKeyDictionary[Run, Refusal] = WeakKeyDictionary()
        self._runs: dict[str, Run] = {}
        self._threads: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    # -- the run of an invocation ---------------------------------------------------------------------

    def before_agent(self, state: Any, runtime: Runtime[Any]) -> dict[str, Any]:  # noqa: ARG002
        """Begin a run, unless the host has opened one."""
        hosts = self._hosts_run()
        if hosts is not None:
            messages.told_before(hosts, state)
            return {"checkrein_run": None, "checkrein_outcome": None}
        run = self.guard.begin(names=whose())
        messages.told_before(run, state)
        if not has_checkpointer():
            return {"checkrein_run": run, "checkrein_outcome": "running"}
        thread_id, node = place()
        thread = (thread_id, node.rpartition("|")[0])
        with self._lock:
            abandoned = self._runs.pop(self._threads.get(thread, ""), None)
            self._threads[thread] = run.id
            self._runs[run.id] = run
            ended = [] if abandoned is None else [abandoned]
            if len(self._runs) > MOST_PAUSED:
                ended.append(self._runs.pop(next(iter(self._runs))))
                self._threads = {key: id for key, id in self._threads.items() if id in self._runs}
        for old in ended:
            old.end(EngineError("this run was left in the middle and is not resumed", "abandoned"))
        return {"checkrein_run": run.id, "checkrein_outcome": "running"}

    async def abefore_agent(self, state: Any, runtime: Runtime[Any]) -> dict[str, Any]:
        """As `before_agent`."""
        return self.before_agent(state, runtime)

    def after_agent(self, state: Any, runtime: Runtime[Any]) -> dict[str, Any] | None:  # noqa: ARG002
        """End the run that `before_agent` began; the result's `checkrein_outcome` says how it went."""
        if state.get("checkrein_run") is None:
            return None
        run = self._run(state)
        with self._lock:
            self._runs.pop(run.id, None)
            self._threads = {thread: id for thread, id in self._threads.items() if id != run.id}
        return {"checkrein_run": None, "checkrein_outcome": str(run.end(self._refusals.get(run)))}

    async def aafter_agent(self, state: Any, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """As `after_agent`."""
        return self.after_agent(state, runtime)

    def _hosts_run(self) -> Run | None:
        run = RUN.get()
        return run if run is not None and run.guard is self.guard else None

    def _run(self, state: Any) -> Run:
        run = self._hosts_run()
        if run is not None:
            return run
        held = state.get("checkrein_run") if isinstance(state, Mapping) else None
        run = held if isinstance(held, Run) else self._runs.get(held or "")
        if run is None:
            raise EngineError(
                "the run of this agent is not in this process (any more), so nothing is called; to resume an "
                "agent in another process, open a run around it, suspend that run, and resume it there",
                "no_run",
            )
        return run

    # -- model calls ------------------------------------------------------------------------------------

    def wrap_model_call(self, request: ModelRequest[Any], handler: Callable[[Any], Any]) -> Any:
        """Run a model call under the policy, or end the agent."""
        run = self._run(request.state)
        key = f"model {place()[1]}"
        with self._until_over(run, key) as questions:

            def call(model: str, max_tokens: int) -> Any:
                questions.catch_up()
                return handler(self._for_model(run, request, model, max_tokens))

            try:
                return run.model(
                    call, key=key, approver=self._asker(run, questions), **self._model_call(run, request)
                )
            except Refusal as refusal:
                return self._last_word(run, request, refusal)

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[Any], Awaitable[Any]]
    ) -> Any:
        """As `wrap_model_call`."""
        run = self._run(request.state)
        key = f"model {place()[1]}"
        with self._until_over(run, key) as questions:

            async def call(model: str, max_tokens: int) -> Any:
                questions.catch_up()
                return await handler(self._for_model(run, request, model, max_tokens))

            asker = self._asker(run, questions, asynchronous=True)
            try:
                return await run.model(call, key=key, approver=asker, **self._model_call(run, request))
            except Refusal as refusal:
                return self._last_word(run, request, refusal)

    def _model_call(self, run: Run, request: ModelRequest[Any]) -> dict[str, Any]:
        """How `run.model` is asked about `request`."""
        described = self._described(request)
        if "input_tokens" not in described:
            advice = self._advice(run)
            if self.guard.program.wraps_up:  # what the decision on this very call may add
                advice += f"\n{WRAP_UP}"
            described["input_tokens"] = chat.prompt_bound(request, advice)
        return {
            "model": chat.wanted_name(self.guard, self.models, request.model),
            "max_tokens": chat.output_limit(request.model, request.model_settings),
            "usage": messages.usage_of,
            "results": messages.results_of(run, request.messages),
            "context": chat.sent(request) if self.guard.program.compares_context else None,
            **described,
        }

    def _for_model(self, run: Run, request: ModelRequest[Any], model: str, cap: int) -> ModelRequest[Any]:
        """`request` as decided: for the chosen model, capped, with the advice that is due."""
        chosen = self.models.get(model)
        if chosen is None:
            if model != chat.wanted_name(self.guard, self.models, request.model):
                raise EngineError(
                    f"the policy chose model `{model}`; give its object: models={{'{model}': ...}}",
                    "no_model",
                )
            chosen = request.model
        attempt = ATTEMPT.get()
        timeout = attempt.decision.timeout_ns if attempt else None
        own = chat.output_limit(chosen, {})
        return request.override(
            model=chat.governed(chosen, min(cap, own or cap), None if timeout is None else timeout / 1e9),
            model_settings=chat.settings_without_cap(request.model_settings),
            system_message=messages.with_advice(request.system_message, self._advice(run)),
        )

    def _advice(self, run: Run) -> str:
        """All that the agent has been told in this run: a system message lasts for one request only."""
        advice: list[str] = run.notes.setdefault("langchain.advice", [])
        advice += run.take_advice()
        return "\n".join(advice)

    def _last_word(self, run: Run, request: ModelRequest[Any], refusal: Refusal) -> Any:
        """The message that ends the agent, having no tool calls. Met again right after: it was ignored."""
        if request.messages and messages.is_last_word(request.messages[-1]):
            raise refusal
        self._refusals[run] = refusal
        return ModelResponse(result=[messages.last_word(refusal)])

    # -- tool calls -------------------------------------------------------------------------------------

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[Any], Any]) -> Any:
        """Run a tool call under the policy, or tell the agent why not."""
        run = self._run(request.state)
        with self._until_over(run, _tool_key(request), kept=True) as questions:

            def call() -> Any:
                questions.catch_up()
                return _checked(handler(request))

            try:
                result = run.call_tool(
                    call=call, approver=self._asker(run, questions), **self._tool_call(request, call)
                )
                return messages.told(run, messages.known(request.tool_call, result))
            except _ToolFailed as failed:
                return messages.told(run, failed.message)
            except Refusal as refusal:
                return messages.told(run, messages.refused(request.tool_call, refusal))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[Any], Awaitable[Any]]
    ) -> Any:
        """As `wrap_tool_call`."""
        run = self._run(request.state)
        with self._until_over(run, _tool_key(request), kept=True) as questions:

            async def call() -> Any:
                questions.catch_up()
                return _checked(await handler(request))

            asker = self._asker(run, questions, asynchronous=True)
            try:
                result = await run.call_tool(call=call, approver=asker, **self._tool_call(request, call))
                return messages.told(run, messages.known(request.tool_call, result))
            except _ToolFailed as failed:
                return messages.told(run, failed.message)
            except Refusal as refusal:
                return messages.told(run, messages.refused(request.tool_call, refusal))

    def _tool_call(self, request: ToolCallRequest, call: Callable[[], Any]) -> dict[str, Any]:
        """How `run.call_tool` is asked about `request`."""
        described = self._described(request)
        described.pop("input_tokens", None)
        return {
            "name": request.tool_call["name"],
            "arguments": request.tool_call["args"],
            "key": _tool_key(request),
            "invoke": call,
            "content": messages.content_of,
            **described,
        }

    # -- both ---------------------------------------------------------------------------------------------

    def _described(self, request: Any) -> dict[str, Any]:
        return dict(self.describe(request)) if self.describe else {}

    def _asker(self, run: Run, questions: Questions, *, asynchronous: bool = False) -> Approver | None:
        """Who is asked when a call escalates; None leaves it to the run's own approver."""
        if self.approver is not None:
            return self.approver
        if run.approver is not None or not has_checkpointer():
            return None
        return questions.ask_async if asynchronous else questions.ask

    @contextmanager
    def _until_over(self, run: Run, key: str, *, kept: bool = False) -> Iterator[Questions]:
        """The questions of one hook. What a pause leaves open is found by `key` when it is resumed.

        A tool call's key is `kept`: the same call is never run twice. A model call's is not, since a
        framework that asks the model again makes a new call.
        """
        asked: dict[str, list[int]] = run.notes.setdefault("langchain.asked", {})
        try:
            yield Questions(run, asked.setdefault(key, []))
        except GraphInterrupt:
            raise
        except BaseException:
            self._over(run, key, asked, kept=kept)
            raise
        self._over(run, key, asked, kept=kept)

    def _over(self, run: Run, key: str, asked: dict[str, list[int]], *, kept: bool) -> None:
        asked.pop(key, None)
        if not kept:
            run.forget(key)


def _tool_key(request: ToolCallRequest) -> str:
    # A tool call's own id is not enough: small model servers give the same ids in every turn.
    return f"tool {place()[1]} {request.tool_call['id']}"


def _checked(result: Any) -> Any:
    if isinstance(result, ToolMessage) and result.status == "error":
        raise _ToolFailed(result)
    return result
