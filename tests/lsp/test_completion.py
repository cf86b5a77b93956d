"""What an editor offers to write, by the grammar and by the policy; the request itself over stdio."""

from pathlib import Path

import pytest
from lsprotocol import types

from checkrein.lsp.completion import completion
from checkrein.lsp.document import Document

SUPPORT = (Path(__file__).parents[2] / "grammar" / "examples" / "support.rein").read_text()


def at_cursor(text):
    """A document, and where `|` stands in the text after the example."""
    before = SUPPORT + text.partition("|")[0]
    return Document(before + text.partition("|")[2], "open.rein"), len(before)


def offered(text, kind=None):
    """The candidates at `|`."""
    found = completion(*at_cursor(text))
    return [each.text for each in found.candidates if kind in (None, each.kind)] if found else None


def taken(text, candidate):
    """The last lines once a candidate is taken at `|`."""
    document, offset = at_cursor(text)
    found = completion(document, offset)
    assert candidate in [each.text for each in found.candidates]
    return (document.text[: found.start] + candidate + document.text[found.end :])[len(SUPPORT) :]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('rule "r" on tool "|', ['"search_kb"', '"refund"']),
        ('rule "r" on model "|', ['"small"', '"large"']),
        ('rule "r" on model any then escalate to "|', ['"leads"', '"user"']),
        ('require "r" model in ["small", "|', ['"small"', '"large"']),
        ('require "r" place edge when data.class == "|', ['"public"', '"internal"', '"pii"']),
        ('require "r" place edge when data.class in ["pii", |', ['"public"', '"internal"', '"pii"']),
        ('order "o" { "|', ['"search_kb"', '"refund"']),
        ('order "o" { class retrieve before "refund" matching "|', ['"amount"', '"order_id"', '"query"']),
        ('assert never tool "refund" unless "|', ['"search_kb"', '"refund"']),
        ('test "t" { tool "|', ['"search_kb"', '"refund"']),
        ('test "t" { tool "refund" { "|', ['"order_id"', '"amount"']),
        ('test "t" { tool "refund" { "order_id" "A" |', ['"order_id"', '"amount"']),
        ('test "t" { model { data.class "|', ['"public"', '"internal"', '"pii"']),
        ('test "t" { expect allow on "|', ['"small"', '"large"']),
        # What is being named has no name yet.
        ('tool "|', []),
        ('model "|', []),
        ('rule "|', []),
    ],
)
def test_names_are_those_that_fit(text, names):
    assert offered(text) == names or offered(text, "name") == names


def test_states_and_statements_by_their_name():
    assert '"over_limit"' in offered('limit "l" on run { steps <= 3 } else stop "|')
    assert offered('test "t" { expect deny by "|')[:2] == ['"per run"', '"flaky tools"']
    assert '"timeout"' in offered('test "t" { tool "refund" { } fails "|')
    assert offered('test "t" { model { } gives { |', "fact") == ["result.confidence"]


def test_words_are_those_that_the_grammar_allows():
    assert offered('rule "r" |') == ["on"]
    assert offered('rule "r" on |') == ["model", "tool"]
    assert {"cost <=", "calls", "at", "wrap"} <= set(offered('limit "l" on run { |'))
    assert {"rule", "limit", "loop", "test"} <= set(offered("\n|"))
    assert {"rule", "retry", "route"} <= set(offered("\nr|"))


def test_facts_are_those_that_the_statement_sees():
    on_tool = offered('rule "r" on tool "refund" when |', "fact")
    assert {"call.args.order_id", "call.args.amount", "data.class", "risk.big_refund", "call.tool"} <= set(
        on_tool
    )
    assert not {"call.args.query", "error.kind", "call.input_tokens"} & set(on_tool)
    on_model = offered('rule "r" on model any when |', "fact")
    assert "call.input_tokens" in on_model
    assert "call.args.amount" not in on_model
    assert "error.kind" in offered('retry "r" on tool any { when |', "fact")
    assert "result.confidence" in offered('route "r" { to "small" then "large" when |', "fact")
    assert "result.rows" in offered('tool "t" { class act result { "rows" count } succeeds when |', "fact")
    assert {"now.hour", "now.weekday"} <= set(on_tool)
    assert ("call.cost" in on_model, "call.cost" in offered('rule "r" on model "large" when |')) == (
        False,
        True,
    )
    assert offered("fact |", "fact") == []
    in_test = offered('test "t" { facts { |', "fact")
    assert in_test == ["data.class", "step.confidence", "step.kind"]


def test_facts_of_limits_are_offered_where_there_is_such_a_limit():
    of_team = 'limit "day" on team each day { cost <= $9 } else deny\n'
    rule = 'rule "r" on tool "refund" when |'
    assert not [name for name in offered(rule) if name.startswith("team.cost.")]
    one = [name for name in offered(of_team + rule) if name.startswith("team.") and name != "team.id"]
    assert one == ["team.cost.spent", "team.cost.held", "team.cost.left", "team.cost.age"]
    two = offered(of_team + 'limit "month" on team each month { cost <= $90 } else deny\n' + rule)
    assert "team.cost.spent" not in two
    assert "team.cost.left" in two


def test_time_zones_and_weekdays_by_their_name():
    assert '"Europe/Rome"' in offered('clock in "|')
    assert '"Europe/Rome"' in offered('limit "l" on user each day in "|')
    assert '"monday"' in offered('rule "r" on tool any when now.weekday == "|')


def test_what_is_begun_is_replaced_whole():
    assert taken('rule "r" on tool "se|"', '"search_kb"') == 'rule "r" on tool "search_kb"'
    assert taken('rule "r" on tool "|', '"refund"') == 'rule "r" on tool "refund"'
    assert taken('rule "r" on tool "ref| then deny because "No."', '"refund"') == (
        'rule "r" on tool "refund" then deny because "No."'
    )
    assert taken('rule "r" on tool any when data.cl|', "data.class") == 'rule "r" on tool any when data.class'
    assert taken('rule "r" on to|ol any', "tool") == 'rule "r" on tool any'


@pytest.mark.parametrize("text", ["# rule |", 'rule "r" on ! |', 'state "s" tell user "\\"|'])
def test_nothing_where_nothing_can_be_said(text):
    assert not offered(text)


def test_nowhere_in_a_policy_is_an_accident():
    whole = Document(SUPPORT, "open.rein")
    for offset in range(0, len(SUPPORT), 17):
        completion(whole, offset)
    for offset in range(0, len(SUPPORT), 97):
        completion(Document(SUPPORT[:offset], "open.rein"), offset)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_editor_gets_them_with_their_edit(editor):
    text = SUPPORT + 'rule "\U0001f600" on tool "se"'
    await editor.open(text)
    params = types.CompletionParams(editor.document, editor.at('"se"', 3))
    items = await editor.client.text_document_completion_async(params)
    item = next(each for each in items if each.label == '"search_kb"')
    assert item.detail == "tool"
    assert editor.changed([item.text_edit]) == text.replace('"se"', '"search_kb"')
