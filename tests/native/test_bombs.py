"""Small artifacts that ask for much: what the loader builds stays as large as the file, but for a factor."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.native.artifact import seal, several, u

from checkrein import _core

LOAD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
from checkrein import _core
_core.Program.load(sys.stdin.buffer.read())
"""
NAMES, LONG = 20_000, 200_000
EMPTY = several([])


def texts(*long: bytes) -> bytes:
    """Write the string table, `long` at its end, and the meta section: four names, and no shared store."""
    table = several(u(len(text)) + text for text in [*(b"%06d" % index for index in range(NAMES)), *long])
    return table + u(0) * 4 + b"\0"


def statements_of_every_tool() -> bytes:
    tools = several(u(index) + b"\0\0\0\0\0\0\0" for index in range(NAMES))
    names = several(b"\x08" + u(index) + b"\0\0\1\1\0" for index in range(NAMES))
    rules = several(u(index) + b"\2\0\2\0" for index in range(NAMES))
    return texts() + EMPTY * 2 + tools + EMPTY * 6 + names + rules + EMPTY * 8


def statements_of_every_model() -> bytes:
    models = several(u(index) + b"\0\0\0\0\3\2\1\0" for index in range(NAMES))
    names = several(b"\1" + u(index) + b"\0\0\1\1\0" for index in range(NAMES))
    retries = several(u(index) + b"\0\0\1\0\0\0\2\0" for index in range(NAMES))
    return texts() + EMPTY + models + EMPTY * 7 + names + EMPTY * 2 + retries + EMPTY * 6


def breakers_of_every_provider() -> bytes:
    models = several(u(index) + u(NAMES) + b"\0\0\0\3\2\1\0" for index in range(NAMES))
    names = several(b"\2" + u(index) + b"\0\0\1\1\0" for index in range(NAMES))
    breakers = several(u(index) + b"\0\1" + u(NAMES) + b"\1\1\1\1\1" for index in range(NAMES))
    return texts(b"x" * LONG) + EMPTY + models + EMPTY * 7 + names + EMPTY * 3 + breakers + EMPTY * 5


def one_long_text_everywhere() -> bytes:
    told = b"\1" + u(NAMES)
    states = several(u(index) + told + told for index in range(NAMES))
    return texts(b"x" * LONG) + EMPTY * 3 + states + EMPTY * 15


def long_choices_that_differ_at_the_end() -> bytes:
    choices = several([u(NAMES), u(NAMES + 1)])
    facts = several(u(index) + b"\0\0\0\1" + choices for index in range(NAMES))
    return texts(b"x" * LONG + b"a", b"x" * LONG + b"b") + facts + EMPTY * 18


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as on Linux")
@pytest.mark.parametrize(
    "bomb",
    [
        statements_of_every_tool,
        statements_of_every_model,
        breakers_of_every_provider,
        one_long_text_everywhere,
        long_choices_that_differ_at_the_end,
    ],
)
def test_an_artifact_cannot_ask_for_more_than_it_is(bomb) -> None:
    data = seal(bomb())
    assert len(data) < 2 * 10**6
    subprocess.run([sys.executable, "-c", LOAD], input=data, check=True, timeout=60)


def test_the_bombs_are_sound() -> None:
    assert len(_core.Program.load(seal(statements_of_every_tool())).tools) == NAMES
    assert _core.Program.load(seal(breakers_of_every_provider())).watches
