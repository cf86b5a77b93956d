"""Streams: the attempt stays open until the last chunk, and a cut stream keeps its whole hold."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, Any, Self

from checkrein.errors import EngineError
from checkrein.guard.classify import classify
from checkrein.guard.patience import Patience, waited, waited_async
from checkrein.guard.usage import UNKNOWN, Usage, lower_bound, merge_usage

if TYPE_CHECKING:
    from checkrein.guard.context import Attempt
    from checkrein.guard.door import Door
    from checkrein.guard.drive import Request
    from checkrein.guard.run import Run


_PLAIN = frozenset({bool, bytes, dict, float, int, list, str, tuple, type(None)})
"""What most results are, and no stream is."""


def is_stream(value: Any) -> bool:
    """True for generators and client streams: iterators that can be closed, and are read in no other way.

    A file or a cursor of a database is none: it is the host's to read from its beginning.
    """
    if type(value) in _PLAIN:
        return False
    if isinstance(value, (GeneratorType, AsyncGeneratorType)):
        return True
    if not (_has_any(value, "__next__", "__anext__") and _has_any(value, "close", "aclose")):
        return False
    return not _has_any(value, "read", "fetchone")


def _has_any(value: Any, *names: str) -> bool:
    """Whether it has one of these attributes; one that cannot be read is none."""
    try:
        return any(hasattr(value, name) for name in names)
    except Exception:  # noqa: BLE001 -- the host's object, which has been paid for
        return False


@dataclass(frozen=True, slots=True)
class Begun:
    """A stream, with its first chunk if that was read: what failed before it was seen by nobody."""

    source: Any
    first: tuple[Any, ...] = ()
    attempt: Attempt | None = None
    patience: Patience | None = None


def begun(source: Any) -> Begun:
    """`source` once its first chunk is here. One that can only be awaited is not begun by this."""
    if not hasattr(source, "__next__"):
        return Begun(source)
    try:
        return Begun(source, (next(source),))
    except StopIteration:
        return Begun(source)
    except BaseException:
        drop(source)
        raise


async def begun_async(source: Any) -> Begun:
    """As `begun`."""
    if not hasattr(source, "__anext__"):
        return begun(source)
    try:
        return Begun(source, (await source.__anext__(),))
    except StopAsyncIteration:
        return Begun(source)
    except BaseException:
        with suppress(Exception):
            await _closed(source)
        raise


def drop(source: Any) -> None:
    """Close a stream that the host will never have."""
    with suppress(Exception):
        source.close()


async def _closed(source: Any) -> None:
    closing = (getattr(source, "aclose", None) or source.close)()
    if inspect.isawaitable(closing):
        await closing


def guarded_stream(run: Run, decision: Any, request: Request, stream: Begun) -> Any:
    """`stream` with the same chunks, settled when it ends, fails, is closed or is dropped."""
    kind = AsyncGuardedStream if hasattr(stream.source, "__anext__") else GuardedStream
    return kind(run, decision, request, stream)


class unless_ended:  # noqa: N801  (it is used as a function)
    """A run that has ended took the whole hold of its open attempts; what they say later is too late.

    So is what a fork says about the attempts of the process that it came from, and what is said to a run
    that was suspended.
    """

    __slots__ = ("_run",)

    def __init__(self, run: Door) -> None:
        self._run = run

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, EngineError):
            return False
        is_late = error.kind == "already_settled" and self._run.ended
        return is_late or error.kind in {"forked", "suspended"}


def tell_end(run: Door, decision: Any, say: Callable[[], Any]) -> Any:
    """Say how an attempt ended. If what the host says of it cannot be right, nobody knows, and it is over."""
    after = None
    with unless_ended(run):
        try:
            after = say()
        except EngineError as error:
            if error.kind == "bad_value":
                run.settle(decision, UNKNOWN)
            raise
    return after


class _Settling:
    """What both kinds of stream share: usage seen so far, and settling exactly once."""

    def __init__(self, run: Run, decision: Any, request: Request, stream: Begun) -> None:
        self._run, self._decision, self._request = run, decision, request
        self._source, self._attempt, self._patience = stream.source, stream.attempt, stream.patience
        self._first = list(stream.first)
        self._usage: Usage | None = None
        self._open = True
        self._begun = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("a guarded stream cannot be copied: it is settled once")

    def _saw(self, chunk: Any) -> None:
        self._begun = True
        try:
            self._usage = merge_usage(self._usage, self._request.used(chunk))
        except BaseException:
            self._cut()
            raise

    def _underway(self) -> AbstractContextManager[None]:
        """While its body runs, that is a part of the attempt, with the time that is left to that by now."""
        attempt, patience = self._attempt, self._patience
        if attempt is None:
            return nullcontext()
        if patience is not None:
            attempt.until = self._run.clock.now() + int(patience.left * 1e9)
        return attempt.underway()

    def _finish(self) -> None:
        """The end: of a tool's, the policy says whether that was a result."""
        run, request = self._run, self._request
        if not self._open:
            return
        usage = self._usage or UNKNOWN
        if not (request.point == "tool" and run.guard.program.judges):
            self._settle(usage)
            return
        self._open = False
        after = tell_end(
            run, self._decision,
            lambda: run.result(self._decision, usage, committed=True, subject=request.subject),
        )  # fmt: skip
        if after is not None and after.outcome != "allow":
            raise run.refusal(after, request.subject)

    @property
    def _is_some(self) -> bool:
        """What was read so far is worth something. Of what a tool gives only the whole is a result."""
        return self._begun and self._request.point == "model"

    def _cut(self) -> None:
        """Closed early: what was reported so far is a lower bound, and never refunds the hold.

        What nobody has read a chunk of is no success.
        """
        if self._open and not self._is_some:
            self._broke(GeneratorExit())
        elif self._open:
            self._settle(self._lower_bound())

    def _broke(self, error: BaseException) -> None:
        """Failed in the middle: chunks may be out already, so nothing is retried from here."""
        if self._open:
            self._open = False
            failure = classify(error, self._request.point)
            if self._begun:  # whatever the status says, what was delivered is billed
                failure = replace(failure, usage=self._lower_bound(), billed=None)
            with unless_ended(self._run):
                self._run.fail(self._decision, failure, self._request.subject)

    def _settle(self, usage: Usage) -> None:
        self._open = False
        tell_end(self._run, self._decision, lambda: self._run.settle(self._decision, usage))

    def _lower_bound(self) -> Usage:
        return lower_bound(self._usage)

    def __del__(self) -> None:
        # The collector may run in the middle of an event of this very run: only leave a note.
        if self._open:
            self._open = False
            self._run.dropped(self._decision, self._lower_bound(), begun=self._is_some)


class GuardedStream(_Settling):
    """A synchronous stream under a reservation."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            chunk = self._first.pop() if self._first else self._next()
        except StopIteration:
            self._finish()
            raise
        except BaseException as error:
            self._broke(error)
            raise
        self._saw(chunk)
        return chunk

    def _next(self) -> Any:
        source = self._source
        with self._underway():
            return waited(lambda: next(source), self._patience, self._request.subject)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading; the rest of the hold stays spent."""
        self._cut()
        if self._patience is None:
            self._source.close()
        elif self._patience.left > 0:  # else a thread is in it, left behind
            waited(self._source.close, self._patience, self._request.subject)
            self._patience.rest()


class AsyncGuardedStream(_Settling):
    """An asynchronous stream under a reservation."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            chunk = self._first.pop() if self._first else await self._next()
        except StopAsyncIteration:
            self._finish()
            raise
        except BaseException as error:
            self._broke(error)
            raise
        self._saw(chunk)
        return chunk

    async def _next(self) -> Any:
        with self._underway():
            return await waited_async(self._source.__anext__, self._patience, self._request.subject)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop reading; the rest of the hold stays spent."""
        self._cut()
        await _closed(self._source)

    close = aclose
