"""pybreaker: a circuit that opens after three failures."""

from __future__ import annotations

from typing import Any

import pybreaker

from tests.bench.field.wrappers.calls import nothing, opens

PACKAGE = "pybreaker"


class Peer:
    """One circuit."""

    def build(self, many: int) -> None:
        """A circuit that is closed."""
        self._call = pybreaker.CircuitBreaker(fail_max=3, reset_timeout=60)(nothing)

    def check(self) -> None:
        """It opens after three failures."""
        opens(pybreaker.CircuitBreaker(fail_max=3, reset_timeout=60).call)

    def shape(self, call: Any) -> Any:
        """Nothing is asked."""
        return call

    def ask(self, call: Any) -> Any:
        """One call that succeeds."""
        return self._call()
