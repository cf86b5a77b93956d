"""Suspended runs in the store, as the binding shows them: kept once, claimed once, told apart."""

from pathlib import Path

import pytest

from checkrein import _core
from checkrein.errors import EngineError
from checkrein.language import compile_source

POLICY = b"""
language 1 policy "p" tool "t" { args { "x" text } }
limit "l" on user { tool_calls <= %d } else deny
"""
FIRST = (1, 1, 0)


def program(most: int = 1) -> _core.Program:
    return _core.Program.load(compile_source(POLICY % most, "p.rein"))


@pytest.fixture(params=["memory", "file"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> _core.Ledger:
    if request.param == "memory":
        return _core.Ledger.memory()
    return _core.Ledger.open(str(tmp_path / "ledger.db"), now=0, wall=0)


def refusal(ask: object, *arguments: object) -> tuple[str, str]:
    with pytest.raises(EngineError) as raised:
        ask(*arguments)  # type: ignore[operator]
    return raised.value.kind, str(raised.value)


def test_what_was_kept_is_given_to_one(ledger: _core.Ledger) -> None:
    ledger.park("r", program(), FIRST, b"\x00state", b"host", [])
    ledger.park("r", program(), FIRST, b"\x00state", b"host", [])
    holder = 2**128 - 1
    life = (1, holder, 1)
    for _ in range(2):  # the answer may have been lost
        assert ledger.claim("r", program(), holder)[:3] == (life, b"\x00state", b"host")
    kind, told = refusal(ledger.claim, "r", program(), 5)
    assert (kind, "goes on once" in told) == ("already_resumed", True)
    ledger.park("r", program(), life, b"later", b"", [])
    assert ledger.claim("r", program(), 5)[1] == b"later"


def test_every_other_wish_is_refused_and_says_why(ledger: _core.Ledger) -> None:
    kind, told = refusal(ledger.claim, "r", program(), 5)
    assert (kind, "no run `r` was suspended" in told) == ("unknown_run", True)
    ledger.park("r", program(), FIRST, b"state", b"host", [])
    kind, told = refusal(ledger.claim, "r", program(2), 5)
    assert (kind, program().meaning in told, program(2).meaning in told) == ("other_policy", True, True)
    assert refusal(ledger.park, "r", program(), (2, 2, 0), b"", b"", [])[0] == "taken"
    assert refusal(ledger.park, "r", program(), FIRST, b"another", b"", [])[0] == "dropped"
    assert refusal(ledger.park, "a\nb", program(), FIRST, b"", b"", [])[0] == "bad_value"
    assert refusal(ledger.claim, "", program(), 5)[0] == "bad_value"
    life, *_rest = ledger.claim("r", program(), 5)
    ledger.finish("r", life)
    kind, told = refusal(ledger.claim, "r", program(), 6)
    assert (kind, "has ended" in told) == ("ended", True)


def test_a_closed_ledger_keeps_nothing(tmp_path: Path) -> None:
    ledger = _core.Ledger.open(str(tmp_path / "ledger.db"), now=0, wall=0)
    assert ledger.close()
    kind, told = refusal(ledger.park, "r", program(), FIRST, b"", b"", [])
    assert (kind, "was closed" in told) == ("away", True)


def test_an_operator_lists_and_drops_them(tmp_path: Path) -> None:
    url = str(tmp_path / "ledger.db")
    ledger = _core.Ledger.open(url, now=0, wall=0)
    ledger.park("r", program(), FIRST, b"state", b"host", [])
    operator = _core.Operator.open(url)
    (run,) = operator.runs()
    assert (run["run"], run["meaning"], run["resumed"], run["waits"]) == ("r", program().meaning, 0, True)
    assert operator.drop_run("r", "a1", "ann", "not wanted")
    assert not operator.drop_run("r", "a1", "ann", "not wanted")
    assert operator.runs() == []
    (act,) = operator.audit()
    assert (act["act"], act["run"], act["why"]) == ("drop run", "r", "not wanted")
    assert refusal(ledger.claim, "r", program(), 5)[0] == "ended"
