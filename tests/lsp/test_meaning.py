"""What an editor shows about a place, and where it leads: over stdio, by a real client."""

from pathlib import Path

import pytest
from lsprotocol import types

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUPPORT = Path(__file__).parents[2] / "grammar" / "examples" / "support.rein"


async def hover(editor, words, after=0):
    params = types.HoverParams(editor.document, editor.at(words, after))
    said = await editor.client.text_document_hover_async(params)
    return said and said.contents.value


async def leads_to(editor, words, after=0):
    params = types.DefinitionParams(editor.document, editor.at(words, after))
    return [each.range.start for each in await editor.client.text_document_definition_async(params)]


async def test_a_finding_has_its_page(editor):
    await editor.open('language 1\npolicy "p"\nloop off\nrule "r" on tool "t" then deny because "No."\n')
    assert (await hover(editor, '"t"')).startswith("# R0101: unknown name")
    assert await hover(editor, "then") is None


async def test_names_show_what_they_stand_for(editor):
    await editor.open(SUPPORT.read_text())
    assert (await hover(editor, '"small" when', 2)).startswith(
        '```rein\nmodel "small" is "llama.cpp/qwen3-4b" {'
    )
    assert await hover(editor, "risk.big_refund\n") == (
        "```rein\ndefine risk.big_refund = call.args.amount > $100\n```"
    )
    assert await hover(editor, "call.args.amount") == 'argument `"amount" money in cents`'
    assert await hover(editor, "step.confidence") == (
        "`step.confidence` is percent; known everywhere; may be missing"
    )
    assert '`error.kind` is text; known in a `retry`; one of `"timeout"`,' in await hover(
        editor, "error.kind"
    )
    assert (await hover(editor, '"big refunds"\n', 3)).startswith(
        '```rein\nrule "big refunds" on tool "refund"'
    )


async def test_quantities_show_their_unit_and_limits_the_worst_case(editor):
    await editor.open(SUPPORT.read_text())
    assert await hover(editor, "200k tokens\n  steps") == "tokens: 200,000"
    assert await hover(editor, "2 min") == "duration: 120 s"
    assert await hover(editor, "$0.50") == "money: $0.50, 500,000,000 billionths inside"
    for name in ('"per run"', '"support"'):
        shown = await hover(editor, name)
        assert "worst case of a run" in shown
        assert "$0.50  limit `per run`" in shown
    editor.type(SUPPORT.read_text() + 'rule "r" on tool "nowhere" then deny because "No."')
    assert not await hover(editor, '"support"')


async def test_a_use_leads_to_its_declaration(editor):
    await editor.open(SUPPORT.read_text())
    for use, declared in {
        '"large" -> "small"': 'model "large"',
        '"search_kb" before': 'tool "search_kb"',
        '"over_limit"\n\nretry': 'state "over_limit"',
        '"leads" because': 'queue "leads"',
        '"unanswered" }': 'state "unanswered"',
        "risk.big_refund\n  then": "define risk.big_refund",
        'data.class == "pii"': "fact data.class",
        "call.args.amount >": '"amount" money',
        '"amount" $250': '"amount" money',
        '"look before you leap"\n}': 'order "look before you leap"',
        '"refund"\n  when': 'tool "refund"',
    }.items():
        word = declared.split()[0]
        offset = 0 if word.startswith('"') else len(word) + 1
        assert await leads_to(editor, use, 1) == [editor.at(declared, offset)], use


async def test_claims_and_what_the_engine_sets(editor):
    await editor.open(
        SUPPORT.read_text()
        + 'assert never tool "refund" unless "search_kb" succeeded\n'
        + 'tool "track" { class retrieve result { "rows" count } succeeds when result.rows > 0 }\n'
    )
    assert await leads_to(editor, '"search_kb" succeeded') == [editor.at('"search_kb" { class')]
    assert await hover(editor, "result.rows >") == 'field `"rows" count`'
    editor.type(SUPPORT.read_text().replace("step.confidence < 40%", "run.cost.left < $0.10"))
    assert (await hover(editor, "run.cost.left")) == "`run.cost.left` is money; known everywhere"


async def test_words_of_the_language_lead_nowhere(editor):
    await editor.open(SUPPORT.read_text())
    assert await leads_to(editor, "retry") == []
    assert await leads_to(editor, "step.kind") == []


async def test_what_can_be_read_has_a_meaning_beside_what_cannot(editor):
    await editor.open(SUPPORT.read_text() + "\nrule oops\n")
    assert await leads_to(editor, '"leads" because', 1) == [editor.at('"leads" { expires')]
