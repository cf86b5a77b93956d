"""What a host's function takes, so that what runs is exactly what was decided."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from checkrein.errors import EngineError


def bind_arguments(
    call: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of `call(*args, **kwargs)` by name, defaults and those of a `partial` included.

    Raises `TypeError`, as the call itself would, if they do not fit, and `EngineError` if two have one
    name. A callable without a readable signature takes keywords only.
    """
    while isinstance(call, functools.partial):
        args, kwargs, call = (*call.args, *args), {**call.keywords, **kwargs}, call.func
    try:
        signature = inspect.signature(call)
    except (TypeError, ValueError):
        if args:
            if isinstance(call, classmethod):
                raise TypeError("a class method is guarded from inside: put `@classmethod` above") from None
            raise TypeError("this callable has no readable signature; pass its arguments by name") from None
        return dict(kwargs)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    arguments: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            hidden = arguments.keys() & value.keys()
            if hidden:  # of a positional-only parameter: the policy would see one, the call use the other
                raise EngineError(f"two arguments are named `{min(hidden)}`; rename one", "signature")
            arguments.update(value)
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            arguments[name] = list(value)
        else:
            arguments[name] = value
    return arguments


def is_asynchronous(call: Callable[..., Any]) -> bool:
    """Whether `call` gives a coroutine: a coroutine function, or an object that is called like one."""
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(
        getattr(type(call), "__call__", None)  # noqa: B004  (its kind is asked for, not whether it is there)
    )


def require_fit(call: Callable[..., Any], kwargs: Mapping[str, Any]) -> None:
    """Refuse a model function that cannot be called, or not be capped, before anybody is asked about it.

    Raises `EngineError` if it takes no `model` or `max_tokens`, and `TypeError`, as the call itself would, if
    `kwargs` do not fit.
    """
    try:
        signature = inspect.signature(call)
        outermost = inspect.signature(call, follow_wrapped=False)  # a decorator may add or take arguments
    except (TypeError, ValueError):
        return
    for name in ("max_tokens", "model"):
        if not _takes(signature, name):
            raise EngineError(
                f"the model function takes no `{name}`, so it cannot be governed; add it", "signature"
            )
    outermost.bind(**{**kwargs, "model": None, "max_tokens": None})


def _takes(signature: inspect.Signature, name: str) -> bool:
    """Whether the keyword `name` can be given."""
    parameters = signature.parameters
    if name in parameters:
        return parameters[name].kind is not inspect.Parameter.POSITIONAL_ONLY
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
