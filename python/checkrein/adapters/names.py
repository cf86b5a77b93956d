"""What a client means by its own name of a model, and what it may not slip past a decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from checkrein.errors import EngineError

if TYPE_CHECKING:
    from checkrein.guard.guard import Guard

# What a decision is about, under the names that requests have for it.
_DECIDED = frozenset({
    "best_of", "conversation", "input", "max_completion_tokens", "max_output_tokens", "max_tokens",
    "messages", "model", "n", "previous_response_id", "prompt", "stream", "stream_options", "tools",
    "web_search_options",
})  # fmt: skip


def policy_name(guard: Guard, wanted: str | None, aliases: Mapping[str, str] | None = None) -> str | None:
    """The policy's name of the model that a client calls `wanted`.

    That is one of `aliases`, a declared name, a declared target, or a target's last part
    (`gpt-5` of `openai/gpt-5`) if only one model has it. Anything else is given back as it is: the
    engine denies it as undeclared.
    """
    if wanted is None:
        return None
    if aliases and wanted in aliases:
        return aliases[wanted]
    if wanted in guard.models:
        return wanted
    targets = {name: model["target"] for name, model in guard.models.items()}
    exact = [name for name, target in targets.items() if target == wanted]
    last = [name for name, target in targets.items() if target.rpartition("/")[2] == wanted]
    for named in (exact, last):
        if len(named) == 1:
            return named[0]
    return wanted


def refuse_overrides(extra_body: Any) -> None:
    """Raises `EngineError` if an `extra_body` would replace what was decided: it is merged last."""
    hidden = sorted(_DECIDED & set(extra_body or ()))
    if hidden:
        raise EngineError(
            f"`{hidden[0]}` in `extra_body` would replace what the policy decides; pass it as a setting",
            "uncapped",
        )
