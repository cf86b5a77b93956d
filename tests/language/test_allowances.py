"""Warnings that a comment allows: where it has to stand, and what it never does."""

import pytest

from checkrein.language import check, compile_source, parse
from checkrein.language.layout import laid_out

HEADER = 'language 1\npolicy "p"\nloop off\n'
ALLOW = "# checkrein: allow R0109 because the host ends runs with it"
LOST = 'state "lost" tell user "Gone."'


def codes(text):
    policy, found = parse(text, "p.rein")
    return [(d.code, d.line) for d in [*found, *check(policy)]]


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}{ALLOW}\n{LOST}\n",
        f"{HEADER}{ALLOW}\n\n# More about it.\n{LOST}\n",
        f"{HEADER}{LOST} {ALLOW}\n",
        f'{HEADER}state "lost" {ALLOW}\n  tell user "Gone."\n',
        f'{HEADER}state "lost"\n  {ALLOW}\n  tell user "Gone."\n',
        f"{HEADER}{LOST}#checkrein:  allow  R0108 , R0109  because x\ndefine a.b = has c.d\nfact c.d flag\n",
        f"{ALLOW}\n{HEADER}{LOST}\n",
        f"# A policy.\n\n{ALLOW}\n{HEADER}{LOST}\n",
        f"language 1 {ALLOW}\npolicy \"p\"\nloop off\n{LOST}\n",
        f"language 1\npolicy \"p\" {ALLOW}\n{LOST}\nloop off\n",
        f"{HEADER}{LOST} {ALLOW}\r\n",
    ],
)  # fmt: skip
def test_a_comment_is_about_its_statement_and_of_the_header_about_the_file(text):
    expected = [("R0550", 4), ("R0108", 5)] if "R0108" in text else []
    assert codes(text) == expected
    laid = laid_out(text, "p.rein").text
    assert [code for code, _line in codes(laid)] == [code for code, _line in expected]


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}{LOST}\n{ALLOW}\n",
        f"{HEADER}{ALLOW}\nfact a.b flag\n{LOST}\n",
        f'{HEADER}{LOST}\nfact a.b flag {ALLOW}\n',
        f'{HEADER}{LOST}\nstate "b" tell user "{ALLOW}"\nqueue "q" {{ expires 1 min default stop "b" }}\n'
        'tool "t" { }\nrule "r" on tool "t" then escalate to "q" because "x"\n',
    ],
)  # fmt: skip
def test_a_comment_elsewhere_and_a_text_allow_nothing(text):
    assert ("R0109", text[: text.index(LOST)].count("\n") + 1) in codes(text)


def test_an_allowance_is_no_finding_while_not_all_was_looked_for():
    broken = f'{HEADER}{LOST} {ALLOW}\nrule "r" on tool "nowhere" then deny because "No."\n'
    assert [code for code, _line in codes(broken)] == ["R0101"]


def test_warnings_about_allowances_keep_no_policy_from_being_compiled():
    assert compile_source(f"{HEADER}# checkrein: allow R0109\n", "p.rein")
    assert codes(f"{HEADER}# checkrein: allow R0109\n") == [("R0551", 4)]
