"""A loaded policy, ready to govern runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from checkrein import _core
from checkrein.errors import LoadError
from checkrein.guard.approval import Approver
from checkrein.guard.clock import Clock, SystemClock
from checkrein.guard.context import run_of
from checkrein.guard.run import Run
from checkrein.guard.signature import bind_arguments, is_asynchronous
from checkrein.record import DEFAULT_LOG, JsonlSink, Sink


def load(
    path: str | PathLike[str],
    *,
    log: str | PathLike[str] | Sink | None = DEFAULT_LOG,
    approver: Approver | None = None,
    clock: Clock | None = None,
) -> Guard:
    """Load a policy: a `.rein` source (compiled here) or a `.reinc` artifact (no parser needed).

    `log` is where decision records go: a file, a sink, or None for nowhere. `approver` is asked
    when the policy escalates. Raises `PolicyError` with every mistake, or `LoadError`.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # a path with a NUL is a `ValueError`
        reason = getattr(error, "strerror", None) or error
        raise LoadError(f"cannot read the policy {path}: {reason}") from error
    if path.suffix != ".reinc":
        from checkrein.language import compile_source

        data = compile_source(data, str(path))
    sink = JsonlSink(Path(log)) if isinstance(log, (str, PathLike)) else log
    return Guard(_core.Program.load(data), sink=sink, approver=approver, clock=clock)


class Guard:
    """A policy bound to a clock, a log and, for escalations, a person. Shared by all its runs."""

    def __init__(
        self,
        program: Any,
        *,
        sink: Sink | None = None,
        approver: Approver | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.program = program
        self.sink = sink
        self.approver = approver
        self.clock: Clock = clock or SystemClock()
        self.models: dict[str, dict[str, Any]] = {m["name"]: m for m in program.models}
        self.tools: dict[str, dict[str, Any]] = {t["name"]: t for t in program.tools}
        self.tool_timeouts: dict[str, int | None] = {t["name"]: t["timeout_ns"] for t in program.tools}

    def run(
        self,
        *,
        id: str | None = None,
        seed: int | None = None,
        user: str | None = None,
        session: str | None = None,
        facts: Mapping[str, Any] | None = None,
        approver: Approver | None = None,
    ) -> Run:
        """Begin a run. `facts` hold for all its calls; `seed` fixes the jitter of its retries.

        Ids are the host's words, kept in the records; `id` is made up if it is left out.
        """
        return Run(self, id=id, seed=seed, user=user, session=session, facts=facts, approver=approver)

    def instead_of(self, decision: Any) -> Collection[str]:
        """The names that are declared, if `decision` denies a call because its own is not."""
        if decision.kind != "built-in":
            return ()
        names: dict[str, Collection[str]] = {"undeclared tool": self.tools, "undeclared model": self.models}
        return names.get(decision.by, ())

    def tool(self, call: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
        """Decorate a function: each call of it is a guarded tool call of the current run."""

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            tool = name or function.__name__

            def guarded(*args: Any, **kwargs: Any) -> Any:
                arguments = bind_arguments(function, args, kwargs)
                return run_of(self, f"`{tool}`").call_tool(
                    tool, function, arguments, invoke=lambda: function(*args, **kwargs)
                )

            return _dressed(guarded, function)

        return decorate if call is None else decorate(call)

    def model(self, call: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
        """Decorate a function that takes `model` and `max_tokens`: each call is a guarded model call.

        `name` is the policy's name of the model wanted when the caller gives none.
        """

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            def guarded(**kwargs: Any) -> Any:
                kwargs.setdefault("model", name)
                return run_of(self, f"`{function.__name__}`").model(function, **kwargs)

            return _dressed(guarded, function)

        return decorate if call is None else decorate(call)


def _dressed(guarded: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """`guarded` with the name and signature of `function`, a coroutine function if that is one."""
    if is_asynchronous(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            return await guarded(*args, **kwargs)

        return awaited
    return functools.wraps(function)(guarded)
