"""Runs that tell two policies apart: the same call again and again, until they decide it in two ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checkrein import _core
from checkrein.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein._core import Program

SCOPES = ("session", "user", "team", "org")
CALLS_MAX = 300
Told = tuple[Any, str]
"""What came out, and that in words."""


@dataclass(frozen=True, slots=True)
class Story:
    """A run: the tools that succeed first, then one call so many times, which succeeds if it is allowed.

    `event` is what is asked; the arguments of a `varied` one differ in one that no policy knows. Only the
    last call is decided in two ways.
    """

    event: dict[str, Any]
    first: tuple[str, ...] = ()
    times: int = 1
    varied: bool = False


def told(program: Program, story: Story) -> list[Told]:
    """What a policy decides about each of the calls. None, if there can be no such run."""
    try:
        return list(_told(program, story))
    except EngineError:
        return []


def _told(program: Program, story: Story) -> Iterator[Told]:
    event = story.event
    whose = dict.fromkeys(SCOPES, "somebody") | event["whose"]
    keys = {name: str(event["facts"].get(name, "somebody")) for name in program.scopes if "." in name}
    run = _core.Run(program, seed=0, now=0, wall=0, ledger=_core.Ledger.memory(), keys=keys, **whose)
    for tool in story.first:
        _settled(run, run.tool_call(0, 0, None, tool, {}, event["facts"]), 0)
    for number in range(story.times):
        if "tool" in event:
            args = event["args"] | ({"call": number} if story.varied else {})
            decision = run.tool_call(0, 0, None, event["tool"], args, event["facts"])
        else:
            asked = event["model"], event["input_tokens"], None
            messages = [(number if story.varied else 0, event["input_tokens"])]
            decision = run.model_call(0, 0, None, *asked, event["facts"], [], messages)
        yield _words(decision)
        _settled(run, decision, event.get("input_tokens", 0))


def _settled(run: _core.Run, decision: Any, tokens: int) -> None:
    """What was allowed succeeds, and uses all that it may."""
    if decision.attempt is not None:
        run.settle(0, 0, decision.attempt, "exact", tokens, decision.output_cap or 0)


def _words(decision: Any) -> Told:
    target = decision.state or decision.queue or decision.model
    by = f" by {decision.kind} `{decision.by}`" if decision.by and decision.kind else ""
    words = decision.outcome + (f" `{target}`" if target else "")
    if decision.output_cap is not None:
        words += f" with {decision.output_cap:,} tokens of output"
    return (decision.outcome, target, decision.output_cap), words + by


def parted(programs: tuple[Program, Program], story: Story) -> tuple[Story, tuple[str, str]] | None:
    """The story up to the first call that is decided in two ways, and what each policy says of it."""
    pairs = zip(*(told(program, story) for program in programs), strict=False)
    for number, (one, other) in enumerate(pairs, 1):
        if one[0] != other[0]:
            return Story(story.event, story.first, number, story.varied), (one[1], other[1])
    return None
