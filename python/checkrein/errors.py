"""Every exception that Checkrein raises, in one tree.

    CheckreinError
    +-- PolicyError        a policy file has mistakes; carries every diagnostic
    +-- LoadError          a compiled artifact is damaged, or of another version
    +-- StoreError         the store of a ledger cannot be opened or used
    +-- EngineError        the host misused a run (settled twice, answered an unknown request, ...)
    |   +-- UnknownFact    the host sent a fact that the policy does not declare
    +-- Refusal            a decision other than allow, met by a guarded call
        +-- Stopped        the run is over (latched: every later call meets it again)
        |   +-- HandedOver a person has taken the task over
        +-- Failed         this call is given up, after its retries
        +-- Denied         this call may not run; the run goes on
        +-- Escalated      a person has to answer first
        +-- Answered       nothing was sent: `text` is the answer

`Refusal` is a `RuntimeError` on purpose: graph frameworks re-run a node that raised a plain
`Exception`, and a refusal must never be retried.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from checkrein._core import Decision
    from checkrein.diagnostics import Diagnostic


class CheckreinError(Exception):
    """The base of everything raised here."""


class PolicyError(CheckreinError):
    """A policy did not compile. `diagnostics` holds every finding, in source order."""

    def __init__(self, message: str, diagnostics: list[Diagnostic]) -> None:
        super().__init__(message)
        self.diagnostics = diagnostics

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.diagnostics)


class LoadError(CheckreinError):
    """A `.reinc` artifact was refused; nothing was loaded."""


class StoreError(CheckreinError):
    """The store of a ledger cannot be opened or used. `kind` is a stable word such as `damaged`."""

    def __init__(self, message: str, kind: str = "away") -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.kind)


class EngineError(CheckreinError):
    """The host misused a run. `kind` is a stable word such as `unknown_attempt`."""

    def __init__(self, message: str, kind: str = "misuse") -> None:
        super().__init__(message)
        self.kind = kind


class UnknownFact(EngineError):
    """A fact name that the policy does not declare, or that only the engine may set."""

    def __init__(self, message: str, kind: str = "unknown_fact") -> None:
        super().__init__(message, kind)


class Refusal(CheckreinError, RuntimeError):
    """A decision that is not allow. `decision` explains itself; `id` finds it in the log."""

    def __init__(self, message: str, decision: Decision, id: str | None = None) -> None:
        super().__init__(message)
        self.decision = decision
        self.id = id

    def __reduce__(self) -> tuple[Any, ...]:
        # A pool of processes hands exceptions on; of the decision it hands on what it says.
        says = {name: getattr(self.decision, name) for name in dir(self.decision) if name[0] != "_"}
        return type(self), (str(self), SimpleNamespace(**says), self.id)

    @property
    def run_id(self) -> str:
        """The run that was refused."""
        return (self.id or "").rpartition(".")[0]

    @property
    def state(self) -> str | None:
        """The declared failure state of a stop or fail."""
        return self.decision.state


class Stopped(Refusal):
    """The run is over; `state` says which declared failure state it ended in."""


class HandedOver(Stopped):
    """The run is over, since a person does the task now; there is no failure, and no `state`."""


class Failed(Refusal):
    """This call is given up; the agent is told the truth."""


class Denied(Refusal):
    """This call may not run. Never retryable."""


class Escalated(Refusal):
    """A person has to answer `request` before the same call is asked again."""

    @property
    def request(self) -> int:
        """The id to pass to `run.answer`."""
        return cast("int", self.decision.request)


class Answered(Refusal):
    """The call ends with an answer instead of a result, and nothing was sent: `text` is that answer."""

    def __init__(
        self, message: str, decision: Decision, id: str | None = None, text: str | None = None
    ) -> None:
        super().__init__(message, decision, id)
        self.text: str = (decision.text or "") if text is None else text

    def __reduce__(self) -> tuple[Any, ...]:
        kind, said = super().__reduce__()
        return kind, (*said, self.text)
