"""`checkrein rule`: every code has a page, and the pages are in the package."""

from importlib.resources import files

import pytest

PAGES = sorted(
    p.name.removesuffix(".md") for p in (files("checkrein") / "rules").iterdir() if p.name.endswith(".md")
)


def test_all_codes_are_listed_with_their_titles(command):
    printed = command("rule")
    assert printed.exit_code == 0
    assert PAGES
    listed = [line.split(maxsplit=1) for line in printed.stdout.splitlines()]
    assert [code for code, _title in listed] == PAGES
    assert all(title for _code, title in listed)


@pytest.mark.parametrize("code", PAGES)
def test_every_page_is_printed(command, code):
    printed = command("rule", code.lower())
    assert printed.exit_code == 0
    assert code in printed.stdout.splitlines()[0]


def test_an_unknown_code_suggests_one(command):
    printed = command("rule", "R9")
    assert (printed.exit_code, printed.stdout) == (2, "")
    assert "there is no code `R9`\n  help: " in printed.stderr
