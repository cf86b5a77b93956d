"""Calls to be wrapped, and what a wrapper has to do with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.bench.field.worker import Wrong


class Failing:
    """A call that fails so often, and then succeeds."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.made = 0

    def __call__(self, **_arguments: Any) -> str:
        self.made += 1
        if self.left:
            self.left -= 1
            raise ConnectionError("not now")
        return "done"


def nothing(**_arguments: Any) -> str:
    """A call that succeeds at once."""
    return "done"


def tries(wrapped: Callable[[Callable[..., str]], Any]) -> None:
    """What wraps a call makes it three times at most."""
    twice, thrice = Failing(2), Failing(3)
    if (wrapped(twice), twice.made) != ("done", 3):
        raise Wrong(f"a call that fails twice was made {twice.made} times")
    try:
        wrapped(thrice)
    except Exception as error:
        if not isinstance(error, ConnectionError) and "fail" not in type(error).__name__.lower():
            raise Wrong(f"a call that fails three times ends with {error!r}") from error
    else:
        raise Wrong("a call that fails three times succeeded")
    if thrice.made != 3:
        raise Wrong(f"a call that fails three times was made {thrice.made} times")


def opens(wrapped: Callable[[Callable[..., str]], Any]) -> None:
    """After three failures a call is not made any more."""
    always = Failing(1_000)
    for _ in range(6):
        try:
            wrapped(always)
        except Exception:  # noqa: BLE001  (whichever of its errors; what counts is what was made)
            continue
    if always.made != 3:
        raise Wrong(f"a breaker that opens after three failures let {always.made} calls through")
