"""A tool's `succeeds when`, through the guard: half a result never reaches the agent."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import pydantic
import pytest

import checkrein
from checkrein import VirtualClock
from checkrein.errors import Denied, Failed
from checkrein.sentences import for_agent

POLICY = """
language 1
policy "results"
tool "search" { class retrieve result { "rows" count "status" text optional } succeeds when result.rows > 0 }
tool "plain" { class retrieve result { "rows" count } succeeds when result.rows > 0 }
tool "free" { }
retry "searches" on tool "search" { attempts <= 2 backoff 1 s .. 1 s } else fail "empty"
state "empty" tell agent "The search finds nothing. Do not make its result up."
"""


@dataclasses.dataclass
class Found:
    rows: int


class Page(pydantic.BaseModel):
    rows: int


@pytest.fixture
def guard(tmp_path):
    (tmp_path / "policy.rein").write_text(POLICY)
    guard = checkrein.load(tmp_path / "policy.rein", clock=VirtualClock(), log=tmp_path / "log.jsonl")
    yield guard
    guard.close()


@pytest.mark.parametrize(
    "value",
    [{"rows": 2}, Found(2), Page(rows=2), json.dumps({"rows": 2}), b'{"rows": 2}'],
    ids=["mapping", "dataclass", "model", "text", "bytes"],
)
def test_whatever_has_the_field_is_read(guard, value) -> None:
    with guard.run() as run:
        assert run.tool("search", lambda: value) is value


@pytest.mark.parametrize(
    "value", [{"rows": 0}, {}, Found(0), "no rows", "[1]", None, {"rows": "2"}, {"rows": True}],
    ids=["none", "no field", "object", "text", "list", "nothing", "ill-typed", "flag"],
)  # fmt: skip
def test_half_a_result_is_denied(guard, value) -> None:
    with guard.run() as run, pytest.raises(Denied) as caught:
        run.tool("plain", lambda: value)
    assert caught.value.decision.by == "incomplete result"
    assert for_agent(caught.value.decision).startswith("This call ran, but gave no complete result")


def test_a_stream_is_no_whole_result(guard) -> None:
    with guard.run() as run:
        with pytest.raises(Denied) as caught:
            run.tool("plain", lambda: iter_rows())
        assert caught.value.decision.by == "incomplete result"
        assert list(run.tool("free", lambda: iter_rows())) == [{"rows": 2}]


def iter_rows():
    yield {"rows": 2}


def test_half_a_result_is_tried_again_and_then_told(guard) -> None:
    given = iter([{"rows": 0}, {"rows": 0}])
    with guard.run() as run, pytest.raises(Failed) as caught:
        run.tool("search", lambda: next(given))
    assert for_agent(caught.value.decision) == "The search finds nothing. Do not make its result up."
    assert guard.clock.now() == 10**9
    assert list(given) == []


def test_the_second_try_may_be_whole(guard) -> None:
    given = iter([{"rows": 0}, {"rows": 7}])

    async def search() -> dict[str, int]:
        return next(given)

    async def play() -> object:
        async with guard.run() as run:
            return await run.tool("search", search)

    assert asyncio.run(play()) == {"rows": 7}


def test_the_log_has_the_attempt_and_what_became_of_its_result(guard, tmp_path) -> None:
    with guard.run(id="r") as run:
        with pytest.raises(Denied):
            run.tool("plain", lambda: {"rows": 0})
        run.tool("free", lambda: 1)
    guard.close()
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()][1:]
    told = [(r["kind"], r.get("event"), r.get("outcome"), r.get("by")) for r in records]
    assert told == [
        ("decision", "tool call", "allow", None),
        ("settlement", None, None, None),
        ("decision", "tool result", "deny", "incomplete result"),
        ("decision", "tool call", "allow", None),
        ("settlement", None, None, None),
        ("decision", "tool result", "allow", None),
    ]
    assert records[2]["values"] == {"result.rows": "0"}
