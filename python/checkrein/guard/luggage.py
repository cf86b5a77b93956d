"""What a suspended run takes along besides the engine's state: what its host and its guard know of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from typing import Any
from unicodedata import category

from checkrein.errors import EngineError
from checkrein.guard.scopes import Scopes

Life = tuple[int, int, int]
"""Who has a run, as the store knows it: its first process, this one, and how often it was resumed."""

PATIENCE_SECONDS = 10.0
"""How long suspending and resuming wait for the store, unless the host says otherwise."""

LONGEST_ID = 512
"""As many bytes as the id of a run in a store has at most."""

LARGEST = 12 << 20
"""As many bytes as the host's part may have: a store takes 16 MiB, and the engine's state needs some."""

_FORM = 2


def nonce() -> int:
    """A number that nobody else draws, never 0."""
    return int.from_bytes(os.urandom(16), "little") or 1


def fingerprint(exact: Any) -> str:
    """What the host's call is known by, without its content: a store is read by more people than a run."""
    return hashlib.sha256(repr(exact).encode("utf-8", "backslashreplace")).hexdigest()


Asking = tuple[int, bytes, bool, int, bytes]
"""A request as it is suspended: its number, what an answer is for, whether it wants a text, for how long it
may be answered, and what people see of it."""

Given = tuple[int, bytes, str, str | None, str, int]
"""An answer that comes with a run: the request, what it is for, the word, a question's text, who said it, and
how long ago."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """What the store gave to the one that goes on with a run."""

    life: Life
    state: bytes
    luggage: Luggage
    later: int
    """For how long it has waited, by the store's clock."""
    answers: list[Given]
    """What people said meanwhile."""


@dataclass(slots=True)
class Luggage:
    """`held` are the attempts that go on: by the host's key, the attempt, the number of the decision that
    allowed it, and the fingerprint of the call."""

    names: Mapping[str, Any]
    scopes: Scopes
    facts: Mapping[str, Any]
    calls: dict[str, int] = field(default_factory=dict)
    held: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    advice: list[str] = field(default_factory=list)
    wrapped_up: bool = False
    texts: dict[str, str] = field(default_factory=dict)
    """What questions were answered with, by request, until their calls have got it."""

    def packed(self) -> bytes:
        """As the store keeps it.

        Raises `EngineError` of kind `bad_value`, naming it, for what has no text that reads back the same.
        """
        content = {  # not `asdict`, which copies what is deep in it, before anybody can say what that is
            **{each.name: getattr(self, each.name) for each in fields(self)},
            "form": _FORM,
            "names": {word: name if _is_plain(name) else str(name) for word, name in self.names.items()},
            "scopes": asdict(self.scopes),
            "facts": {name: _written(name, value) for name, value in self.facts.items()},
        }
        try:
            return json.dumps(content, separators=(",", ":")).encode()
        except (TypeError, ValueError) as error:
            raise EngineError(
                f"a note about the run cannot be suspended: {error}; keep texts, numbers, lists and "
                "dictionaries in `run.notes`",
                "bad_value",
            ) from error

    @classmethod
    def unpacked(cls, data: bytes) -> Luggage:
        """What `packed` gave, maybe in another process."""
        content = json.loads(data)
        form = content.pop("form", None)
        if form != _FORM:
            raise EngineError(
                f"the run was suspended in form {form}, and this version reads {_FORM}; resume it with the "
                "version that suspended it",
                "other_form",
            )
        content["scopes"] = Scopes(**content["scopes"])
        content["facts"] = {name: _read(value) for name, value in content["facts"].items()}
        content["held"] = {key: tuple(held) for key, held in content["held"].items()}
        return cls(**content)


def require_storable(id: str, luggage: bytes, shown: int = 0) -> None:
    """Raise `EngineError` for what no store takes, while the run still goes on."""
    if len(id.encode()) > LONGEST_ID or any(category(letter) == "Cc" for letter in id):
        raise EngineError(
            f"a run with the id {id[:40]!a}{'...' if id[40:] else ''} cannot be suspended: an id is at "
            f"most {LONGEST_ID} bytes long, without control characters; pass `guard.run(id=)` another",
            "bad_value",
        )
    if len(luggage) + shown > LARGEST:
        raise EngineError(
            f"the run cannot be suspended: its facts, its notes and what it asks people take "
            f"{(len(luggage) + shown) >> 20} MiB, and {LARGEST >> 20} MiB may be kept; keep what is large "
            "elsewhere, and its name in `run.notes`",
            "bad_value",
        )


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, bool, int, float))


def _written(name: str, value: Any) -> Any:
    if _is_plain(value):
        return value
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    raise EngineError(
        f"the run cannot be suspended: its fact `{name}` is of type `{type(value).__name__}`, which "
        "another process would not read back; pass a text, a flag or a number",
        "bad_value",
    )


def _read(value: Any) -> Any:
    return Decimal(value["decimal"]) if isinstance(value, dict) else value
