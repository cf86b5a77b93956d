"""`checkrein diff`: the report, its formats, and exit codes."""

import json

import pytest

OLD = """language 1 policy "shop"
model "small" is "x/small" { place edge window 32k tokens output 2k tokens price free }
tool "search" { class retrieve }
tool "refund" { class act once args { "amount" money in cents } }
limit "task" on run { steps <= 25 tool_calls <= 40 active_time <= 2 min } else stop "over"
rule "big" on tool "refund" when call.args.amount > $100 then deny because "Too much."
state "over" tell user "Sorry."
"""


@pytest.fixture
def old(folder):
    (folder / "old.rein").write_text(OLD)
    return "old.rein"


def test_in_full(command, folder, snapshot, old):
    (folder / "new.rein").write_text(
        OLD.replace("> $100", "> $200").replace("tool_calls <= 40", "tool_calls <= 30")
    )
    printed = command("diff", old, "new.rein")
    assert (printed.exit_code, printed.stderr) == (0, "")
    snapshot("diff", printed.stdout)


def test_a_statement_of_an_included_file(command, folder, old):
    rule = next(line for line in OLD.splitlines() if line.startswith("rule"))
    for name, limit in (("one", "$100"), ("two", "$200")):
        (folder / f"{name}.rein").write_text("\n" + rule.replace("$100", limit))
        (folder / f"with_{name}.rein").write_text(OLD.replace(rule, f'include "{name}.rein"'))
    assert command("diff", old, "with_one.rein").stdout == "with_one.rein is equivalent to old.rein\n"
    printed = command("diff", "with_one.rein", "with_two.rein")
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert "looser: rule `big` (two.rein:2), tool `refund`" in printed.stdout


def test_as_json(command, snapshot, old):
    printed = command("diff", "--format", "json", old, "-", stdin=OLD.replace("> $100", "> $200"))
    assert (printed.exit_code, printed.stderr) == (0, "")
    values = json.loads(printed.stdout)
    assert (values["new"], values["verdict"]) == ("<stdin>", "looser")
    [change] = values["changes"]
    assert change["example"]["event"]["args"] == {"amount": 10100}
    assert change["example"]["decided"] == {"old": "deny by rule `big`", "new": "allow"}
    snapshot("diff_json", printed.stdout)


CODES = {
    "nothing": ("", "", 0, 0),
    "words": ("Too much.", "That is too much.", 0, 0),
    "stricter": ("> $100", "> $50", 0, 1),
    "looser": ("> $100", "> $200", 1, 1),
    "both": ("> $100", "> $200 or call.args.amount < $1", 1, 1),
    "not decided": ("on run {", "on run each day {", 1, 1),
}


@pytest.mark.parametrize("change", CODES)
def test_what_fails(command, old, change):
    before, after, looser, different = CODES[change]
    new = OLD.replace(before, after).replace(
        " active_time <= 2 min", "" if "day" in after else " active_time <= 2 min"
    )
    codes = [command("diff", *args, old, "-", stdin=new).exit_code
             for args in ([], ["--fail-on", "looser"], ["--fail-on", "change"])]  # fmt: skip
    assert codes == [0, looser, different]


def test_what_cannot_be_compared(command, old):
    printed = command("diff", old, "-", stdin=OLD.replace("deny because", "denied because"))
    assert (printed.exit_code, printed.stdout) == (1, "")
    assert "error R" in printed.stderr
    assert command("diff", old, "gone.rein").exit_code == 2
    assert command("diff", "-", "-", stdin=OLD).exit_code == 2
    assert command("diff", old).exit_code == 2
