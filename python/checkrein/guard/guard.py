"""A loaded policy, ready to govern runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakValueDictionary, finalize

from checkrein import _core
from checkrein.compiled import program_of
from checkrein.errors import EngineError, LoadError
from checkrein.guard.approval import Approver
from checkrein.guard.approvals import Approvals
from checkrein.guard.clock import Clock, SystemClock
from checkrein.guard.context import run_of
from checkrein.guard.luggage import PATIENCE_SECONDS, Luggage, Resumed, nonce
from checkrein.guard.run import Run
from checkrein.guard.scopes import Scopes, text_of
from checkrein.guard.signature import bind_arguments, is_asynchronous
from checkrein.guard.store import CLOSING_SECONDS, open_ledger, unwatch, watch
from checkrein.record import DEFAULT_LOG, JsonlSink, Sink

if TYPE_CHECKING:
    from checkrein.guard.batch import Decisions


def load(
    path: str | PathLike[str],
    *,
    log: str | PathLike[str] | Sink | None = DEFAULT_LOG,
    approver: Approver | None = None,
    clock: Clock | None = None,
    store: str | PathLike[str] | None = None,
    durable: bool = False,
    audit: Literal["best_effort", "required"] = "best_effort",
) -> Guard:
    """Load a policy: a `.rein` source (compiled here) or a `.reinc` artifact (no parser needed).

    `log` is where decision records go: a file, a sink, or None for nowhere. `approver` is asked
    when the policy escalates. `store` is where limits wider than a run keep what is spent: a file (by
    default `.checkrein/ledger.db`, if the policy has such limits), `redis://...` or `memory:`. With
    `durable`, what an attempt used is on the disk before its call returns. With `audit="required"` no call is
    let through while the log's file takes no records; otherwise calls go on, and what is lost is counted.
    Raises `PolicyError` with
    every mistake, or `LoadError`.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # a path with a NUL is a `ValueError`
        reason = getattr(error, "strerror", None) or error
        raise LoadError(f"cannot read the policy {path}: {reason}") from error
    program = _core.Program.load(data) if path.suffix == ".reinc" else program_of(data, str(path), str(path))
    clock = clock or SystemClock()
    sink = _sink_of(log, audit)
    ledger = open_ledger(program, store, durable, clock)
    guard = Guard(program, sink=sink, approver=approver, clock=clock, ledger=ledger)
    if guard.ledger is not None:  # also one that only lets runs share what they know
        watch(guard)
    if ledger is not None:
        finalize(guard, ledger.close, CLOSING_SECONDS).atexit = False
    return guard


def _sink_of(log: Any, audit: str) -> Any:
    if audit not in ("best_effort", "required"):
        raise ValueError(f'`audit` is `{audit}`; pass "best_effort" or "required"')
    if isinstance(log, (str, PathLike)):
        return JsonlSink(Path(log), required=audit == "required")
    if log is not None and not callable(getattr(log, "write", None)):
        raise TypeError(
            f"`log` is a file, an object with `write(record)`, or None; this is a `{type(log).__name__}`"
        )
    if audit == "required":
        raise TypeError('audit="required" is about a log file; a sink of your own refuses by raising')
    return log


class Guard:
    """A policy bound to a clock, a log and, for escalations, a person. Shared by all its runs."""

    def __init__(
        self,
        program: Any,
        *,
        sink: Sink | None = None,
        approver: Approver | None = None,
        clock: Clock | None = None,
        ledger: Any = None,
    ) -> None:
        self.program = program
        # Without a store a process of its own adds up, never each run by itself.
        self._has_store = ledger is not None or program.wide
        shares = program.wide or program.watches
        self.ledger = _core.Ledger.memory() if ledger is None and shares else ledger
        # Of the program, which never changes: asked at every call.
        self.judges, self.reuses = program.judges, program.reuses
        # What a file is to have, the engine writes; a sink of the host's gets dicts, made in Python.
        self.log = sink if type(sink) is JsonlSink else None
        self.sink = None if self.log is not None else sink
        self._file = sink if isinstance(sink, JsonlSink) else None
        self.approver = approver
        self.clock: Clock = clock or SystemClock()
        self.models: dict[str, dict[str, Any]] = {m["name"]: m for m in program.models}
        self.tools: dict[str, dict[str, Any]] = {t["name"]: t for t in program.tools}
        self.tool_fields: dict[str, list[str]] = {t["name"]: t["results"] for t in program.tools}
        self.tool_timeouts: dict[str, int | None] = {t["name"]: t["timeout_ns"] for t in program.tools}
        self._runs: WeakValueDictionary[int, Run] = WeakValueDictionary()
        self.closed = False

    def run(
        self,
        *,
        id: str | None = None,
        seed: int | None = None,
        user: Any = None,
        session: Any = None,
        team: Any = None,
        org: Any = None,
        facts: Mapping[str, Any] | None = None,
        approver: Approver | None = None,
    ) -> Run:
        """Begin a run. `facts` hold for all its calls; `seed` fixes the jitter of its retries.

        `session`, `user`, `team` and `org` say whose run it is: they are kept in the records, and limits
        on each of them add up under these ids. `id` is made up if it is left out; a run that is to be
        suspended needs one that no other run in its store has had, so not a ticket's or a conversation's.

        Raises `EngineError` of kind `missing_scope` if the policy has a limit on each of something and
        the run does not say which.
        """
        names = {"user": user, "session": session, "team": team, "org": org}
        return self.begin(id=id, seed=seed, names=names, facts=facts, approver=approver)

    def begin(self, *, scopes: Scopes | None = None, parent: Run | None = None, **parts: Any) -> Run:
        """Begin a run with the parts that `Run` takes; hosts use `run` and `Run.child`."""
        if self.closed:
            raise EngineError("this guard was closed; load the policy again", "closed")
        run = Run(self, scopes=scopes, parent=parent, **parts)
        self._runs[id(run)] = run
        return run

    def decide_many(
        self,
        *,
        tool: str | None = None,
        args: Mapping[str, Any] | None = None,
        model: str | None = None,
        input_tokens: Any = 0,
        max_tokens: int | None = None,
        facts: Mapping[str, Any] | None = None,
        user: Any = None,
        session: Any = None,
        team: Any = None,
        org: Any = None,
        threads: int | None = None,
    ) -> Decisions:
        """Decide a call for each row of these numpy arrays, as if each were the first of a new run.

        With `tool` calls of that tool, else model calls. What is no array is one value for all rows. Rules,
        requirements and the route are asked, on `threads` cores (all, if it is left out) and without the
        interpreter; what spends, counts or remembers is not: limits, orders, loops, breakers, approvals.
        Nothing is recorded, and no call is admitted.

        Raises `UnknownFact` for a fact that the policy does not declare, and `EngineError` for columns that
        are no columns.
        """
        from checkrein.guard.batch import decide_many

        whose = {"session": session, "user": user, "team": team, "org": org}
        of_tool = None if tool is None else (tool, args)
        return decide_many(self, of_tool, (model, input_tokens, max_tokens), facts, whose, threads)

    def resume(self, id: str, *, approver: Approver | None = None, timeout: float = PATIENCE_SECONDS) -> Run:
        """Go on with the run `id`, which was suspended here or in another process. Only one may.

        `approver` takes the place of the one that the run had. Waits for the store, at most `timeout`
        seconds; after an `EngineError` of kind `away` or `locked`, resume again. A run that is neither
        entered nor asked anything waits again, once nobody has it any more.

        Raises `EngineError` of kind `no_store`, `unknown_run`, `already_resumed`, `ended`, `other_policy`
        (the run began under a policy that means something else), `other_form` (under another version of
        Checkrein), or what is wrong with the store.
        """
        ledger = self.require_ledger()
        id, holder = text_of("the id of the run", id), nonce()
        try:
            life, state, host, later, answers = ledger.claim(id, self.program, holder, timeout)
            luggage = Luggage.unpacked(host)
            run = self.begin(
                id=id, names=luggage.names, scopes=luggage.scopes, facts=luggage.facts, approver=approver,
                resumed=Resumed(life, state, luggage, later, answers),
            )  # fmt: skip
            run.tell_resumed()
        except BaseException:  # the answer may be lost, or nobody be there any more to go on
            ledger.give_back(id, holder)
            raise
        return run

    def approvals(self) -> Approvals:
        """The requests to people that wait in this guard's store, to be shown and answered.

        A run that is resumed takes the answers along. Raises `EngineError` of kind `no_store` or `closed`.
        """
        return Approvals(self.require_ledger())

    def require_ledger(self) -> Any:
        """The ledger whose store keeps suspended runs."""
        if self.closed:
            raise EngineError("this guard was closed; load the policy again", "closed")
        if not self._has_store:
            raise EngineError(
                "a suspended run waits in a store, and this guard has none; pass one to `checkrein.load`, "
                'such as store=".checkrein/ledger.db"',
                "no_store",
            )
        return self.ledger

    def close(self) -> None:
        """End the runs that are still open, give back what this process has leased, and close the log.

        Also done when the interpreter exits. Closing twice changes nothing.
        """
        self.closed = True
        unwatch(self)
        with ExitStack() as parts:  # one that fails keeps no other from ending
            if self._file is not None:
                parts.callback(self._file.close)
            if self.ledger is not None:
                parts.callback(self.ledger.close, CLOSING_SECONDS)
            for reference in self._runs.valuerefs():
                run = reference()
                if run is not None:
                    parts.callback(run.leave)

    def flush(self) -> None:
        """Write the records that wait to the log file. Done besides before anybody is told of a refusal, when
        a run ends, when the interpreter exits and before it forks.

        Raises `EngineError` of kind `log` if every record is required and the file can't be written.
        """
        if self._file is not None:
            self._file.flush()

    def drain(self) -> None:
        """What `flush` does; a log that is required, and can't be written, refuses the next call instead."""
        if self._file is not None:
            self._file.core.drain()

    def forking(self, moment: str) -> None:
        """The process forks: neither the store's connection nor the leases may be used on both sides."""
        if moment == "before":
            self.ledger.before_fork()
            return
        if moment == "child":
            self._runs = WeakValueDictionary()
        self.ledger.after_fork(moment == "child", self.clock.now(), self.clock.wall())

    def instead_of(self, decision: Any) -> dict[str, str]:
        """The names that are declared, if `decision` denies a call because its own is not.

        Each is there under what may be written for it: itself, and what a model stands for.
        """
        if decision.kind != "built-in" or decision.by not in ("undeclared tool", "undeclared model"):
            return {}
        if decision.by == "undeclared tool":
            return {name: name for name in self.tools}
        targets = {model["target"]: name for name, model in self.models.items()}
        return targets | {name: name for name in self.models}

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
