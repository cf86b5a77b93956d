"""Whose run it is: the ids under which limits wider than a run add up what is spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from checkrein.errors import EngineError

WORDS = ("session", "user", "team", "org")
"""The scopes that a run names by a word; any other is a fact of the run."""


@dataclass(frozen=True, slots=True)
class Scopes:
    """The ids of one run, fixed when it begins. `keys` are those that its facts give."""

    session: str | None = None
    user: str | None = None
    team: str | None = None
    org: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, program: Any, given: Mapping[str, Any], facts: Mapping[str, Any]) -> Scopes:
        """The ids that limits of `program` need and that it reads, from what the host says about a run.

        Raises `EngineError` of kind `missing_scope` if one of them is not given.
        """
        ids: dict[str, str] = {}
        for scope in program.scopes:
            id = given.get(scope) if scope in WORDS else facts.get(scope)
            if id is None:
                raise EngineError(
                    f"the policy has a limit on each `{scope}`, and this run does not say which; "
                    f"pass `guard.run({_argument(scope)})`",
                    "missing_scope",
                )
            ids[scope] = text_of(f"the id of `{scope}`", id)
        for scope in program.ids:
            id = given.get(scope) if scope in WORDS else facts.get(scope)
            if id is not None:
                ids[scope] = text_of(f"the id of `{scope}`", id)
        words = {scope: ids.pop(scope) for scope in WORDS if scope in ids}
        return cls(**words, keys=ids)


def _argument(scope: str) -> str:
    return f"{scope}=..." if scope in WORDS else f'facts={{"{scope}": ...}}'


def text_of(what: str, id: Any) -> str:
    """An id as text: a text, a whole number, or what has a text of its own, such as a UUID.

    Anything else is a slip, and often somebody new in every process, whom no limit ever stops.
    """
    kind: Any = type(id)
    if isinstance(id, str):
        return id
    has_text = isinstance(id, int) or kind.__str__ is not object.__str__
    if isinstance(id, (bool, bytes, bytearray)) or not has_text:
        raise EngineError(f"{what} is a {kind.__name__}; pass a text", "bad_value")
    return str(id)
