"""Every code has a page, a policy that shows it, and a page whose examples are true."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from checkrein.analysis import bound, unbounded
from checkrein.language import check, parse
from checkrein.schema.drift import compare
from checkrein.schema.reading import tools_in
from tests.language.made import MADE

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "python" / "checkrein" / "rules").glob("*.md"))
SOURCES = [
    path
    for room in ("language", "analysis", "schema")
    for path in sorted((ROOT / "python" / "checkrein" / room).rglob("*.py"))
]
REJECTS = ROOT / "grammar" / "rejects"
# There is no such file, but files that the pages include are beside it.
BESIDE = Path(__file__).with_name("included") / "page.rein"
HEADINGS = ["What", "Why", "Wrong", "Right"]
JSON = re.compile(r"```json\n(.*?)```", re.DOTALL)
FENCE = re.compile(r"```rein\n(.*?)```", re.DOTALL)

# What these are about cannot be shown on a page: too long, not text, or not to be seen.
NOT_SHOWN = {"R0001", "R0002", "R0003", "R0004", "R0021", "R0022", "R0584"}
# `check` does not find these, but `bound` does.
OF_BOUND = {"R0560"}
# It takes more files than a reject should have: see `test_include.py`.
OF_MANY_FILES = {"R0584"}
# Nor these, but `schema --check`, by the JSON on their page.
OF_SCHEMA = {f"R059{i}" for i in range(6)}


def sections(page):
    parts = re.split(r"^## (\w+)\n", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return parts[0], dict(zip(parts[1::2], parts[2::2], strict=True))


def findings(text, bounds=False):
    policy, found = parse(text, "page.rein", path=str(BESIDE))
    found += check(policy, deep=True, today=date(2026, 6, 1)) if policy else []
    if bounds and policy and not found:
        found += unbounded(bound(policy))
    return [d.code for d in found]


def differences(text, tools):
    policy, found = parse(text, "page.rein")
    assert [d for d in found if d.severity == "error"] == []
    return [d.code for d in compare(policy, tools_in(json.loads(tools)))]


def codes_in_the_compiler():
    return {code for path in SOURCES for code in re.findall(r'"(R\d{4})"', path.read_text(encoding="utf-8"))}


def codes_of_the_rejects():
    return {
        code
        for path in REJECTS.glob("*.txt")
        for code in re.findall(
            r"^(?:error|warning) (R\d{4}):", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    }


def test_every_code_has_a_page_and_every_page_a_code():
    assert codes_in_the_compiler() == {p.stem for p in PAGES}


def test_every_code_is_shown_by_a_reject():
    assert codes_in_the_compiler() - OF_BOUND - OF_MANY_FILES - OF_SCHEMA == codes_of_the_rejects()
    assert set(MADE) <= {p.stem for p in REJECTS.glob("*.txt")}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_page_is_well_formed_and_its_examples_are_true(page):
    title, parts = sections(page)
    assert re.fullmatch(rf"# {page.stem}: [a-z][^\n.]*\n+", title, re.IGNORECASE)
    assert list(parts) == HEADINGS
    assert all(text.strip() for text in parts.values())
    (right,) = FENCE.findall(parts["Right"])
    assert findings(right, page.stem in OF_BOUND) == []
    if page.stem in OF_SCHEMA:
        (tools,) = JSON.findall(parts["What"])
        (wrong,) = FENCE.findall(parts["Wrong"])
        assert differences(right, tools) == []
        assert page.stem in differences(wrong, tools)
    elif page.stem in NOT_SHOWN:
        assert not FENCE.search(parts["Wrong"])
    else:
        (wrong,) = FENCE.findall(parts["Wrong"])
        assert findings(wrong, page.stem in OF_BOUND) == [page.stem]
