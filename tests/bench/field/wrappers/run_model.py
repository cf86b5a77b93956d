"""Checkrein: `run.model` under the benchmark's policy, all on, with the log."""

from __future__ import annotations

from typing import Any

from tests.bench.field.worker import Wrong
from tests.bench.field.wrappers import run_tool

PACKAGE = "checkrein"
REPLY = {"usage": {"input_tokens": 800, "output_tokens": 120}}
CHARGED = 800 * 1_250 + 120 * 10_000
"""In nano-dollars, as the policy prices the large model."""


def reply(**_arguments: Any) -> Any:
    """A model that answers at once and says what it used."""
    return REPLY


class Peer(run_tool.Peer):
    """A run that asks the large model."""

    def check(self) -> None:
        """The model is asked, and paid for by what it says that it used."""
        before = self._charged()
        if self.ask(self.shape({})) is not REPLY or self._charged() != before + CHARGED:
            raise Wrong("the model was not asked, or not paid for")

    def _charged(self) -> int:
        limits = self.run.limits()
        return next(int(row["spent"]) for row in limits if row["dimension"] == "cost")

    def shape(self, _call: Any) -> Any:
        """A prompt that nobody has sent yet."""
        return [{"role": "user", "content": f"q{next(self._number)}"}]

    def ask(self, call: Any) -> Any:
        """One call that succeeds."""
        return self.run.model(reply, model="large", input_tokens=900, max_tokens=300, messages=call)
