"""One governed run: every model and tool call of an agent goes through it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from checkrein import _core, sentences
from checkrein.errors import EngineError
from checkrein.guard.approval import Approver
from checkrein.guard.block import Outcome
from checkrein.guard.confidence import read_confidence
from checkrein.guard.context import attempts_around
from checkrein.guard.drive import Request, carry_out, steps
from checkrein.guard.luggage import Resumed
from checkrein.guard.memory import Memory
from checkrein.guard.prompt import messages_of, upper_bound
from checkrein.guard.result import fields_of
from checkrein.guard.scopes import Scopes, text_of
from checkrein.guard.signature import bind_arguments, is_asynchronous, require_fit
from checkrein.guard.usage import NOTHING, Usage, read_usage

if TYPE_CHECKING:
    from checkrein.guard.guard import Guard

__all__ = ["Outcome", "Run"]


class Run(Memory):
    """One run under a policy. Use as `with guard.run() as run:` or `async with`.

    A stop ends the block quietly: `run.outcome` says so. Any other exception passes through.
    Safe to share between threads and tasks.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        id: str | None = None,
        seed: int | None = None,
        names: Mapping[str, Any] | None = None,
        scopes: Scopes | None = None,
        facts: Mapping[str, Any] | None = None,
        approver: Approver | None = None,
        parent: Run | None = None,
        resumed: Resumed | None = None,
    ) -> None:
        super().__init__(
            guard, id=id, seed=seed, names=names, scopes=scopes, facts=facts, approver=approver,
            parent=parent, resumed=resumed,
        )  # fmt: skip

    def child(
        self,
        *,
        id: str | None = None,
        seed: int | None = None,
        facts: Mapping[str, Any] | None = None,
        approver: Approver | None = None,
    ) -> Run:
        """Begin a run for a part of this one's work, such as another agent that it calls.

        What the child spends is spent by this run too, and has to fit in what both may still spend. Its
        facts are this run's and then its own; whom it is for is the same.
        """
        self._is_unused = False
        changed = sorted(key for key in self.keys if key in (facts or {}))
        if changed:
            raise EngineError(
                f"a child run cannot change `{changed[0]}`, under which a limit adds up what is spent; "
                "begin a run of its own",
                "bad_value",
            )
        return self.guard.begin(
            id=id, seed=seed, names=self.names, scopes=self._scopes, facts={**self.facts, **(facts or {})},
            approver=approver or self.approver, parent=self,
        )  # fmt: skip

    @property
    def time_left(self) -> float | None:
        """The seconds that limits on time leave to the run; inside a call, no more than are left to the call.

        None if nothing limits its time. Asking changes nothing: a run that waits for a person still waits.
        """
        now = self.clock.now()
        left = [attempt.until - now for attempt in attempts_around() if attempt.until is not None]
        of_run = self._core.time_left(now)
        left += [] if of_run is None else [of_run]
        return max(0, min(left)) / 1e9 if left else None

    # -- guarded calls ----------------------------------------------------------------------------

    def model(
        self,
        call: Callable[..., Any],
        /,
        *,
        model: str | None = None,
        max_tokens: int | None = None,
        input_tokens: int | None = None,
        step: str | None = None,
        confidence: Any = None,
        facts: Mapping[str, Any] | None = None,
        key: str | None = None,
        approver: Approver | None = None,
        usage: Callable[[Any], Usage | None] = read_usage,
        judge: Callable[[Any], Any] = read_confidence,
        answered: Callable[[str], Any] | None = None,
        results: Iterable[Any] | None = None,
        context: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Run `call(model=..., max_tokens=..., **kwargs)` under the policy; its result is returned.

        `model` is the policy's name of the wanted model (a route may choose another); `max_tokens`
        the most output wanted (the policy may cap it lower). `input_tokens` must be an upper bound
        of the prompt; left out, a token per byte of the arguments is taken. `key` and `approver` are
        as for `call_tool`; `results` are the tool results in the conversation, for a `truth`, and
        `context` the messages of the prompt, for a loop that looks at `repeated_context`: left out, they are
        read from the arguments `messages` or `input`. A coroutine function gives a coroutine. `judge` tells
        how sure a result is, from 0 to 1 or None, for a policy whose route asks a larger model then; left
        out, the mean probability of its tokens is read where the reply has them. Where the policy answers
        instead of a model, `answered(text)` is the result. Raises `Stopped`, `Failed`, `Denied`, `Escalated`
        or, without `answered`, `Answered`; an exception of `call` that no retry takes is passed on unchanged.
        """
        _refuse_own_retries(call)
        require_fit(call, kwargs)
        sent = self._facts(facts, step, confidence)
        given = None if results is None else list(results)
        told = None if context is None else [context] if isinstance(context, str) else list(context)

        def prompt() -> int:  # counted at every ask: a host may add to its messages before a retry
            return upper_bound(kwargs) if input_tokens is None else input_tokens

        def ask(again: int | None) -> Any:
            said = messages_of(kwargs) if told is None else told
            return self.ask_model(again, model, prompt(), max_tokens, sent, given, said)

        def invoke(decision: Any) -> Any:
            return call(model=decision.model, max_tokens=decision.output_cap, **kwargs)

        request = Request(
            "model", sentences.subject("model", model), ask, invoke, usage,
            key=_key(key), exact=key and (model, prompt(), max_tokens), approver=approver,
            answered=answered, confidence=judge,
        )  # fmt: skip
        return carry_out(steps(self, request), is_asynchronous(call))

    def tool(self, name: str, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run `call(*args, **kwargs)` as the tool `name`; its result is returned.

        A coroutine function gives a coroutine. Raises as `model` does.
        """
        return self.call_tool(
            name, call, bind_arguments(call, args, kwargs), invoke=lambda: call(*args, **kwargs)
        )

    def call_tool(
        self,
        name: str,
        call: Callable[..., Any],
        arguments: Mapping[str, Any],
        *,
        step: str | None = None,
        confidence: Any = None,
        facts: Mapping[str, Any] | None = None,
        key: str | None = None,
        approver: Approver | None = None,
        invoke: Callable[[], Any] | None = None,
        content: Callable[[Any], Any] = lambda value: value,
    ) -> Any:
        """Like `tool`, with the arguments as a mapping and the call's own facts.

        `key` is the host's id of the call: asked again with the same key, it is the same call.
        `approver` is asked for this call instead of the run's. `content` gives what the agent reads of a
        result, if that is not the result itself.
        """
        sent = self._facts(facts, step, confidence)
        arguments = dict(arguments)

        def ask(again: int | None) -> Any:
            return self.ask_tool(again, name, arguments, sent)

        def run_it(_decision: Any) -> Any:
            return invoke() if invoke else call(**arguments)

        request = Request(
            "tool", sentences.subject("tool", name), ask, run_it, lambda _value: NOTHING, arguments,
            threaded=self.guard.tool_timeouts.get(name) is not None,
            key=_key(key), exact=key and (name, _core.canonical(arguments)), approver=approver,
            fields=lambda value: fields_of(content(value), self.guard.tool_fields.get(name, [])),
            content=content, whole=bool(self.guard.tool_fields.get(name)),
        )  # fmt: skip
        return carry_out(steps(self, request), is_asynchronous(call))


def _key(key: Any) -> str | None:
    """A host's key as text, as which it is kept when the run is suspended."""
    return None if key is None else text_of("the key of the call", key)


def _refuse_own_retries(call: Callable[..., Any]) -> None:
    """A method of an SDK's client (openai, anthropic) that would send more requests than are admitted."""
    client = getattr(getattr(call, "__self__", None), "_client", None)
    if getattr(client, "max_retries", 0):
        raise EngineError(
            f"`{getattr(call, '__qualname__', 'this method')}` retries on its own, uncounted; give the "
            "method of `client.with_options(max_retries=0)`, the policy's `retry` does it",
            "retries",
        )
