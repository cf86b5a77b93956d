"""Checkrein bounds AI agents: a policy in Rein, compiled once, decides every model and tool call.

    import checkrein

    guard = checkrein.load("support.rein")
    with guard.run(user="u1") as run:
        answer = run.model(call_model, model="large", messages=messages)
        result = run.tool("refund", refund, order_id="A1", amount=4000)
    print(run.outcome)

Importing this loads neither the parser nor any framework, and the guard when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.errors import (
    Answered,
    CheckreinError,
    Denied,
    EngineError,
    Escalated,
    Failed,
    HandedOver,
    LoadError,
    PolicyError,
    Refusal,
    Stopped,
    StoreError,
    UnknownFact,
)

if TYPE_CHECKING:
    from checkrein.guard import (
        Approval,
        Clock,
        Guard,
        Outcome,
        Run,
        SystemClock,
        VirtualClock,
        current_run,
        load,
    )

__all__ = [
    "Answered",
    "Approval",
    "CheckreinError",
    "Clock",
    "Denied",
    "EngineError",
    "Escalated",
    "Failed",
    "Guard",
    "HandedOver",
    "LoadError",
    "Outcome",
    "PolicyError",
    "Refusal",
    "Run",
    "Stopped",
    "StoreError",
    "SystemClock",
    "UnknownFact",
    "VirtualClock",
    "current_run",
    "get_include",
    "load",
]


def get_include() -> str:
    """The folder of `checkrein.h`, for compilers of C and Cython; `_core.pxd` is in the package."""
    from pathlib import Path

    return str(Path(__file__).parent / "include")


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("checkrein")
    if name == "_core":  # by which C looks up the capsule in it
        from importlib import import_module

        return import_module("checkrein._core")
    if name in __all__:
        from checkrein import guard

        return getattr(guard, name)
    raise AttributeError(f"module `checkrein` has no attribute `{name}`")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
