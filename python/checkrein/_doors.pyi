"""The compiled part of a run's door: for type checkers, there is no such module."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from checkrein._core import Run

class Door:
    """What a host asks and tells a run at every call. `checkrein.Run` inherits from it.

    What is let through without more runs no Python, but for a host's own clock. Every method raises
    `UnknownFact` and `EngineError` as those of `Run` do.
    """

    _due: bool
    """Something was put off until the next event, which calls `_begin` first."""
    _suspended: bool
    """The run waits in a store, and it and its children refuse every call."""

    def _open(
        self,
        run: Run,
        clock: tuple[Callable[[], int], Callable[[], int]] | None,
        facts: dict[str, Any],
        first: Door | None,
        has_sink: bool,
    ) -> None:
        """Begin: the clocks, if they are not this process's; what holds for all calls; what a child is of."""

    def decide(
        self,
        *,
        tool: str | None = None,
        args: Mapping[str, Any] | None = None,
        model: str | None = None,
        input_tokens: int = 0,
        max_tokens: int | None = None,
        step: str | None = None,
        confidence: Any = None,
        facts: Mapping[str, Any] | None = None,
        call: int | None = None,
        results: Iterable[Any] | None = None,
        context: Any = None,
    ) -> Any:
        """One decision, for hosts that run the call themselves.

        With `tool` a tool call, else a model call, with the tool `results` that its conversation has and the
        messages of its prompt (`context`). An `allow` opens `decision.attempt`: end it with `settle` or
        `fail`. On `wait`, wait `decision.wait_ns` and ask again with `decision.call`.
        """

    def ask_model(
        self,
        call: int | None,
        model: str | None,
        input_tokens: int,
        max_tokens: int | None,
        facts: dict[str, Any],
        results: Iterable[Any] | None = None,
        context: Any = None,
    ) -> Any:
        """Ask about a model call; `call` is the logical call when it is asked again."""

    def ask_tool(self, call: int | None, name: str, arguments: dict[str, Any], facts: dict[str, Any]) -> Any:
        """Ask about a tool call; `call` is the logical call when it is asked again."""

    def settle(self, decision: Any, usage: Any = None) -> Any:
        """The attempt of `decision` has ended well and used so much.

        A model call settled without a usage keeps its whole hold as spent.
        """

    def _is_forked(self) -> bool:
        """Whether this is a copy of the run in another process."""
