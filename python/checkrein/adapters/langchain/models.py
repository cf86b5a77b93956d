"""What the LangChain adapter needs to know about chat models: their names, their settings, their size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.runnables.retry import RunnableRetry
from langchain_core.utils.function_calling import convert_to_openai_tool

from checkrein.adapters.names import policy_name, refuse_overrides
from checkrein.errors import EngineError
from checkrein.guard.prompt import refuse_server_tools, upper_bound

if TYPE_CHECKING:
    from langchain.agents.middleware import ModelRequest
    from langchain_core.language_models import BaseChatModel

    from checkrein.guard.guard import Guard

# The field that says how much a model may write, by provider: the first one that a model has is meant.
_OUTPUT_FIELDS = ("max_tokens", "max_output_tokens", "num_predict", "max_new_tokens")
_OUTPUT_SETTINGS = (*_OUTPUT_FIELDS, "max_completion_tokens")

# What of a message can reach a provider; the rest is LangChain's own.
_SENT = ("type", "content", "name", "tool_calls", "invalid_tool_calls", "tool_call_id", "additional_kwargs")


def wanted_name(guard: Guard, models: Mapping[str, BaseChatModel], model: BaseChatModel) -> str:
    """The policy's name of a model object: its key in `models`, or what its provider calls it."""
    for name, known in models.items():
        if known is model:
            return name
    for attribute in ("model_name", "model", "model_id"):
        value = getattr(model, attribute, None)
        if isinstance(value, str):
            return policy_name(guard, value) or value
    return type(model).__name__


def output_limit(model: BaseChatModel, settings: Mapping[str, Any]) -> int | None:
    """The most output that the host itself asks of `model`, if it says."""
    asked = [settings.get(name) for name in _OUTPUT_SETTINGS]
    asked.append(getattr(model, _output_field(model), None))
    counts = [value for value in asked if isinstance(value, int) and value > 0]
    return min(counts, default=None)


def governed(model: BaseChatModel, cap: int, deadline: float | None) -> BaseChatModel:
    """A copy of `model` that writes at most `cap` tokens, reports usage in streams and never retries.

    Raises `EngineError` for a model whose output or retries cannot be set from here.
    """
    fields = type(model).model_fields
    update: dict[str, Any] = {_output_field(model): cap}
    if "stream_usage" in fields:
        update["stream_usage"] = True
    if getattr(model, "n", None) not in (None, 1):
        raise EngineError(
            "a model that writes several answers at once (`n`) cannot be capped; leave `n` out", "uncapped"
        )
    refuse_overrides(getattr(model, "extra_body", None))
    if hasattr(model, "root_client"):
        update |= _clients_without_retries(model, deadline)
    elif "max_retries" in fields and getattr(model, "max_retries", 0) != 0:
        raise EngineError(
            f"{type(model).__name__} retries on its own, uncounted; make it with max_retries=0, "
            "the policy's `retry` does it",
            "retries",
        )
    return model.model_copy(update=update)


def settings_without_cap(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A request's settings without a say on the output, which the copy of the model has.

    Raises `EngineError` for settings that would replace what was decided.
    """
    for name in ("model", "model_name", "n"):
        if settings.get(name) not in (None, 1):
            raise EngineError(
                f"the setting `{name}` would replace what the policy decides; leave it out", "uncapped"
            )
    refuse_overrides(settings.get("extra_body"))
    return {name: value for name, value in settings.items() if name not in _OUTPUT_SETTINGS}


def sent(request: ModelRequest[Any]) -> list[dict[str, Any]]:
    """What of a request's messages can reach a provider, the system message first."""
    messages = [request.system_message, *request.messages] if request.system_message else request.messages
    return [{name: getattr(message, name, None) for name in _SENT} for message in messages]


def prompt_bound(request: ModelRequest[Any], extra: str) -> int:
    """An upper bound of the tokens of a request's prompt, `extra` system text included."""
    tools = [tool if isinstance(tool, dict) else convert_to_openai_tool(tool) for tool in request.tools]
    refuse_server_tools(tools)
    added = [getattr(request.model, "extra_body", None), request.model_settings.get("extra_body")]
    return upper_bound([*sent(request), extra], [tools, _schemas(request.response_format), added])


def _output_field(model: BaseChatModel) -> str:
    fields = type(model).model_fields
    for name in _OUTPUT_FIELDS:
        if name in fields:
            return name
    if isinstance(model, RunnableRetry):
        raise EngineError(
            "a model made by `with_retry` retries on its own, uncounted; give the model itself, the policy's "
            "`retry` does it",
            "retries",
        )
    raise EngineError(
        f"{type(model).__name__} has none of the fields {', '.join(_OUTPUT_FIELDS)}, so its output cannot be "
        "capped; give it one, and pass that on to the model",
        "uncapped",
    )


def _clients_without_retries(model: Any, deadline: float | None) -> dict[str, Any]:
    """The clients of an OpenAI model, made again: its `max_retries` is read only when it is built."""
    options: dict[str, Any] = {"max_retries": 0}
    update: dict[str, Any] = {"max_retries": 0}
    for root, leaf in (("root_client", "client"), ("root_async_client", "async_client")):
        client = getattr(model, root, None)
        if client is not None:
            if deadline is not None and not _sooner(client.timeout, deadline):
                options["timeout"] = deadline
            update[root] = client.with_options(**options)
            update[leaf] = update[root].chat.completions
    return update


def _sooner(timeout: Any, deadline: float) -> bool:
    seconds = getattr(timeout, "read", timeout)
    return isinstance(seconds, (int, float)) and seconds <= deadline


def _schemas(response_format: Any) -> list[Any]:
    """The schemas that a request for structured output adds to what is sent."""
    if response_format is None:
        return []
    from langchain.agents.structured_output import ToolStrategy

    single = getattr(response_format, "schema_spec", None)
    several: Sequence[Any] = getattr(response_format, "schema_specs", None) or ([single] if single else [])
    if not several:
        several = ToolStrategy(getattr(response_format, "schema", response_format)).schema_specs
    return [[spec.name, spec.description, spec.json_schema] for spec in several]
