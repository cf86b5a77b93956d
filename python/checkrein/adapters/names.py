"""Which of a policy's models a client means by its own name of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from checkrein.errors import EngineError
from checkrein.guard.context import RUN

if TYPE_CHECKING:
    from checkrein.guard.guard import Guard
    from checkrein.guard.run import Run


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


def run_of(guard: Guard, subject: str) -> Run:
    """The run of `guard` that the caller is in. Raises `EngineError` if there is none."""
    run = RUN.get()
    if run is None or run.guard is not guard:
        raise EngineError(
            f"{subject} was called outside a run of its guard; use `with guard.run():`", "no_run"
        )
    return run
