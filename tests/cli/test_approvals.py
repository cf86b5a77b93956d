"""`checkrein approvals`: what people see of a request, and how they answer."""

import json

import pytest

import checkrein

POLICY = """
language 1 policy "shop"
tool "refund" { args { "order_id" text "amount" money in cents } }
tool "book" { }
limit "calls" on run { tool_calls <= 5 } else stop "over"
state "over" tell user "over"
queue "leads" { expires 30 min default stop "over" binds "amount" }
queue "user" { expires 10 min }
rule "big refunds" on tool "refund" when call.args.amount > $100
  then escalate to "leads" because "Refunds above $100 need a person."
rule "which day" on tool "book" then escalate to "user" as question because "Which day?"
"""


def refund(order_id, amount):
    return f"refunded {amount}"


def suspended(guard, id, call):
    with guard.run(id=id, user="ann") as run:
        with pytest.raises(checkrein.Escalated):
            call(run)
        run.suspend()


@pytest.fixture
def waiting(folder):
    """A ledger in which a refund and a question wait."""
    (folder / "shop.rein").write_text(POLICY)
    guard = checkrein.load("shop.rein", log=None, store="shop.db")
    suspended(guard, "r1", lambda run: run.tool("refund", refund, order_id="A1", amount=15000))
    suspended(guard, "r2", lambda run: run.tool("book", lambda: "booked"))
    yield guard
    guard.close()


def approvals(command, *words):
    return command("approvals", *words, "--store", "shop.db")


def test_requests_are_listed(command, waiting):
    header, first, second = approvals(command, "list").stdout.splitlines()
    assert header.split() == ["id", "queue", "asks", "for", "what", "state"]
    assert first.split()[:3] == ["r2/1", "user", "question"]  # it expires first
    assert second.split()[:5] == ["r1/1", "leads", "approval", "tool", "`refund`"]
    assert second.endswith("s left")


def test_a_request_is_shown_as_it_would_run(command, waiting):
    page = approvals(command, "show", "r1").stdout
    for line in (
        'arguments  {"amount":15000,"order_id":"A1"}  (only amount have to be equal)',
        "asked by   rule `big refunds` at shop.rein:9: Refunds above $100 need a person.",
        '           | rule "big refunds" on tool "refund" when call.args.amount > $100',
        "limits     calls tool_calls: 0 spent, 5 left",
        "run of     user ann",
    ):
        assert line in page.splitlines(), page
    assert 'then stop "over"' in page
    assert "sha256     c92a17d2" in page or len(page.split("sha256")[1].split()[0]) == 64


def test_an_answer_is_given_once_and_kept_in_the_audit(command, waiting):
    words = ("approve", "r1", "--why", "the customer is right", "--who", "bob", "--id", "act1")
    assert "answer     approve by bob at" in approvals(command, *words).stdout
    assert approvals(command, *words).exit_code == 0, "the same act again changes nothing"
    again = approvals(command, "reject", "r1", "--why", "no", "--who", "eve")
    assert (again.exit_code, "bob has approved it before" in again.stderr) == (2, True)
    lines = [
        json.loads(line) for line in command("ledger", "export", "--store", "shop.db").stdout.splitlines()
    ]
    (act,) = [line for line in lines if line["kind"] == "audit"]
    assert (act["act"], act["run"], act["request"], act["who"]) == ("approve", "r1", 1, "bob")
    with waiting.resume("r1") as run:
        assert run.tool("refund", refund, order_id="A2", amount=15000) == "refunded 15000"


def test_a_question_is_answered_with_a_text(command, waiting):
    assert approvals(command, "approve", "r2", "--why", "yes").exit_code == 2
    assert (
        "answer     answer 'Monday' by bob"
        in approvals(command, "answer", "r2", "Monday", "--who", "bob").stdout
    )
    with pytest.raises(checkrein.Answered) as answered, waiting.resume("r2") as run:
        run.tool("book", lambda: "booked")
    assert answered.value.text == "Monday"


def test_what_was_answered_is_listed_on_demand(command, waiting):
    approvals(command, "reject", "r1", "--why", "no", "--who", "bob")
    assert "r1/1" not in approvals(command, "list").stdout
    assert "answered" in approvals(command, "list", "--all").stdout
    plain = [json.loads(line) for line in approvals(command, "list", "--all", "--json").stdout.splitlines()]
    assert [(each["id"], each["state"]) for each in plain] == [("r2/1", "open"), ("r1/1", "answered")]
    assert plain[1]["answer"]["why"] == "no"
    watched = approvals(command, "watch", "--once").stdout.splitlines()
    assert [line.split()[0] for line in watched] == ["open", "answered"]
    assert watched[1].endswith("by bob")


def test_nothing_waits(command, folder):
    (folder / "shop.rein").write_text(POLICY)
    checkrein.load("shop.rein", log=None, store="shop.db").close()
    printed = approvals(command, "list")
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert printed.stdout.startswith("no request waits in ")
    assert approvals(command, "show", "r1").exit_code == 2
