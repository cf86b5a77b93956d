"""The OpenAI client, and so every server with its interface: each `create` is a guarded model call.

    client = openai.guarded(OpenAI(), guard)
    with guard.run() as run:
        reply = client.chat.completions.create(model="gpt-5", messages=messages, max_tokens=500)

The result is what the plain client gives, also where the policy answers itself.

`describe={...}` in a call says what the host knows about it:
`step`, `confidence`, `facts`, `key`, and `input_tokens` where the prompt has parts that its bytes do
not measure (images, a conversation that the server keeps). What the client retries itself is switched
off, the policy's `retry` does it. Streams are asked for their usage; closed early or cut, they keep
their hold. Anything but `chat.completions.create`, `chat.completions.parse`, `responses.create` and
`responses.parse` is refused: it would not be counted.

Inside a call that an outer layer of the same run has reserved already (`run.model(...)`, an agent
framework's adapter), the first call for that model uses that reservation; the next one is its own.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checkrein.adapters import told
from checkrein.adapters.names import policy_name, refuse_overrides
from checkrein.adapters.said import tool_results
from checkrein.errors import EngineError
from checkrein.guard.context import ATTEMPT, claim_attempt, run_of
from checkrein.guard.prompt import messages_of, refuse_server_tools, upper_bound
from checkrein.guard.stream import is_stream
from checkrein.guard.usage import Usage, read_usage

if TYPE_CHECKING:
    from checkrein.guard.guard import Guard


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """How one endpoint names things. `caps`: the settings that limit the output, the modern one first."""

    path: tuple[str, ...]
    prompt: str
    caps: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()

    def method(self, client: Any, name: str) -> Callable[..., Any]:
        """`client.chat.completions.create`, and the like."""
        for part in self.path:
            client = getattr(client, part)
        return getattr(client, name)  # type: ignore[no-any-return]


_CHAT = _Endpoint(
    ("chat", "completions"), "messages", ("max_completion_tokens", "max_tokens"), ("web_search_options",)
)
_RESPONSES = _Endpoint(
    ("responses",), "input", ("max_output_tokens",), ("previous_response_id", "conversation", "prompt")
)

# What a host may say about a call: `Run.model` takes it under the same names.
_DESCRIBES = frozenset({
    "answered", "approver", "confidence", "context", "facts", "input_tokens", "judge", "key", "results",
    "step",
})  # fmt: skip

# Settings that no prompt is made of.
_NOT_SENT = frozenset({"timeout", "extra_headers", "extra_query"})


def guarded(
    client: Any, guard: Guard, *, targets: Mapping[str, tuple[Any, str]] | None = None
) -> GuardedClient:
    """A client with the same `create`, governed by the current run of `guard`.

    `client` is an `OpenAI` or `AsyncOpenAI` and stays the host's to close. `targets` maps the policy's
    model names to the (client, model id) that a route may choose; the client itself serves the model
    that is asked for. Raises `EngineError` for a name that the policy does not declare.
    """
    unknown = sorted(set(targets or {}) - set(guard.models))
    if unknown:
        known = ", ".join(sorted(guard.models))
        raise EngineError(f"the policy declares no model `{unknown[0]}`; it has {known}")
    return GuardedClient(client, guard, targets or {})


class GuardedClient:
    """See `guarded`, which makes it."""

    def __init__(self, client: Any, guard: Guard, targets: Mapping[str, tuple[Any, str]]) -> None:
        calls = _Calls(client, guard, targets)
        self.chat = _Part("client.chat", completions=_Methods(calls, _CHAT))
        self.responses = _Methods(calls, _RESPONSES)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"`client.{name}` is not governed; call it on the plain client if that is meant")


class _Part:
    """A namespace of the client with only what is governed."""

    def __init__(self, path: str, **governed: Any) -> None:
        self._path = path
        self.__dict__.update(governed)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"`{self._path}.{name}` is not governed; call it on the plain client if that is meant"
        )


class _Methods(_Part):
    def __init__(self, calls: _Calls, endpoint: _Endpoint) -> None:
        super().__init__(f"client.{'.'.join(endpoint.path)}")
        self._calls, self._endpoint = calls, endpoint

    def create(self, **settings: Any) -> Any:
        """As the plain client's `create`, under the policy."""
        return self._calls.make(self._endpoint, "create", settings)

    def parse(self, **settings: Any) -> Any:
        """As the plain client's `parse`, under the policy."""
        return self._calls.make(self._endpoint, "parse", settings)


class _Calls:
    """Makes the calls of one guarded client."""

    def __init__(self, client: Any, guard: Guard, targets: Mapping[str, tuple[Any, str]]) -> None:
        self.guard = guard
        self.client = client.with_options(max_retries=0)
        self.targets = {
            name: (other.with_options(max_retries=0), id) for name, (other, id) in targets.items()
        }
        self.names = {id: name for name, (_other, id) in self.targets.items()}
        self.asynchronous = hasattr(client, "__aenter__")
        self._signatures: dict[tuple[tuple[str, ...], str], inspect.Signature] = {}

    def make(self, endpoint: _Endpoint, method: str, settings: dict[str, Any]) -> Any:
        """One guarded call; a coroutine if the client is asynchronous."""
        run = run_of(self.guard, f"`{'.'.join(endpoint.path)}.{method}`")
        settings = {
            name: value
            for name, value in settings.items()
            if type(value).__name__ not in ("NotGiven", "Omit")
        }
        refuse_overrides(settings.get("extra_body"))
        described = _described(settings.pop("describe", None))
        self._require_fit(endpoint, method, settings)
        wanted = policy_name(self.guard, settings.get("model"), self.names)
        asked = _asked_output(endpoint, settings)
        if asked == 0:
            raise EngineError("no output is asked for; ask for one token or more", "uncapped")
        reserved = claim_attempt(run, wanted)
        if reserved is not None:
            decision = reserved.decision
            cap = decision.output_cap if asked is None else min(asked, decision.output_cap)
            return self._send(endpoint, method, settings, decision.model, cap, decision.timeout_ns)
        if "input_tokens" not in described:
            described["input_tokens"] = _input_bound(endpoint, settings)

        def send(model: str, max_tokens: int) -> Any:
            attempt = ATTEMPT.get()
            timeout = attempt.decision.timeout_ns if attempt else None
            return self._send(endpoint, method, settings, model, max_tokens, timeout)

        async def send_async(model: str, max_tokens: int) -> Any:
            return await send(model, max_tokens)

        hides = endpoint is _CHAT and bool(settings.get("stream")) and not _asks_usage(settings)
        call = send_async if self.asynchronous else send
        if self.guard.program.checks_truth:
            described.setdefault("results", tool_results(settings, endpoint.prompt))

        if self.guard.program.compares_context:
            described.setdefault("context", messages_of(settings))

        def answered(text: str) -> Any:
            return self._told(endpoint, method, settings, text)

        result = run.model(
            call, model=wanted, max_tokens=asked, usage=_used, **{"answered": answered, **described}
        )
        if self.asynchronous:
            return _then_hide(result) if hides else result
        return _WithoutUsage(result) if hides and is_stream(result) else result

    def _require_fit(self, endpoint: _Endpoint, method: str, settings: Mapping[str, Any]) -> None:
        """Raise `TypeError`, as the plain client would, while nothing is asked about and nothing held."""
        known = self._signatures.get((endpoint.path, method))
        if known is None:
            known = inspect.signature(endpoint.method(self.client, method))
            self._signatures[endpoint.path, method] = known
        known.bind(**settings)

    def _told(self, endpoint: _Endpoint, method: str, settings: Mapping[str, Any], text: str) -> Any:
        """The policy's answer as this call would give one."""
        model, created = str(settings.get("model") or told.ID), self.guard.clock.wall() // 10**9
        is_chat = endpoint is _CHAT
        if settings.get("stream"):
            parts = (told.chunks if is_chat else told.events)(text, model, created)
            return told.AsyncTold(parts) if self.asynchronous else told.Told(parts)
        whole = told.completion if is_chat else told.response
        return whole(text, model, created, parsed=method == "parse")

    def _send(
        self,
        endpoint: _Endpoint,
        method: str,
        settings: dict[str, Any],
        model: str,
        cap: int,
        timeout: int | None,
    ) -> Any:
        """Call the plain client of `model` with the output capped and the deadline set."""
        client, id = self._target(model, settings.get("model"))
        sent = {**settings, "model": id}
        given = [name for name in endpoint.caps if name in sent]
        name = given[0] if given else _cap_name(endpoint, client)
        for other in given:
            del sent[other]
        sent[name] = _share(cap, settings)
        if endpoint is _CHAT and sent.get("stream"):
            sent["stream_options"] = {**(sent.get("stream_options") or {}), "include_usage": True}
        if timeout is not None and not _sooner(sent.get("timeout", client.timeout), timeout / 1e9):
            sent["timeout"] = timeout / 1e9
        elif "timeout" in settings and (attempt := ATTEMPT.get()) is not None:
            attempt.is_hurried = not _sooner(client.timeout, _seconds(sent["timeout"]))
        return endpoint.method(client, method)(**sent)

    def _target(self, model: str, wanted_id: str | None) -> tuple[Any, str]:
        if model in self.targets:
            return self.targets[model]
        if wanted_id is not None and policy_name(self.guard, wanted_id, self.names) == model:
            # The policy's own name means nothing to a provider: it is sent what the name stands for.
            known = wanted_id != model
            return self.client, wanted_id if known else self.guard.models[model]["target"].rpartition("/")[2]
        raise EngineError(
            f"the policy chose model `{model}`; say where it is: targets={{'{model}': (client, 'model id')}}",
            "no_target",
        )


def _described(given: Any) -> dict[str, Any]:
    """What the host says about a call."""
    described = dict(given or {})
    unknown = sorted(described.keys() - _DESCRIBES)
    if unknown:
        words = ", ".join(f"`{word}`" for word in sorted(_DESCRIBES))
        raise EngineError(f"`describe` takes no `{unknown[0]}`; it takes {words}", "signature")
    return described


def _asked_output(endpoint: _Endpoint, settings: Mapping[str, Any]) -> int | None:
    """The most output that the host asks for, over all the answers (`n`) of the call."""
    counts = [settings[name] for name in endpoint.caps if settings.get(name) is not None]
    return min(counts) * _answers(settings) if counts else None


def _answers(settings: Mapping[str, Any]) -> int:
    answers = int(settings.get("n") or 1)
    if answers < 1:
        raise EngineError(f"`n` is {answers}; ask for one answer or more", "bad_value")
    return answers


def _share(cap: int, settings: Mapping[str, Any]) -> int:
    """What one of the call's answers may be long."""
    share = cap // _answers(settings)
    if share < 1:
        raise EngineError(f"{_answers(settings)} answers (`n`) do not fit in {cap} output tokens", "uncapped")
    return share


def _input_bound(endpoint: _Endpoint, settings: dict[str, Any]) -> int:
    for name in endpoint.elsewhere:
        if settings.get(name) is not None:
            raise EngineError(
                f"what `{name}` adds to the prompt is known to the server only and cannot be counted; "
                "say how many the prompt has at most: describe={'input_tokens': ...}",
                "uncounted",
            )
    prompt = settings.get(endpoint.prompt)
    if isinstance(prompt, Iterable) and not isinstance(prompt, str):
        # An iterator can be read once: what is counted here is what is sent later.
        prompt = settings[endpoint.prompt] = list(prompt)
    rest = {
        name: value for name, value in settings.items() if name not in _NOT_SENT and name != endpoint.prompt
    }
    refuse_server_tools(settings.get("tools"))
    return upper_bound(prompt, rest)


def _cap_name(endpoint: _Endpoint, client: Any) -> str:
    """OpenAI's own models want the modern name, other servers of its interface know the old one best."""
    if len(endpoint.caps) == 1 or "api.openai.com" in str(client.base_url):
        return endpoint.caps[0]
    return endpoint.caps[-1]


def _seconds(timeout: Any) -> float:
    """A timeout of the client's kinds in seconds; none is for ever."""
    seconds = getattr(timeout, "read", timeout)
    return float(seconds) if isinstance(seconds, (int, float)) else math.inf


def _sooner(timeout: Any, deadline: float) -> bool:
    return _seconds(timeout) <= deadline


def _asks_usage(settings: Mapping[str, Any]) -> bool:
    return bool((settings.get("stream_options") or {}).get("include_usage"))


def _used(value: Any) -> Usage | None:
    """The usage that a response, or one event of a stream, reports."""
    return read_usage(value)


async def _then_hide(result: Any) -> Any:
    stream = await result
    return _AsyncWithoutUsage(stream) if is_stream(stream) else stream


class _WithoutUsage:
    """A stream without the last chunk that was asked for on the host's behalf: it has no `choices[0]`."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        while _only_usage(chunk := next(self._stream)):
            pass
        return chunk

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


class _AsyncWithoutUsage:
    """As `_WithoutUsage`."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        while _only_usage(chunk := await self._stream.__anext__()):
            pass
        return chunk

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stream.aclose()


def _only_usage(chunk: Any) -> bool:
    return not getattr(chunk, "choices", True) and getattr(chunk, "usage", None) is not None
