"""What a program means: all that decides, and nothing of where and how it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from checkrein import _core
from checkrein.errors import CheckreinError
from checkrein.language import compile_source

EXAMPLE = Path(__file__).parents[2] / "grammar" / "examples" / "airline.rein"
# Without the tests, which decide nothing, and comments.
SOURCE = re.sub(r"#.*", "", re.split(r"^test ", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)[0])


def program(source: str, path: str = "p.rein") -> _core.Program:
    return _core.Program.load(compile_source(source, path))


@pytest.mark.parametrize(
    ("source", "path"),
    [
        (SOURCE, "/somewhere/else/q.rein"),
        ("# A comment more.\n\n" + SOURCE, "p.rein"),
        (SOURCE + "\n# One at the end: z\n", "p.rein"),
        (re.sub(r"^(?=\S)", "\n", SOURCE, flags=re.MULTILINE), "p.rein"),
    ],
    ids=["path", "comment", "end", "lines"],
)
def test_where_and_how_it_is_written_does_not_matter(source: str, path: str) -> None:
    assert program(source, path).meaning == program(SOURCE).meaning


def test_every_value_matters() -> None:
    """Each number, and each text in quotes, wherever it stands and is still a policy."""
    first = program(SOURCE)
    seen = {first.meaning}
    changes = [(match, str(int(match[0]) + 1)) for match in re.finditer(r"\b\d+", SOURCE)]
    changes += [(match, f'{match[0][:-1]}x"') for match in re.finditer(r'"[^"\n]+"', SOURCE)]
    for match, value in changes:
        try:
            other = program(SOURCE[: match.start()] + value + SOURCE[match.end() :])
        except CheckreinError:
            continue
        if other.digest == first.digest:  # an argument, say, that nothing reads
            continue
        assert other.meaning not in seen, f"{match[0]} at {match.start()} became {value}"
        seen.add(other.meaning)
    assert len(seen) > 20
