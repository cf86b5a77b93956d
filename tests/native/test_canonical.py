"""Canonical JSON: equal to the `rfc8785` package on JSON, and one text for everything else."""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import pathlib
import signal
import sys
import uuid
from typing import NamedTuple

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from checkrein import _core
from checkrein.errors import EngineError

EXACT = 2**53 - 1
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-EXACT, EXACT)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=1000)
@given(JSON)
def test_json_is_written_as_rfc_8785_says(value: object) -> None:
    assert _core.canonical(value) == rfc8785.dumps(value)


@settings(max_examples=1000)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_have_their_es6_text(value: float) -> None:
    written = _core.canonical(value)
    assert written == rfc8785.dumps(value)
    assert float(written) == value


def test_keys_are_sorted_by_utf16_units() -> None:
    assert (
        _core.canonical({"\ufb33": 1, "\U0001f600": 2, "a": 3})
        == '{"a":3,"\U0001f600":2,"\ufb33":1}'.encode()
    )


def test_lone_surrogates_are_escaped() -> None:
    assert _core.canonical("a\ud800\u00e9") == b'"a\\ud800\xc3\xa9"'
    assert _core.canonical({"\ud800": 1, "\U0001f600": 2}) == '{"\\ud800":1,"\U0001f600":2}'.encode()


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 3


class Word(enum.StrEnum):
    YES = "yes"


class Mixed(str, enum.Enum):  # noqa: UP042 - the older way, with another str()
    ONE = "one"


class Loud(int):
    def __repr__(self) -> str:
        return "loud"

    __str__ = __repr__


class Shout(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "shout"


class Point(NamedTuple):
    x: int
    y: int


class Outer:
    class Inner:
        pass


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**53 + 1, "9007199254740993"),
        (-(2**200), str(-(2**200))),
        (math.nan, '"NaN"'),
        (math.inf, '"Infinity"'),
        (-math.inf, '"-Infinity"'),
        (-0.0, "0"),
        (b"a\xff", "\"b'a\\\\xff'\""),
        (decimal.Decimal("1.50"), '"1.50"'),
        (datetime.date(2026, 1, 2), '"2026-01-02"'),
        (datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.UTC), '"2026-01-02 03:00:00+00:00"'),
        (datetime.time(3, 4), '"03:04:00"'),
        (datetime.timedelta(hours=1), '"1:00:00"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Colour.RED, '"Colour.RED"'),
        (Level.HIGH, '"3"'),
        (Word.YES, '"yes"'),
        (Mixed.ONE, '"Mixed.ONE"'),
        (pathlib.PurePosixPath("a/b"), '"a/b"'),
        (Loud(7), "7"),
        (Loud(2**70), str(2**70)),
        (Shout("quiet"), '"quiet"'),
        ((1, "a"), '[1,"a"]'),
        (Point(1, 2), "[1,2]"),
        ({3, 20, 100}, "[100,20,3]"),
        (frozenset({"b", "a"}), '["a","b"]'),
        ({1: "a", None: "b", 2.5: "d", Word.YES: "e"}, '{"1":"a","2.5":"d","null":"b","yes":"e"}'),
        ({True: "a", (1, "x"): "b"}, '{"[1,\\"x\\"]":"b","true":"a"}'),
        (object(), '{"$type":"builtins.object"}'),
        (Outer.Inner(), f'{{"$type":"{__name__}.Outer.Inner"}}'),
        (print, '{"$type":"builtins.builtin_function_or_method"}'),
    ],
    ids=repr,
)
def test_every_other_value_has_one_text(value: object, text: str) -> None:
    assert _core.canonical(value).decode() == text
    assert _core.canonical([value]).decode() == f"[{text}]"


def test_endless_nesting_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(EngineError, match="128 levels") as raised:
        _core.canonical(endless)
    assert raised.value.kind == "bad_value"


def test_lists_that_hold_each_other_many_times_are_refused() -> None:
    laughs: list[object] = ["lol"]
    for _ in range(12):
        laughs = [laughs] * 10
    with pytest.raises(EngineError, match="64 MiB") as raised:
        _core.canonical(laughs)
    assert raised.value.kind == "bad_value"


def test_an_integer_that_cannot_be_printed_is_refused() -> None:
    with pytest.raises(EngineError, match="too long") as raised:
        _core.canonical({"n": 10**5000})
    assert raised.value.kind == "bad_value"


def test_what_ends_a_program_comes_out_while_an_integer_is_printed() -> None:
    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    def print_it() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.01)  # the integer takes seconds
        _core.canonical({"n": 1 << 2_000_000})

    before, digits = signal.signal(signal.SIGALRM, ended), sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        with pytest.raises(KeyboardInterrupt):
            print_it()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sys.set_int_max_str_digits(digits)


def test_a_dict_changed_by_host_code_meanwhile_is_still_written() -> None:
    changing: dict[str, object] = {}

    class Sly(enum.Enum):
        ONE = 1

        def __str__(self) -> str:
            changing["more"] = 1
            return "sly"

    changing["a"] = Sly.ONE
    changing["b"] = 2
    assert _core.canonical(changing) == b'{"a":"sly","b":2}'


def test_an_exception_of_host_code_is_passed_on() -> None:
    class Broken(enum.Enum):
        ONE = 1

        def __str__(self) -> str:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        _core.canonical({"a": Broken.ONE})
