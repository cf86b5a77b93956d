"""`test` blocks: what happens in them and what is expected."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Literal as Choice

from checkrein.frozen import Frozen

if TYPE_CHECKING:
    from checkrein.language.tree.basis import Name, Span, Value


class Fails(Frozen):
    """`fails "kind" [n times]`; `times` None means always."""

    kind: Name
    times: int | None


class Gives(Frozen):
    """`gives { ... } [n times]`: fields of a tool's result, or how sure a model is; None is always."""

    fields: tuple[tuple[Name, Value], ...]
    times: int | None


class Call(Frozen):
    """A model or tool call of a test. `name` None is a model call that names no model."""

    point: Choice["model", "tool"]
    name: Name | None
    args: tuple[tuple[Name, Value], ...]
    facts: tuple[tuple[Name, Value], ...]
    input: int
    output: int
    asks: int | None
    fails: Fails | None
    span: Span
    gives: Gives | None = None


class Repeat(Frozen):
    """`repeat N { ... }`."""

    times: int
    items: tuple[TestItem, ...]
    span: Span


class Wait(Frozen):
    """`wait 5 s`: the virtual clock moves on, in nanoseconds."""

    duration: int
    span: Span


class Clock(Frozen):
    """`at time "..."`: the wall clock, in nanoseconds since 1970 in UTC.

    Before the first call it says when the test begins; later the virtual clock moves on to it.
    """

    wall: int
    span: Span


class NewRun(Frozen):
    """`new run`: the run ends and another one begins, of the same but for these scopes and facts."""

    span: Span
    scopes: tuple[tuple[str, Name], ...] = ()
    facts: tuple[tuple[Name, Value], ...] = ()


class Answer(Frozen):
    """`approve`, `reject` or the text of `answer`: the open request is answered."""

    approve: bool | str
    span: Span


class Expect(Frozen):
    """`at_call` is 1-based over the calls so far; None is the last one.

    `target` is the model of `allow on`, the state of `stop` and `fail`, the queue of `escalate`,
    the text of `answer`. `handover` is the stop of a run that a person takes over. `would` is about what
    observed statements say.
    """

    kind: str
    target: Name | None
    by: Name | None
    at_call: int | None
    span: Span
    would: bool = False


TestItem = Call | Repeat | Wait | Clock | NewRun | Answer | Expect


class Test(Frozen):
    """A sequence of events under a virtual clock, with expectations.

    `scopes` is whose the first run is, as (`user`, id); `facts` are sent with it, not with a call.
    """

    name: Name
    items: tuple[TestItem, ...]
    span: Span
    scopes: tuple[tuple[str, Name], ...] = ()
    facts: tuple[tuple[Name, Value], ...] = ()
