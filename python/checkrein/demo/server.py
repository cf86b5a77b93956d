"""A model server on loopback that plays a script: what demos and tests talk to instead of a provider.

It speaks the OpenAI HTTP interface (`/v1/chat/completions` and `/v1/responses`, streamed or not), so
real clients and real frameworks run against it unchanged, and it keeps every request that reached it.

    with LoopbackServer({"small": [call_tool("search", query="x"), say("Found it.")]}) as server:
        client = openai.OpenAI(base_url=server.url, api_key="none")
        ...
    print(len(server.requests))

Its tokens are words, so that a demo can count them by eye.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from checkrein.demo import wire


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived. `index` counts the requests for its model from 0."""

    path: str
    model: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    index: int

    @property
    def input_tokens(self) -> int:
        """The words of its prompt: what the server says that it used."""
        return wire.prompt_words(self.body)

    @property
    def max_tokens(self) -> int | None:
        """The most output that the client asked for, under whichever name."""
        for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
            if self.body.get(name) is not None:
                return int(self.body[name])
        return None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server does with one request; see `say`, `call_tool`, `refuse` and `cut`.

    `after` holds the answer back until the event is set. `cut_after` drops the connection after so
    many words. `input_tokens` and `output_tokens` replace the counts that would be reported. `sure` is
    the probability of each word, told to whoever asks for `logprobs`.
    """

    text: str = ""
    tool_calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    status: int = 200
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    after: threading.Event | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    ignores_cap: bool = False
    sure: float | None = None


def say(text: str, **options: Any) -> Reply:
    """Answer with a text; a word past the request's `max_tokens` is not sent."""
    return Reply(text=text, **options)


def call_tool(name: str, /, **arguments: Any) -> Reply:
    """Ask for one tool call."""
    return Reply(tool_calls=((name, arguments),))


def call_tools(*calls: tuple[str, Mapping[str, Any]]) -> Reply:
    """Ask for several tool calls in one turn."""
    return Reply(tool_calls=calls)


def refuse(status: int, *, retry_after: float | None = None, code: str | None = None) -> Reply:
    """Answer with an error status."""
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    return Reply(status=status, headers=headers, code=code)


def cut(text: str = "", *, after: int = 0) -> Reply:
    """Drop the connection after so many words; 0 drops it before the first byte of an answer."""
    return Reply(text=text, cut_after=after)


Scene = Reply | Sequence[Reply] | Callable[[Received], Reply]


class LoopbackServer:
    """Plays `script`, which gives each model's replies: one for ever, a list, or a function.

    A list is played in order and its last reply is repeated. A model that is not in the script is
    answered with 404. `url` is the base URL for clients.
    """

    def __init__(self, script: Mapping[str, Scene]) -> None:
        self.script = dict(script)
        self.disconnects = 0
        self._requests: list[Received] = []
        self._news = threading.Condition()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="loopback models")

    @property
    def url(self) -> str:
        """The base URL, `/v1` included."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def requests(self) -> list[Received]:
        """Every request so far, oldest first."""
        with self._news:
            return list(self._requests)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.drop_connections()
        self._http.server_close()
        self._thread.join()

    def take(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[Received, Reply]:
        """Keep a request and choose its reply."""
        model = str(body.get("model"))
        with self._news:
            index = sum(seen.model == model for seen in self._requests)
            received = Received(path, model, body, headers, index)
            self._requests.append(received)
            self._news.notify_all()
        scene = self.script.get(model)
        if scene is None:
            return received, Reply(status=404, code="model_not_found")
        if callable(scene):
            return received, scene(received)
        if isinstance(scene, Reply):
            return received, scene
        return received, scene[min(index, len(scene) - 1)]

    def lost_client(self) -> None:
        """A client went away before its answer was complete."""
        with self._news:
            self.disconnects += 1
            self._news.notify_all()

    def wait(self, *, requests: int = 0, disconnects: int = 0, timeout: float = 10) -> None:
        """Block until so many requests have arrived and so many clients have gone away.

        Raises `TimeoutError` after `timeout` seconds.
        """
        with self._news:
            if not self._news.wait_for(
                lambda: len(self._requests) >= requests and self.disconnects >= disconnects, timeout
            ):
                raise TimeoutError(
                    f"{len(self._requests)} requests, {self.disconnects} disconnects in {timeout} s"
                )


class _Server(ThreadingHTTPServer):
    """Remembers its connections, so that closing the server ends them and their threads."""

    daemon_threads = False
    owner: LoopbackServer

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self.closing = threading.Event()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        self.closing.set()
        with self._guard:
            for connection in self._open:
                # Shut, not closed: the thread that reads it wakes up and closes it.
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the server's; it has been counted."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Small streamed chunks must not wait for an acknowledgement.
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.removeprefix("/v1")
        face = wire.FACES.get(path)
        body = json.loads(data)
        received, reply = self.server.owner.take(path, body, {k.lower(): v for k, v in self.headers.items()})
        if face is None:
            reply = Reply(status=404, code="unknown_url")
        if not self._hold(reply):
            self.close_connection = True
            return
        try:
            if reply.status != 200 or face is None:
                self._error(reply)
            elif reply.cut_after == 0:
                self.close_connection = True
            elif body.get("stream"):
                self._stream(face, received, reply)
            else:
                self._whole(face, received, reply)
        except OSError:
            self.close_connection = True
            self.server.owner.lost_client()

    def _hold(self, reply: Reply) -> bool:
        """Wait for the event of `reply`; false if the server closes first."""
        while reply.after is not None and not reply.after.wait(0.01):
            if self.server.closing.is_set():
                return False
        return True

    def _error(self, reply: Reply) -> None:
        error = {"message": f"scripted {reply.status}", "type": "scripted", "code": reply.code}
        self._send(reply.status, {"error": error}, reply.headers)

    def _whole(self, face: wire.Face, received: Received, reply: Reply) -> None:
        answer = _answer(received, reply)
        if reply.cut_after is not None:
            # Half of a body that was promised whole.
            data = json.dumps(face.whole(answer)).encode()
            self._head(200, {"content-type": "application/json", "content-length": str(len(data))})
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return
        self._send(200, face.whole(answer), reply.headers)

    def _send(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        data = json.dumps(body).encode()
        self._head(status, {"content-type": "application/json", "content-length": str(len(data)), **headers})
        self.wfile.write(data)

    def _stream(self, face: wire.Face, received: Received, reply: Reply) -> None:
        self._head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        words = 0
        for event in face.events(_answer(received, reply), received.body):
            if reply.cut_after is not None and words >= reply.cut_after:
                # No last chunk: the client sees that the connection was lost, not an end.
                self.close_connection = True
                return
            self._chunk(event.data)
            words += event.is_word
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: requests are kept, not printed."""


def _answer(received: Received, reply: Reply) -> wire.Answer:
    """The reply under the request's cap, with what it costs."""
    words = list(_words(reply.text))
    cap = received.max_tokens
    cut_off = cap is not None and len(words) > cap and not reply.ignores_cap
    if cut_off:
        words = words[:cap]
    calls = tuple(
        (f"call_{received.model}_{received.index}_{n}", *call) for n, call in enumerate(reply.tool_calls)
    )
    answer = wire.Answer(
        received.model, tuple(words), calls, received.input_tokens, wire.output_words(words, calls),
        "length" if cut_off else "tool_calls" if calls else "stop", received.index,
        reply.sure if wire.asks_how_sure(received.body) else None,
    )  # fmt: skip
    used_input = answer.input_tokens if reply.input_tokens is None else reply.input_tokens
    used_output = answer.output_tokens if reply.output_tokens is None else reply.output_tokens
    return replace(answer, input_tokens=used_input, output_tokens=used_output)


def _words(text: str) -> Iterator[str]:
    """The words of `text`, each but the first with the space before it."""
    for n, word in enumerate(text.split(" ") if text else []):
        yield word if n == 0 else f" {word}"
