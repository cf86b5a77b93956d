"""`checkrein bound`: worst cases, what they come from, formats and exit codes."""

import json

import pytest

BOUNDED = """language 1 policy "shop"
model "large" is "x/large" {
  place cloud window 100k tokens output 4k tokens
  price input $1.25 output $10 per 1M tokens
}
model "small" is "x/small" { place edge window 32k tokens output 2k tokens price free }
tool "search" { class retrieve }
tool "refund" { class act once }
limit "task" on run {
  cost <= $0.50 steps <= 25 tool_calls <= 40 active_time <= 2 min
} else deny
limit "big" on user each day { tokens <= 1M tokens } else escalate to "boss"
retry "again" on model any { attempts <= 3 } else fail "away"
retry "tools" on tool any { attempts <= 2 } else fail "away"
route "tiering" { to "large" fallback "large" -> "small" }
queue "boss" { expires 1 h grants 500k tokens at most 1 times }
state "away" tell user "Sorry."
"""


def test_in_full(command, folder, snapshot):
    (folder / "shop.rein").write_text(BOUNDED)
    printed = command("bound", "shop.rein")
    assert (printed.exit_code, printed.stderr) == (0, "")
    snapshot("bound", printed.stdout)


def test_as_json(command, folder, snapshot):
    (folder / "shop.rein").write_text(BOUNDED)
    printed = command("bound", "--format", "json", "-", stdin=BOUNDED)
    assert (printed.exit_code, printed.stderr) == (0, "")
    values = json.loads(printed.stdout)
    assert (values["file"], values["run"]["cost"]["most"], values["findings"]) == ("<stdin>", 500_000_000, [])
    snapshot("bound_json", printed.stdout)


def test_what_has_no_bound_is_a_finding(command, folder, snapshot):
    (folder / "shop.rein").write_text(BOUNDED.replace("steps <= 25", "").replace("tool_calls <= 40", ""))
    printed = command("bound", "shop.rein")
    assert printed.exit_code == 1
    snapshot("bound_unbounded", printed.stdout)
    findings = json.loads(command("bound", "--format", "json", "shop.rein").stdout)["findings"]
    assert [each["code"] for each in findings] == ["R0560", "R0560"]


@pytest.mark.parametrize(
    ("text", "told"),
    [('language 1 policy "p" limit "x" on run { cost <= 5 } else deny', "R0201"), ("", "error R")],
)
def test_a_wrong_policy_is_told_as_ever(command, folder, text, told):
    (folder / "odd.rein").write_text(text)
    printed = command("bound", "odd.rein")
    assert (printed.exit_code, printed.stdout) == (1, "")
    assert told in printed.stderr
