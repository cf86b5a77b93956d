"""A server on loopback that gives every request one answer, and the real clients that ask it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import botocore.session
import httpx
import openai
import requests
from botocore.config import Config
from google import genai
from google.genai import types

SAID = [{"role": "user", "content": "x"}]
BEDROCK = botocore.session.Session()
BEDROCK.set_credentials("none", "none")


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.asked += 1
        answers = self.server.answers
        status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.do_POST()

    def log_message(self, *_):
        pass


class Answering:
    """`url` answers as it was told last; `asked` counts the requests."""

    def __init__(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.asked = 0
        self._server.answers = []
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def asked(self):
        return self._server.asked

    def says(self, status, body=None, **headers):
        """Answer so from now on: `body` as JSON, or a text for a stream of events."""
        self._server.answers = [self._answer(status, body, headers)]

    def says_in_turn(self, *bodies):
        """Answer with status 200 and these, in turn; the last one for ever."""
        self._server.answers = [self._answer(200, body, {}) for body in bodies]

    def _answer(self, status, body, headers):
        is_stream = isinstance(body, str)
        kind = "text/event-stream" if is_stream else "application/json"
        data = body.encode() if is_stream else json.dumps(body or {}).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return status, {"content-type": kind, **named}, data

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def of_openai(url, **options):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        made = client.chat.completions.create(model="m", messages=SAID, **options)
        return list(made) if options.get("stream") else made


def of_anthropic(url, **options):
    with anthropic.Anthropic(base_url=url, api_key="none", max_retries=0) as client:
        made = client.messages.create(model="m", max_tokens=5, messages=SAID, **options)
        return list(made) if options.get("stream") else made


def of_gemini(url, stream=False):
    client = genai.Client(api_key="none", http_options=types.HttpOptions(base_url=url))
    if stream:
        return list(client.models.generate_content_stream(model="m", contents="x"))
    return client.models.generate_content(model="m", contents="x")


def of_bedrock(url, timeout=60):
    once = Config(retries={"total_max_attempts": 1}, read_timeout=timeout)
    client = BEDROCK.create_client("bedrock-runtime", "us-east-1", endpoint_url=url, config=once)
    return client.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "x"}]}])


def of_httpx(url):
    return httpx.post(url, json={}).raise_for_status()


def of_requests(url):
    return requests.post(url, json={}, timeout=60).raise_for_status()
