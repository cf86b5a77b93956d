"""One edit at a time: what is told of each decision point, and examples that the engine decides as told."""

import pytest

from checkrein import _core
from checkrein.difference import diff, shapes
from checkrein.difference.verdict import MODELS as MODELS_POINT
from checkrein.difference.verdict import Point
from checkrein.errors import PolicyError
from checkrein.language import compile_source, tree

BASE = """language 1 policy "shop"
loop off
model "large" is "x/large" {
  tier 3 place cloud window 100k tokens output 4k tokens price input $1.25 output $10 per 1M tokens
}
model "small" is "x/small" { tier 1 place edge window 32k tokens output 2k tokens price free }
tool "search" { class retrieve args { "query" text } }
tool "refund" { class act once timeout 20 s args { "amount" money in cents "order" text optional } }
fact data.class one of "public", "internal", "pii" default "public"
fact plan.paid flag optional
define risk.big = call.args.amount > $100
limit "task" on run { cost <= $0.50 tool_calls <= 40 } else stop "over"
limit "refunds" on user each day { calls of tool "refund" <= 5 } else deny
retry "tools" on tool "search" { attempts <= 3 within 20 s backoff 1 s .. 4 s } else fail "away"
require "pii" place edge when data.class == "pii"
order "look" { "search" before "refund" within run } else deny
loop "again" on run { same call >= 3 within 10 steps } else stop "over"
truth { tool results } else deny
rule "big" on tool "refund" when risk.big then escalate to "leads" because "A person looks."
rule "huge" on tool class act when call.args.amount > $1000 then deny because "Never."
rule "night" on model any when data.class == "internal" then deny because "Not now."
queue "leads" { expires 30 min }
queue "others" { expires 30 min }
state "over" tell user "Over."
state "away" tell agent "Away."
""".replace("loop off\n", "")
REFUND, SEARCH, MODELS = "tool `refund`", "tool `search`", "every model call"
LARGE, SMALL = "model `large`", "model `small`"
EDITS = {
    # What is written in another way only.
    "the order of statements": ("", "", {}),
    "a condition turned round": ("risk.big then", "not call.args.amount <= $100 then", {}),
    "the same set": ('data.class == "internal" then', 'not data.class in ["public", "pii"] then', {}),
    "a define by another name": ("risk.big", "money.big", {}),
    "a reason": ("A person looks.", "Somebody looks.", {}),
    "what users are told": ('tell user "Over."', 'tell user "It is over."', {}),
    "a rule by another name": ('rule "night"', 'rule "day"', {}),
    "a case that another rule has": (
        'queue "leads"',
        'rule "x" on tool "refund" when call.args.amount > $5000 then deny because "No." queue "leads"',
        {},
    ),
    # Rules.
    "a lower threshold": ("> $100\n", "> $50\n", {REFUND: "stricter"}),
    "a higher threshold": ("amount > $1000", "amount > $2000", {REFUND: "looser"}),
    "a weaker outcome": ('deny because "Never."', 'escalate to "leads" because "Never."', {REFUND: "looser"}),
    "a harder outcome": ('escalate to "leads" because', "deny because", {REFUND: "stricter"}),
    "another queue": ('to "leads" because', 'to "others" because', {REFUND: "incomparable"}),
    "another state": (
        'deny because "Not now."',
        'stop "over" because "Not now."',
        {MODELS: "stricter"},
    ),
    "another class": ("on tool class act when", "on tool class retrieve when", None),
    "conditions that overlap": (
        "call.args.amount > $1000",
        "call.args.amount > $2000 or call.args.amount < $5",
        {REFUND: "incomparable"},
    ),
    "a guard that is missing": ("risk.big then", 'risk.big or has plan.paid then', {REFUND: "stricter"}),
    "another default": ('default "public"', 'default "internal"', {MODELS: "stricter"}),
    "a default that ends unknowns": ('default "public"', "", {MODELS: "stricter"}),
    "only observed from now on": ('rule "huge"', 'observe until 2999-12-31 rule "huge"', {REFUND: "looser"}),
    "an observed rule": (
        'queue "leads"',
        'observe until 2999-12-31 rule "x" on tool any then deny because "No." queue "leads"',
        {},
    ),
    # Limits and what else goes by the run so far.
    "a lower bound": ("tool_calls <= 40", "tool_calls <= 30", {REFUND: "stricter", SEARCH: "stricter"}),
    "a higher bound": ("cost <= $0.50", "cost <= $0.60", {MODELS: "looser"}),
    "one of each": (
        "cost <= $0.50 tool_calls <= 40",
        "cost <= $0.60 tool_calls <= 30",
        {MODELS: "looser", REFUND: "stricter", SEARCH: "stricter"},
    ),
    "another window": ("each day", "each week", {REFUND: "not decided"}),
    "what counts": ('tool "refund" <= 5', 'tool "refund" <= 5 counts executed', {REFUND: "looser"}),
    "a softer end": (
        '} else stop "over"\nlimit',
        "} else deny\nlimit",
        {REFUND: "looser", SEARCH: "looser", MODELS: "looser"},
    ),
    "fewer attempts": ("attempts <= 3", "attempts <= 2", {SEARCH: "stricter"}),
    "other delays": ("1 s .. 4 s", "2 s .. 4 s", {SEARCH: "not decided"}),
    "a shorter deadline": ("within 20 s b", "within 10 s b", {SEARCH: "stricter"}),
    "a loop found sooner": ("same call >= 3", "same call >= 2", {SEARCH: "stricter", REFUND: "stricter"}),
    "a loop as two wishes": (
        "same call >= 3 within 10",
        "same call >= 2 within 5",
        {SEARCH: "not decided", REFUND: "not decided"},
    ),
    "an order about one thing": (
        '"refund" within run }',
        '"refund" within run again after "refund" }',
        {REFUND: "stricter"},
    ),
    "no truth": ("truth { tool results } else deny", "", {MODELS: "looser"}),
    "a breaker": (
        'queue "leads"',
        'breaker "b" on tool "search" { opens when failures >= 50% of 20 in 30 s probes 1 after 15 s } '
        'queue "leads"',
        {SEARCH: "stricter"},
    ),
    # Declarations.
    "dearer": ("output $10", "output $12", {MODELS: "stricter", LARGE: "stricter"}),
    "a smaller window": ("window 100k", "window 90k", {LARGE: "stricter"}),
    "a requirement by what the host asks for": (
        'queue "leads"',
        'require "x" model in ["large"] when has call.model and call.model != "small" queue "leads"',
        {SMALL: "stricter"},  # which serves after another one, or in its place
    ),
    "another target": ('"x/large"', '"y/large"', {LARGE: "incomparable"}),
    "a longer timeout": ("timeout 20 s", "timeout 30 s", {REFUND: "looser"}),
    "may run twice": ("class act once", "class act", {REFUND: "looser"}),
    "one more tool": ("loop", 'tool "new" { } loop', {"tool `new`": "looser"}),
    "sooner forgotten": ('"leads" { expires 30 min }', '"leads" { expires 10 min }', {REFUND: "stricter"}),
    "a stop at the end": (
        '"leads" { expires 30 min }',
        '"leads" { expires 30 min default stop "over" }',
        {REFUND: "stricter"},
    ),
    "what a requirement is for": (
        'when data.class == "pii"',
        'when data.class in ["pii", "internal"]',
        {LARGE: "stricter"},
    ),
    "what is required": ("place edge when", "place cloud when", {LARGE: "looser", SMALL: "stricter"}),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_what_an_edit_changes(edit):
    before, after, expected = EDITS[edit]
    assert before in BASE
    new = BASE.replace(before, after) if before else shuffled(BASE)
    if expected is None:
        with pytest.raises(PolicyError):
            diff(BASE, new)
        return
    found = diff(BASE, new)
    told = {str(point): found.lean(point).verdict for point in found.points}
    assert {name: verdict for name, verdict in told.items() if verdict != "equivalent"} == expected
    back = diff(new, BASE)
    mirror = {"stricter": "looser", "looser": "stricter"}
    assert {str(p): back.lean(p).verdict for p in back.points} == {
        name: mirror.get(verdict, verdict) for name, verdict in told.items()
    }
    for one, old, other in ((found, BASE, new), (back, new, BASE)):
        for change in one.changes:
            replay(change, old, other)


@pytest.mark.parametrize(
    ("asking", "renamed"),
    [
        ('rule "paid" on tool "refund" when has plan.paid then', 'rule "a new name" on'),
        ('order "paid" { "search" before "refund" within run } else', 'order "a new name" {'),
    ],
)
def test_a_new_name_may_let_another_statement_ask_first(asking, renamed):
    old = f'{BASE} {asking} escalate to "leads" because "Who?"'
    new = old.replace(renamed.replace("a new name", "paid"), renamed)
    assert old != new
    found = diff(old, new)
    assert {str(p): found.lean(p).verdict for p in found.points}[REFUND] == "not decided"
    alone = [text.replace('escalate to "leads" because "A', 'deny because "A') for text in (old, new)]
    found = diff(*alone)
    assert {found.lean(point).verdict for point in found.points} == {"equivalent"}


def shuffled(text: str) -> str:
    head, *rest = text.replace("model", "\nmodel", 1).splitlines()
    declared = [line for line in rest if not line.startswith((" ", "}"))]
    kept = [line for line in rest if line.startswith((" ", "}"))]
    models = "\n".join([next(line for line in declared if line.startswith("model")), *kept])
    others = [line for line in declared if not line.startswith('model "large"')]
    return "\n".join([head, *reversed(others), models])


RANK = ["allow", "reuse", "answer", "escalate", "deny", "fail", "stop"]


def replay(change, old, new):
    """What an example says that the policies decide, the engine decides; and in the way of the verdict."""
    if change.example is None or not change.example.decided:
        return
    came = [decided(text, change.example.story) for text in (old, new)]
    for outcome, said in zip(came, change.example.decided, strict=True):
        assert said.split()[0] == outcome
    if came == ["allow", "allow"]:
        return
    ranks = [RANK.index(outcome) for outcome in came]
    assert {"stricter": ranks[1] > ranks[0], "looser": ranks[1] < ranks[0]}.get(change.lean.verdict, True)


def decided(text: str, story) -> str:
    """The last call of a story, told here once more: how the example comes to be is not asked."""
    program = _core.Program.load(compile_source(text, "p.rein"))
    run = _core.Run(program, seed=1, now=0, ledger=_core.Ledger.memory(), user="ann")
    for tool in story.first:
        allowed = run.tool_call(0, 0, None, tool, {}, story.event["facts"])
        if allowed.attempt is not None:
            run.settle(0, 0, allowed.attempt, "exact")
    decision = None
    for number in range(story.times):
        event = story.event
        if "tool" in event:
            args = event["args"] | ({"call": number} if story.varied else {})
            decision = run.tool_call(0, 0, None, event["tool"], args, event["facts"])
        else:
            said = [(number * story.varied, event["input_tokens"])]
            asked = event["model"], event["input_tokens"]
            decision = run.model_call(0, 0, None, *asked, None, event["facts"], [], said)
        if decision.attempt is not None:
            run.settle(
                0, 0, decision.attempt, "exact", event.get("input_tokens", 0), decision.output_cap or 0
            )
    assert decision is not None
    return decision.outcome


def test_examples_are_told_and_replayed():
    """Where something else decides a first call, others come before it; or nothing is made up."""
    loose = BASE.replace('order "look" { "search" before "refund" within run } else deny', "")
    found = diff(loose, loose.replace("> $1000", "> $2000"))
    [change] = found.changes
    assert change.example is not None
    assert change.example.facts == (("call.args.amount", "$1001.00"),)
    assert change.example.decided == ("deny by rule `huge`", "escalate `leads` by rule `big`")
    replay(change, loose, loose.replace("> $1000", "> $2000"))
    hidden = diff(BASE, BASE.replace("> $1000", "> $2000")).changes[0].example
    assert hidden is not None
    assert hidden.story.first == ("search",)
    assert hidden.decided == change.example.decided
    never = BASE.replace(
        'queue "leads"', 'rule "0" on tool "search" then stop "over" because "No." queue "leads"'
    )
    other = diff(never, never.replace("> $1000", "> $2000")).changes[0].example
    assert other is not None
    assert other.decided == ()


COURSES = {
    "a count": ("tool_calls <= 40", "tool_calls <= 30", 31, True),
    "money": ("cost <= $0.50", "cost <= $0.30", 8, True),
    "a loop": ("same call >= 3", "same call >= 4", 3, False),
    "an order": ('"search" before "refund"', '"refund" before "search"', 1, True),
}


@pytest.mark.parametrize("course", COURSES)
def test_what_a_run_comes_to_is_shown_by_a_run(course):
    before, after, calls, varied = COURSES[course]
    new = BASE.replace(before, after)
    shown = [change for change in diff(BASE, new).changes if change.example and change.example.decided]
    assert {(change.example.story.times, change.example.story.varied) for change in shown} == {
        (calls, varied)
    }
    for change in shown:
        replay(change, BASE, new)


def test_two_approvals_are_more_than_one():
    two = BASE.replace('queue "leads"', 'rule "too" on tool "refund" when call.args.amount > $100 then '
                       'escalate to "leads" because "Two look." queue "leads"', 1)  # fmt: skip
    found = diff(two, BASE)
    assert found.whole.verdict == "looser"
    assert "maybe by fewer" in found.changes[0].says


def test_counters_of_a_run_are_facts_too():
    late = BASE.replace("> $1000", "> $1000 and run.tool_calls.spent > 3")
    found = diff(BASE, late)
    assert found.whole.verdict == "looser"
    later = diff(late, BASE.replace("> $1000", "> $1000 and run.tool_calls.spent > 4"))
    [change] = later.changes
    assert (change.lean.verdict, change.example.decided) == ("looser", ())


def test_what_is_left_to_a_user_is_a_fact_too():
    limit = 'limit "day" on user each day { cost <= $5 } else deny queue "leads"'
    poor = BASE.replace('queue "leads"', limit).replace(
        'data.class == "internal" then', "user.cost.left < $1 then"
    )
    assert diff(poor, poor.replace("left < $1", "left <= $1")).whole.verdict == "stricter"
    assert diff(poor, poor.replace("cost <= $5 }", "cost <= $6 }")).whole.verdict == "not decided"


def test_what_is_left_depends_on_the_limits():
    left = BASE.replace("> $1000", "> $1000 or run.tool_calls.left < 3")
    found = diff(left, left.replace("tool_calls <= 40", "tool_calls <= 30"))
    assert {found.lean(p).verdict for p in found.points if p.name == "refund"} == {"not decided"}


def test_an_answer_is_no_approval():
    """What asks a person may let the call pass; a known result or an answer is given in its place."""
    reuse = BASE.replace('escalate to "leads" because', "reuse because")
    assert diff(BASE, reuse).lean(Point("tool", "refund")).verdict == "incomparable"
    answers = BASE.replace('deny because "Not now."', 'answer "Not now." because "Not now."')
    asks = BASE.replace('deny because "Not now."', 'escalate to "leads" because "Not now."')
    assert diff(answers, asks).lean(MODELS_POINT).verdict == "incomparable"


def test_an_answer_without_one_of_its_facts_denies():
    plain = BASE.replace('deny because "Not now."', 'answer "Not now." because "Not now."')
    told = plain.replace('answer "Not now."', 'answer "Not now: {data.class}."')
    assert diff(plain, told).whole.verdict == "incomparable"
    assert diff(plain, plain.replace('answer "Not now."', 'answer "Later."')).whole.verdict == "equivalent"


def test_what_is_not_known_is_never_equivalent(monkeypatch):
    """A statement, a part of one or a comparison that this version of the comparison has not heard of."""
    edited = BASE.replace("tool_calls <= 40", "tool_calls <= 41")
    known = {kind: names for kind, names in shapes._KNOWN.items() if kind is not tree.Truth}
    monkeypatch.setattr(shapes, "_KNOWN", known)
    found = diff(BASE, edited)
    assert {found.lean(point).verdict for point in found.points} == {"not decided"}
    monkeypatch.setattr(shapes, "_KNOWN", shapes._KNOWN | {tree.Truth: "name otherwise", tree.Rule: "name"})
    found = diff(BASE, edited)
    assert {found.lean(point).verdict for point in found.points} == {"not decided"}
    assert "`selector` is not compared" in {change.says for change in found.changes}
    monkeypatch.undo()
    monkeypatch.setattr(shapes, "_LEAVES", (tree.Compare,))
    same = BASE.replace("risk.big then", 'call.args.order starts with "A" then').replace(" optional }", " }")
    found = diff(same, same.replace("tool_calls <= 40", "tool_calls <= 41"))
    assert "what conditions say by `affix` is not compared" in {change.says for change in found.changes}
    assert found.lean(Point("tool", "refund")).verdict == "not decided"


def test_known_results_depend_on_what_has_to_be_looked_at_again():
    known = BASE.replace(
        'queue "leads"', 'rule "r" on tool "search" then reuse because "Known." queue "leads"'
    )
    found = diff(known, known.replace('"refund" within run }', '"refund" within run again after "refund" }'))
    assert found.lean(Point("tool", "search")).verdict == "not decided"
    gone = known.replace('order "look" { "search" before "refund" within run } else deny\n', "")
    again = known.replace('"refund" within run }', '"refund" within run again after "refund" }')
    assert diff(gone, again).lean(Point("tool", "search")).verdict == "not decided"


def test_what_a_call_may_cost_depends_on_its_model():
    dear = BASE.replace(
        'on model any when data.class == "internal" then', 'on model "large" when call.cost > $1 then'
    )
    assert diff(dear, dear.replace("> $1 then", ">= $1 then")).whole.verdict == "stricter"
    assert (
        diff(dear, dear.replace("output 4k", "output 5k")).lean(Point("model", "large")).verdict
        == "not decided"
    )


def test_without_a_shared_store_each_machine_may_count_by_itself():
    shared = BASE.replace("limit", "store shared\nlimit", 1)
    assert (diff(shared, BASE).whole.verdict, diff(BASE, shared).whole.verdict) == ("looser", "stricter")


def test_zones_and_hours():
    late = BASE.replace('data.class == "internal" then', "now.hour >= 22 then")
    rome = late.replace("define", 'clock in "Europe/Rome" define')
    assert diff(late, rome).lean(MODELS_POINT).verdict == "not decided"
    assert diff(rome, rome.replace(">= 22", "> 21")).whole.verdict == "equivalent"
    assert diff(rome, rome.replace(">= 22", "> 22")).whole.verdict == "looser"
