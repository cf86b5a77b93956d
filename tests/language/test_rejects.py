"""Wrong policies, each with the exact text that it must give; what changes here changes for every author.

To write the texts anew after a change of wording, and then to read the difference:

    CHECKREIN_WRITE_REJECTS=1 pytest tests/language/test_rejects.py
"""

import os
from datetime import date
from pathlib import Path

import pytest

from checkrein.diagnostics import render_all
from checkrein.errors import PolicyError
from checkrein.language import check, compile_source, parse, shown
from tests.language.made import MADE

REJECTS = Path(__file__).resolve().parents[2] / "grammar" / "rejects"
CASES = {path.stem: path.read_bytes() for path in sorted(REJECTS.glob("*.rein"))} | MADE
TODAY = date(2026, 6, 1)
# An artifact does not depend on the day.
OF_A_DAY = {"observed-over"}
WRITE = os.environ.get("CHECKREIN_WRITE_REJECTS") == "1"


def printed(name, source):
    policy, found = parse(source, f"{name}.rein", path=str(REJECTS / f"{name}.rein"))
    found = sorted(found + (check(policy, deep=True, today=TODAY) if policy else []), key=lambda d: d.order)
    return render_all(found, shown(source, policy)) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_policy_gives_exactly_this(name):
    expected = REJECTS / f"{name}.txt"
    text = printed(name, CASES[name])
    if WRITE:
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_policy_does_not_compile_unless_it_is_only_warned_about(name):
    expected = (REJECTS / f"{name}.txt").read_text(encoding="utf-8")
    if "error R" not in expected or name in OF_A_DAY:
        assert compile_source(CASES[name], f"{name}.rein", path=str(REJECTS / f"{name}.rein"))
        return
    with pytest.raises(PolicyError) as raised:
        compile_source(CASES[name], f"{name}.rein", path=str(REJECTS / f"{name}.rein"))
    assert str(raised.value) + "\n" == expected


def test_every_text_has_its_policy():
    assert {p.stem for p in REJECTS.glob("*.txt")} == set(CASES)
