"""What the LangChain adapter reads from messages, and the messages that it writes itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, SystemMessage, ToolMessage
from langgraph.types import Command

from checkrein import sentences
from checkrein.errors import Answered, Refusal
from checkrein.guard.result import Said
from checkrein.guard.usage import Usage, add_usage, read_usage

if TYPE_CHECKING:
    from checkrein.guard.run import Run


def usage_of(result: Any) -> Usage | None:
    """What a model call used, in all the messages it gave; None if one of them does not say."""
    response = getattr(result, "model_response", result)
    produced = [m for m in getattr(response, "result", [response]) if isinstance(m, AIMessage)]
    usages = [read_usage(message) for message in produced]
    known = [usage for usage in usages if usage is not None]
    if not known or len(known) < len(usages):
        return None
    return add_usage(known)


def last_word(refusal: Refusal) -> AIMessage:
    """The message that ends an agent whose model may not, or need not, be called."""
    decision = refusal.decision
    if isinstance(refusal, Answered):
        text = refusal.text
    else:
        text = decision.tell_user or sentences.for_agent(decision)
    return AIMessage(content=text, response_metadata={"checkrein": _verdict(refusal)})


def is_last_word(message: Any) -> bool:
    """Whether `message` is one that `last_word` wrote."""
    return isinstance(message, AIMessage) and "checkrein" in message.response_metadata


def known(tool_call: Mapping[str, Any], result: Any) -> Any:
    """A known result as the result of this call; a command to the graph is given as it is."""
    if isinstance(result, ToolMessage):
        return result.model_copy(update={"tool_call_id": tool_call["id"], "id": None})
    return result


def refused(tool_call: Mapping[str, Any], refusal: Refusal) -> ToolMessage:
    """What the agent gets instead of a tool's result."""
    answer = refusal.text if isinstance(refusal, Answered) else None
    return ToolMessage(
        content=sentences.for_agent(refusal.decision) if answer is None else answer,
        name=tool_call["name"],
        tool_call_id=tool_call["id"],
        status="error" if answer is None else "success",
        response_metadata={"checkrein": _verdict(refusal)},
    )


def with_advice(system: SystemMessage | None, advice: str) -> SystemMessage | None:
    """The system message with advice after it."""
    if not advice:
        return system
    if system is None:
        return SystemMessage(content=advice)
    if isinstance(system.content, str):
        return SystemMessage(content=f"{system.content}\n\n{advice}")
    return SystemMessage(content=[*system.content, {"type": "text", "text": advice}])


def _verdict(refusal: Refusal) -> dict[str, Any]:
    decision = refusal.decision
    return {"outcome": decision.outcome, "state": decision.state, "by": decision.by, "decision": refusal.id}


def content_of(result: Any) -> Any:
    """What the agent reads of a tool's result."""
    return result.content if isinstance(result, ToolMessage) else result


def told(run: Run, result: Any) -> Any:
    """The result, which is what the agent gets: of a tool, or in place of one."""
    if run.guard.program.checks_truth:
        for message in _written(result):
            run.tell_agent(message.content, id=message.tool_call_id)
    return result


def _written(result: Any) -> list[ToolMessage]:
    """The tool messages that the result puts into the conversation: itself, or those of its commands."""
    if isinstance(result, ToolMessage):
        return [result]
    if isinstance(result, list):
        return [message for each in result for message in _written(each)]
    update = result.update if isinstance(result, Command) else None
    said = update.get("messages") if isinstance(update, Mapping) else None
    return _results(said if isinstance(said, list) else [said])


def told_before(run: Run, state: Any) -> None:
    """What the conversation brings from before the run, seen for the first time, is no invention."""
    if run.notes.setdefault("langchain.seen", False):
        return
    run.notes["langchain.seen"] = True
    for result in results_of(run, state.get("messages", ())):
        run.tell_agent(result.content, id=result.id)


def results_of(run: Run, said: Iterable[Any]) -> list[Said]:
    """The tool results in a conversation with the ids of their calls, if the policy wants to know."""
    if not run.guard.program.checks_truth:
        return []
    return [Said(message.content, message.tool_call_id) for message in _results(said)]


def _results(messages: Iterable[Any]) -> list[ToolMessage]:
    return [message for message in messages if isinstance(message, ToolMessage)]
