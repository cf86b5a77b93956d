"""The short ways through plain functions say the same as Python's own signatures."""

import functools
import inspect
import itertools

import pytest

from checkrein.errors import EngineError
from checkrein.guard.signature import bind_arguments, is_asynchronous, require_fit


def none():
    """No parameters."""


def some(a, b=2, c=3):
    """Some have defaults."""


def keywords(a, *, b, c=3):
    """Some can only be named."""


def positional(a, /, b=2):
    """Some can't be named."""


def catches(a, *rest, **more):
    """Any others."""


async def awaited(model, max_tokens, c=3):
    """A coroutine function."""


def model(model, max_tokens, **more):
    """A model function that takes anything."""


def named(c, *, max_tokens, model=None):
    """A model function that asks for more."""


def capped(max_tokens, *rest, model):
    """A model function with others that can't be named."""


def dressed(*args, **kwargs):
    """What a decorator makes of another function."""


functools.update_wrapper(dressed, some)
FUNCTIONS = [none, some, keywords, positional, catches, awaited, model, named, capped, dressed]
ARGS = [(), (1,), (1, 2), (1, 2, 3, 4)]
NAMES = ("a", "b", "c", "model", "max_tokens")
KWARGS = [dict.fromkeys(names, 9) for size in range(4) for names in itertools.combinations(NAMES, size)]


def said(call, *args):
    """What a call gives, or how it fails."""
    try:
        given = call(*args)
    except (TypeError, EngineError) as error:
        return type(error), str(error)
    return list(given.items()) if isinstance(given, dict) else given


def by_signature(function):
    """The same function, with a signature that only `inspect` reads."""
    copy = functools.wraps(function)(lambda *args, **kwargs: function(*args, **kwargs))
    copy.__signature__ = inspect.signature(function)
    return copy


@pytest.mark.parametrize("function", FUNCTIONS)
def test_arguments_are_bound_as_by_the_signature(function):
    for args, kwargs in itertools.product(ARGS, KWARGS):
        assert said(bind_arguments, function, args, kwargs) == said(
            bind_arguments, by_signature(function), args, kwargs
        )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_model_function_fits_as_by_the_signature(function):
    for kwargs in KWARGS:
        given = {name: value for name, value in kwargs.items() if name not in ("model", "max_tokens")}
        # A wrapper takes anything: it stands for what is inside, and so its own signature is the same.
        assert said(require_fit, function, given) == said(require_fit, by_signature(function), given)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_coroutine_function_is_told(function):
    assert is_asynchronous(function) == inspect.iscoroutinefunction(function)
