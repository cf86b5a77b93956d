"""What a host's function takes, so that what runs is exactly what was decided."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType
from typing import Any

from checkrein.errors import EngineError


def bind_arguments(
    call: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of `call(*args, **kwargs)` by name, defaults and those of a `partial` included.

    Raises `TypeError`, as the call itself would, if they do not fit, and `EngineError` if two have one
    name. A callable without a readable signature takes keywords only.
    """
    named = _named(call, args, kwargs)
    if named is not None:
        return named
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


def _named(
    call: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The same for a plain function of named parameters, if they fit: from its code, which costs a tenth."""
    code = _code_of(call)
    if code is None or code.co_posonlyargcount or code.co_flags & _CATCHES_ALL:
        return None
    least, most = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    if len(args) > least:
        return None
    defaults, by_name = call.__defaults__ or (), call.__kwdefaults__ or {}
    first_default, taken = least - len(defaults), 0
    arguments: dict[str, Any] = {}
    for index, name in enumerate(code.co_varnames[:most]):
        if index < len(args):
            arguments[name] = args[index]
        elif name in kwargs:
            arguments[name] = kwargs[name]
            taken += 1
        elif first_default <= index < least:
            arguments[name] = defaults[index - first_default]
        elif index >= least and name in by_name:
            arguments[name] = by_name[name]
        else:
            return None
    return arguments if taken == len(kwargs) else None


def _fits(call: Any, given: set[str]) -> bool:
    """Whether a plain function is sure to take just these keywords."""
    code = _code_of(call)
    if code is None or code.co_posonlyargcount:
        return False
    positional = code.co_varnames[: code.co_argcount]
    by_keyword = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    required = {*positional[: len(positional) - len(call.__defaults__ or ())], *by_keyword}
    takes_all = bool(code.co_flags & inspect.CO_VARKEYWORDS)
    takes_these = takes_all or given <= {*positional, *by_keyword}
    return takes_these and required - {*(call.__kwdefaults__ or ())} <= given


def _code_of(call: Any) -> CodeType | None:
    """The code of a plain function that nothing was said about: no decorator, no signature of its own."""
    return call.__code__ if type(call) is FunctionType and not call.__dict__ else None


_CATCHES_ALL = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


def is_asynchronous(call: Callable[..., Any]) -> bool:
    """Whether `call` gives a coroutine: a coroutine function, or an object that is called like one."""
    code = _code_of(call)
    if code is not None:
        return bool(code.co_flags & inspect.CO_COROUTINE)
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(
        getattr(type(call), "__call__", None)  # noqa: B004  (its kind is asked for, not whether it is there)
    )


def require_fit(call: Callable[..., Any], kwargs: Mapping[str, Any]) -> None:
    """Refuse a model function that cannot be called, or not be capped, before anybody is asked about it.

    Raises `EngineError` if it takes no `model` or `max_tokens`, and `TypeError`, as the call itself would, if
    `kwargs` do not fit.
    """
    if _fits(call, {"model", "max_tokens", *kwargs}):
        return
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
