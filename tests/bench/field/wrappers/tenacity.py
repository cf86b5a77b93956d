"""tenacity: three tries, no wait."""

from __future__ import annotations

from typing import Any

from tenacity import Retrying, stop_after_attempt, wait_none

from tests.bench.field.wrappers.calls import nothing, tries

PACKAGE = "tenacity"


class Peer:
    """One policy of retries, as a decorator keeps it."""

    def build(self, many: int) -> None:
        """Wrap a call."""
        self._retry = Retrying(stop=stop_after_attempt(3), wait=wait_none(), reraise=True)
        self._call = self._retry.wraps(nothing)

    def check(self) -> None:
        """Two failures are tried over, a third is passed on."""
        tries(lambda call: self._retry.wraps(call)())

    def shape(self, call: Any) -> Any:
        """Nothing is asked."""
        return call

    def ask(self, call: Any) -> Any:
        """One call that succeeds."""
        return self._call()
