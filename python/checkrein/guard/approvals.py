"""Requests to people that wait in a store with their suspended runs: who answers them, and how.

The engine knows what an answer is for, the store that one answer stands; what people see is written here.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from checkrein.errors import CheckreinError, EngineError
from checkrein.guard.context import is_inside

Word = Literal["approve", "reject", "answer"]
"""What a person says to a request."""

_FORM = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said to a request, by whom, why, and when: nanoseconds since 1970 by the store's clock."""

    word: Word
    text: str | None
    who: str
    why: str
    at: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request to a person that waits in a store.

    `arguments` are the exact ones, as canonical JSON: what runs if the answer is yes. If there are `binds`,
    the answer is for every call in which only these arguments are the same. `limits` say what was
    spent and what was left when the run was suspended. Instants are nanoseconds since 1970 by the store's
    clock, which `now` is the present of.
    """

    run: str
    request: int
    kind: Literal["approval", "question", "handover"]
    queue: str
    subject: str
    arguments: str
    binds: list[str]
    by: str
    by_kind: str
    place: str
    source: str
    reason: str
    default: str
    policy: str
    whose: Mapping[str, Any]
    limits: list[dict[str, Any]]
    currency: str
    asked: int
    expires: int
    now: int
    answer: Answer | None

    @property
    def id(self) -> str:
        """How people name it: the run's id and the request's number in it."""
        return f"{self.run}/{self.request}"

    @property
    def sha256(self) -> str:
        """Of the arguments, to compare them elsewhere."""
        return hashlib.sha256(self.arguments.encode("utf-8", "backslashreplace")).hexdigest()

    @property
    def state(self) -> Literal["open", "answered", "expired"]:
        """Whether it may still be answered."""
        if self.answer is not None:
            return "answered"
        return "expired" if self.now > self.expires else "open"


class Approvals:
    """The requests that wait in one store. One answer to each stands, whoever else answers.

    Every method waits for the store and raises `StoreError`: `no_request`, `already_answered`, `expired`,
    `other_kind` (a question takes a text, anything else a yes or no), or what is wrong with the store.
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    def waiting(self) -> list[Waiting]:
        """Every request, the one that expires first first; `damaged` names those that cannot be read."""
        found = [read(row) for row in self._store.approvals() if "damaged" not in row]
        return sorted(found, key=lambda waiting: (waiting.expires, waiting.id))

    def damaged(self) -> list[str]:
        """The names of rows that cannot be read; nobody can answer them."""
        return [row["damaged"] for row in self._store.approvals() if "damaged" in row]

    def get(self, id: str) -> Waiting:
        """The request `id`, as `RUN/NUMBER` or a beginning of it that no other has."""
        known = self.waiting()
        exact = [each for each in known if each.id == id]
        return _only(id, exact or [each for each in known if each.id.startswith(id)])

    def _meant(self, id: str) -> Waiting:
        """The request to answer: by its whole id, or its run's, since the next best may be another run's."""
        return _only(id, [each for each in self.waiting() if id in (each.id, each.run)])

    def approve(self, id: str, *, why: str, who: str | None = None, act: str | None = None) -> Waiting:
        """Say yes; the call may run once, with these very arguments. `act` makes repeating it harmless.

        `id` is `RUN/NUMBER`, or the run's id if it has one request.
        """
        return self._give(id, "approve", None, why, who, act)

    def reject(self, id: str, *, why: str, who: str | None = None, act: str | None = None) -> Waiting:
        """Say no."""
        return self._give(id, "reject", None, why, who, act)

    def answer(
        self, id: str, text: str, *, why: str = "an answer", who: str | None = None, act: str | None = None
    ) -> Waiting:
        """Answer a question: the call ends with this text."""
        require_text(text)
        return self._give(id, "answer", text, why, who, act)

    def _give(
        self, id: str, word: Word, text: str | None, why: str, who: str | None, act: str | None
    ) -> Waiting:
        waiting = self._meant(id)
        if is_inside(waiting.run):
            raise EngineError(own_answer(waiting.run), "self_answer")
        act = act or os.urandom(6).hex()
        self._store.answer(waiting.run, waiting.request, word, text, act, who or user(), why)
        return self.get(waiting.id)


OTHER_KIND = "a question is answered with a text, any other request with yes or no"


def _only(id: str, found: list[Waiting]) -> Waiting:
    """The one request that `id` stands for."""
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"`{each.id}`" for each in found[:8])
        raise CheckreinError(f"`{id}` stands for {len(found)} requests; give more of it: {names}")
    raise CheckreinError(f"no request `{id}` waits here; see `checkrein approvals list`")


def require_text(said: Any) -> None:
    """A text that a person says; what is true or false in some other sense is nobody's yes or no."""
    if said == "":
        raise EngineError("an answer is a text that is not empty; this one is", "other_kind")
    if not isinstance(said, str):
        raise EngineError(
            "a person answers `True`, `False`, or a question with a text that is not empty; an approver may "
            f"give `None` to leave it open; this was a value of type `{type(said).__name__}`",
            "other_kind",
        )


def own_answer(run: str) -> str:
    """What is told to an agent that wants to answer for a person."""
    return (
        f"run `{run}` was answered from inside one of its own calls; a person answers, outside of what the "
        "agent runs"
    )


def user() -> str:
    """The name of whoever uses this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run remembers of a request, for the people who will see it."""

    subject: str
    arguments: bytes


def written(run: Any, open: Mapping[str, Any], asked: Asked, limits: list[dict[str, Any]]) -> bytes:
    """What people see of a request, as the store keeps it."""
    program = run.guard.program
    outcome, state = open["default"]
    shown = {
        "form": _FORM,
        "kind": open["wants"],
        "queue": open["queue"],
        "subject": asked.subject,
        "arguments": asked.arguments.decode(),
        "binds": open["binds"],
        "by": open["by"],
        "by_kind": open["kind"],
        "place": f"{open['file']}:{open['line']}",
        "source": open["source"],
        "reason": open["reason"] or "",
        "default": outcome if state is None else f'{outcome} "{state}"',
        "policy": program.policy,
        "whose": {word: str(name) for word, name in run.names.items()},
        "limits": limits,
        "currency": program.currency,
    }
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def read(row: Mapping[str, Any]) -> Waiting:
    """A request as the store gives it."""
    shown = json.loads(row["shown"])
    if shown.pop("form", None) != _FORM:
        raise CheckreinError(
            f"request {row['run']}/{row['request']} was written by another version of Checkrein; answer it "
            "with that one"
        )
    answer = row["answer"]
    return Waiting(
        run=row["run"], request=row["request"], asked=row["asked"], expires=row["expires"], now=row["now"],
        answer=None if answer is None else Answer(**answer), **shown,
    )  # fmt: skip
