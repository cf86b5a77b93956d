"""What an editor is told while its author types, and what it may change: over stdio, by a real client."""

import pytest
from lsprotocol import types

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD = 'language 1\npolicy "p"\nloop off\n'
WRONG = HEAD + (
    'tool "search" { class retrieve }\n'
    'rule "off" on tool "serch" then stop "over" because "It is off."\n'
    'state "over" tell user "Gone."\n'
)


async def actions(editor, words, only=None):
    at = editor.at(words)
    params = types.CodeActionParams(
        editor.document, types.Range(at, at), types.CodeActionContext(diagnostics=[], only=only)
    )
    return await editor.client.text_document_code_action_async(params)


async def test_findings_are_told_with_their_place_code_and_help(editor):
    (found,) = await editor.open(WRONG)
    assert found.code == "R0101"
    assert found.severity == types.DiagnosticSeverity.Error
    assert found.message == "unknown tool `serch`\nhelp: did you mean `search`?"
    assert (found.range.start, found.range.end) == (editor.at('"serch"'), editor.at('"serch"', 7))


async def test_columns_count_as_editors_count(editor):
    # An emoji is two units of UTF-16, and one character of Python.
    text = HEAD + 'state "over" tell user "\U0001f600"  state "lost" tell user "\U0001f600"\n'
    found = await editor.open(text)
    assert [each.code for each in found] == ["R0109", "R0109"]
    assert found[1].range.start == editor.at('"lost"')
    assert found[1].range.start.character == 35


async def test_findings_follow_the_typing_and_go_when_the_file_is_closed(editor):
    assert await editor.open(WRONG) != []
    editor.type(WRONG.replace("serch", "search"))
    told = await editor.told.get()
    assert (told.version, told.diagnostics) == (editor.version, ())
    editor.client.text_document_did_close(types.DidCloseTextDocumentParams(editor.document))
    assert await editor.findings() == []


async def test_the_settings_of_the_project_hold(editor):
    (editor.path.parent / "pyproject.toml").write_text('[tool.checkrein]\nignore = ["R0109"]\n')
    assert await editor.open(HEAD + 'state "over" tell user "Gone."\n') == []


async def test_a_text_that_cannot_be_read_is_no_end(editor):
    (found,) = await editor.open(HEAD + "\u200b")
    assert found.code == "R0003"
    editor.type(HEAD)
    assert await editor.findings() == []


async def test_a_name_that_was_meant_is_a_quick_fix(editor):
    await editor.open(WRONG)
    (fix,) = await actions(editor, "serch")
    assert (fix.title, fix.kind) == ('replace `"serch"` with `"search"`', types.CodeActionKind.QuickFix)
    # It may be another name that was meant: no editor applies it unasked.
    assert fix.is_preferred is False
    assert editor.changed(fix.edit.changes[editor.uri]) == WRONG.replace("serch", "search")


async def test_a_sure_fix_is_preferred_and_part_of_fixing_all(editor):
    text = HEAD.replace("loop off", "") + (
        'limit "l" on run { cost <= 0.50$ } else stop "s"\nstate "s" tell user "Gone."\n'
    )
    await editor.open(text)
    (fix,) = await actions(editor, "0.50$")
    assert fix.is_preferred is True
    assert editor.changed(fix.edit.changes[editor.uri]) == text.replace("0.50$", "$0.50")
    (every,) = await actions(editor, "language", [types.CodeActionKind.SourceFixAll])
    assert editor.changed(every.edit.changes[editor.uri]) == text.replace("0.50$", "$0.50")


async def test_who_asks_for_other_actions_gets_none(editor):
    await editor.open(WRONG.replace("tool", "Tool", 1))
    for kinds, offered in {
        ("quickfix",): {"quickfix"},
        ("source",): {"source.fixAll"},
        ("source.fixAll.checkrein", "quickfix"): {"source.fixAll", "quickfix"},
        ("source.organizeImports", "refactor"): set(),
    }.items():
        assert {each.kind for each in await actions(editor, "Tool", list(kinds))} == offered


async def test_the_layout_is_that_of_fmt(editor):
    await editor.open('language 1 policy "p"\nloop   off # \U0001f600')
    params = types.DocumentFormattingParams(editor.document, types.FormattingOptions(8, insert_spaces=False))
    edits = await editor.client.text_document_formatting_async(params)
    assert editor.changed(edits) == 'language 1\npolicy "p"\nloop off  # \U0001f600\n'
    editor.type(editor.changed(edits))
    assert not await editor.client.text_document_formatting_async(params)
    editor.type('language 1 policy "p" loop {')
    assert not await editor.client.text_document_formatting_async(params)
