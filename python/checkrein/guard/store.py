"""The store of a guard: where limits wider than a run keep what is spent, and when it is given back."""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from checkrein import _core
from checkrein.errors import LoadError
from checkrein.guard.clock import Clock, VirtualClock

if TYPE_CHECKING:
    from checkrein.guard.guard import Guard

DEFAULT_STORE = Path(".checkrein") / "ledger.db"
"""Where a ledger is unless the host says otherwise, relative to where it was started."""

MEMORY = "memory:"
"""The store that ends with this process, and that nobody else sees."""

CLOSING_SECONDS = 5.0
"""How long the end of a process waits for its store."""

_OPEN: WeakSet[Guard] = WeakSet()


def open_ledger(program: Any, store: str | PathLike[str] | None, durable: bool, clock: Clock) -> Any:
    """The ledger of a guard, or None if the policy needs none and the host asks for none.

    Raises `LoadError` for a store that cannot be opened, or that does not do what the policy asks.
    """
    virtual = isinstance(clock, VirtualClock)
    if store is None:
        if not (program.wide or durable):
            return None
        store = MEMORY if virtual else DEFAULT_STORE
    url = os.fspath(store)
    if virtual and url != MEMORY:
        raise LoadError(
            "a store lives in real time, and this guard's clock is virtual; "
            f'pass store="{MEMORY}", or leave the clock out'
        )
    ledger = _core.Ledger.open(url, now=clock.now(), wall=clock.wall(), durable=durable)
    if program.shared and not ledger.is_shared and not virtual:
        ledger.close(0)
        raise LoadError(
            f"`{program.file}` says `store shared`, and what is kept in `{url}` only this machine sees; "
            'pass a store that all see, such as store="redis://..."'
        )
    return ledger


def watch(guard: Guard) -> None:
    """From now on `guard` is closed when the interpreter exits, and forks do not use its leases."""
    _OPEN.add(guard)


def unwatch(guard: Guard) -> None:
    """`guard` was closed."""
    _OPEN.discard(guard)


def _close_all() -> None:
    for guard in list(_OPEN):
        with suppress(Exception):  # one that fails keeps no other from giving back
            guard.close()


def _before_fork() -> None:
    for guard in list(_OPEN):
        guard.forking("before")


def _after_fork_in_parent() -> None:
    for guard in list(_OPEN):
        guard.forking("parent")


def _after_fork_in_child() -> None:
    for guard in list(_OPEN):
        guard.forking("child")


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )
