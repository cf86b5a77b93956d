"""A policy in parts, a clock that only moves when it is told to, and a model server on loopback."""

import openai
import pytest

import checkrein
from checkrein.demo.server import LoopbackServer

WORDS = """
language 1 policy "adapters"
model "large" is "test/large-1" { place cloud window 100k tokens output 1k tokens
  price input $1 output $4 per 1M tokens }
model "small" is "test/small-1" { place edge window 100k tokens output 200 tokens price free }
tool "search" { class retrieve args { "query" text } }
tool "refund" { class act args { "amount" money in cents } }
tool "quick" { may repeat timeout 50 ms }
tool "agent" { class reason }
fact data.class one of "public", "pii" default "public"
queue "leads" { expires 30 min default deny }
state "over_limit" tell user "The limit of this task is reached."
state "given_up" tell agent "That does not work now. Do not make its result up."
state "stuck" tell user "I could not make progress."
limit "per run" on run { tokens <= 1M tokens tool_calls <= 50 model_calls <= 50 } else stop "over_limit"
"""

RETRIES = """
retry "models" on model any { when error.kind in ["rate_limited", "unavailable"]
  attempts <= 3 within 60 s backoff 1 s .. 4 s } else fail "given_up"
"""


class Records(list):
    """A sink that keeps what is logged."""

    write = list.append

    def decisions(self):
        return [record for record in self if record["kind"] == "decision"]


@pytest.fixture
def clock():
    """Starts at zero and moves when something sleeps on it."""
    return checkrein.VirtualClock()


@pytest.fixture
def records():
    return Records()


@pytest.fixture
def make_guard(tmp_path, clock, records):
    """A guard over the usual words with the given statements."""

    def make(*statements, **parts):
        path = tmp_path / "policy.rein"
        path.write_text("\n".join([WORDS, *statements]))
        return checkrein.load(path, **{"log": records, "clock": clock, **parts})

    return make


@pytest.fixture
def serve():
    """Starts a server for a script; all of them end with the test."""
    servers = []

    def start(script):
        servers.append(LoopbackServer(script).__enter__())
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def client_of():
    """Plain synchronous clients, with the SDK's own retries left as they come."""
    clients = []

    def make(server, **options):
        clients.append(openai.OpenAI(base_url=server.url, api_key="none", **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def used(run, dimension="tokens", limit="per run"):
    """What `limit` has spent and held in one dimension."""
    return next(
        (c["spent"], c["held"]) for c in run.limits() if (c["name"], c["dimension"]) == (limit, dimension)
    )


def asked(text="one two three"):
    """A prompt of as many tokens as words."""
    return [{"role": "user", "content": text}]
