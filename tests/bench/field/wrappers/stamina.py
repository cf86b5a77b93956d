"""stamina: three tries, no wait, no hooks."""

from __future__ import annotations

from typing import Any

import stamina
from stamina.instrumentation import set_on_retry_hooks

from tests.bench.field.wrappers.calls import nothing, tries

PACKAGE = "stamina"


class Peer:
    """A decorated call."""

    def build(self, many: int) -> None:
        """Wrap a call."""
        set_on_retry_hooks([])
        self._retry = stamina.retry(
            on=ConnectionError, attempts=3, timeout=None, wait_initial=0, wait_max=0, wait_jitter=0
        )
        self._call = self._retry(nothing)

    def check(self) -> None:
        """Two failures are tried over, a third is passed on."""
        tries(lambda call: self._retry(lambda: call())())

    def shape(self, call: Any) -> Any:
        """Nothing is asked."""
        return call

    def ask(self, call: Any) -> Any:
        """One call that succeeds."""
        return self._call()
