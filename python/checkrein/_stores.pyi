"""The part of the compiled engine that talks to stores: for type checkers, there is no such module."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, final

from checkrein._core import Program as _Program
from checkrein._rows import Account as _Account
from checkrein._rows import Act as _Act
from checkrein._rows import Approval as _Approval
from checkrein._rows import Health as _Health
from checkrein._rows import Lease as _Lease
from checkrein._rows import Node as _Node
from checkrein._rows import SuspendedRun as _SuspendedRun

_Life: TypeAlias = tuple[int, int, int]
_Asking: TypeAlias = tuple[int, bytes, bool, int, bytes]
_Given: TypeAlias = tuple[int, bytes, str, str | None, str, int]

@final
class Ledger:
    """The accounts of this process, and the store that it leases them from. Closing is up to the host.

    No decision waits for the store: a thread of its own asks for more before it is needed.
    """

    @staticmethod
    def open(url: str, *, now: int, wall: int, durable: bool = False) -> Ledger:
        """Open the ledger at a path, `sqlite:PATH`, `redis://HOST:PORT/DB` or `memory:`.

        `now` and `wall` are the host's clocks, which the ledger's own go on from. If `durable`, the
        record of an attempt is on the disk when its settling returns.

        Raises:
            StoreError: there is no ledger there that can be used.
        """

    @staticmethod
    def memory() -> Ledger:
        """A ledger without a store, for tests: it ends with this object."""

    def flush(self, timeout: float = 5) -> bool:
        """Wait, at most so many seconds, until all records are in the store; whether they are."""

    def close(self, timeout: float = 5) -> bool:
        """Give back what is leased, in at most so many seconds; whether the store has taken it."""

    def park(
        self,
        id: str,
        program: _Program,
        life: _Life,
        state: bytes,
        host: bytes,
        asking: list[_Asking],
        timeout: float = 5,
    ) -> None:
        """Keep what a suspended run takes along. After an error it may be asked again, with the same.

        `asking` is what it asks people: each request's number, what an answer is for, whether it wants a
        text, for how long it may be answered, and what people see of it (nothing, if that is kept already).

        `life` is who has the run: a random number of its first process, one of this process (the same, if
        it is the first), and how often it was resumed.

        Raises:
            EngineError: kind `taken`, `dropped`, `bad_value`, or what is wrong with the store, such as
                `away`.
        """

    def claim(
        self, id: str, program: _Program, holder: int, timeout: float = 5
    ) -> tuple[_Life, bytes, bytes, int, list[_Given]]:
        """Go on with a suspended run: its life from now on, its state, what its host kept, for how long it
        has waited by the store's clock, and the answers that people gave meanwhile.

        An answer is the request's number, what it is for, the word (`approve`, `reject`, `answer`), the
        text of an `answer`, who gave it, and how long ago.

        `holder` is a random number, drawn for this wish: the answer is given once, to it. After an error
        `give_back` says that nobody goes on.

        Raises:
            EngineError: kind `unknown_run`, `already_resumed`, `ended`, `other_policy`, or what is wrong
                with the store, such as `away`.
        """

    def finish(self, id: str, life: _Life) -> None:
        """Say that a resumed run has ended. It is not waited for."""

    def give_back(self, id: str, holder: int) -> None:
        """Say that `holder`, who claimed a run or wanted to, does nothing with it. It is not waited for."""

    def approvals(self, timeout: float = 5) -> list[_Approval]:
        """Give the requests to people that wait in the store.

        Raises:
            StoreError: the store does not answer in time, or what is wrong with it.
        """

    def answer(
        self,
        run: str,
        request: int,
        word: str,
        text: str | None,
        id: str,
        who: str,
        why: str,
        timeout: float = 5,
    ) -> bool:
        """Answer a request, as `Operator.answer` does."""

    def before_fork(self) -> None:
        """Let go of the store's connection. `after_fork` has to follow, in both processes."""

    def after_fork(self, child: bool, now: int, wall: int) -> None:
        """Go on; as a `child` without what its parent has leased.

        Raises:
            StoreError: the store cannot be opened again.
        """

    def health(self) -> _Health:
        """How the ledger and its store are."""

    @property
    def kind(self) -> Literal["memory", "sqlite", "redis"]:
        """Which store it has."""
    @property
    def is_shared(self) -> bool:
        """Whether other machines see the store too."""

@final
class Operator:
    """The store of a ledger for those who run it. Every method may wait for the store.

    Every method raises `StoreError`. Acts leave an entry in the store's audit; an act with the `id` of an
    earlier one changes nothing and gives False.
    """

    @staticmethod
    def open(url: str, *, create: bool = False) -> Operator:
        """Open a store; `create` makes the file if there is none."""

    @property
    def place(self) -> str:
        """Where the store is, for people."""

    def init(self) -> bool:
        """Make a ledger in the store; False if there was one."""

    def accounts(self) -> list[_Account]:
        """Give every account that was ever used and is not forgotten."""

    def audit(self) -> list[_Act]:
        """Give every act of an operator."""

    def nodes(self) -> list[_Node]:
        """Give the processes that use the ledger, or did lately."""

    def leases(self) -> list[_Lease]:
        """Give what every process has leased."""

    def adjust(self, account: str, delta: int, id: str, who: str, why: str) -> bool:
        """Change what is spent in the account's latest window."""

    def pin(self, account: str, most: int | None, id: str, who: str, why: str) -> bool:
        """Set the most that an account's bound can be, whatever policies say; `None` takes that back."""

    def write_off(self, account: str, id: str, who: str, why: str) -> bool:
        """Take back what the account has leased to processes that were not heard of for a minute.

        Only for who knows that they are gone: what they spent and never reported is forgotten.
        """

    def runs(self) -> list[_SuspendedRun]:
        """Give the runs that wait, and those that were resumed and have not ended."""

    def drop_run(self, run: str, id: str, who: str, why: str) -> bool:
        """Let nobody go on with a run any more."""

    def approvals(self) -> list[_Approval]:
        """Give the requests to people of runs that wait or were resumed."""

    def answer(
        self, run: str, request: int, word: str, text: str | None, id: str, who: str, why: str
    ) -> bool:
        """Answer what a run asks: `approve`, `reject`, or `answer` with a text. One answer stands.

        Kinds of errors: `no_request`, `already_answered`, `expired`, `other_kind`.
        """

    def prune(self, before: int, id: str, who: str, why: str) -> int:
        """Forget nodes, leases and accounts not heard of since, as far as that gives nobody room.

        `before` is in nanoseconds since the epoch, at least a day ago. The answer is how many rows went.
        """

    def records(self, visit: Callable[[list[dict[str, Any]]], object]) -> None:
        """Hand the records of all settled attempts to `visit`, some at a time; it must not use this."""
