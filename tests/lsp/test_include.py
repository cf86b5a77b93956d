"""Policies of several files in an editor: findings where they are included, definitions elsewhere."""

import pytest
from lsprotocol import types

from checkrein.lsp.completion import completion
from checkrein.lsp.document import Document
from checkrein.lsp.help import help_at

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD = 'language 1\npolicy "p"\nloop off\n'
ROOT = HEAD + 'include "a.rein"\nrule "r" on tool "search" then stop "over" because "No."\n'
COMMON = '# \U0001f600\ntool "search" { class retrieve }  state "over" tell user "Done."\n'


@pytest.fixture
def parts(editor):
    (editor.path.parent / "a.rein").write_text('include "b.rein"\n')
    (editor.path.parent / "b.rein").write_text(COMMON)
    return editor.path.parent


async def test_a_definition_is_where_it_is_declared(editor, parts):
    assert await editor.open(ROOT) == []
    params = types.DefinitionParams(editor.document, editor.at('"over"', 2))
    (found,) = await editor.client.text_document_definition_async(params)
    assert found.uri == (parts / "b.rein").as_uri()
    assert (found.range.start.line, found.range.start.character) == (1, 40)
    params = types.DefinitionParams(editor.document, editor.at('"a.rein"', 2))
    (found,) = await editor.client.text_document_definition_async(params)
    assert found.uri == (parts / "a.rein").as_uri()
    hover = await editor.client.text_document_hover_async(
        types.HoverParams(editor.document, editor.at('"search"', 2))
    )
    assert 'tool "search" { class retrieve }' in hover.contents.value


async def test_what_is_wrong_there_is_told_where_it_is_included(editor, parts):
    (parts / "b.rein").write_text(COMMON + "tool other { }\n")
    (found,) = await editor.open(ROOT)
    assert found.message.startswith(f"{parts / 'b.rein'}:3: ")
    assert found.range.start == editor.at('"a.rein"')
    (related,) = found.related_information
    assert related.location.uri == (parts / "b.rein").as_uri()
    assert related.location.range.start == types.Position(2, 5)
    (parts / "b.rein").write_text(COMMON)
    editor.type(ROOT + "\n")
    assert await editor.findings() == []
    (parts / "b.rein").unlink()
    editor.type(ROOT)
    (found,) = await editor.findings()
    assert found.code == "R0580"


async def test_a_file_that_is_included_has_its_syntax_looked_at(editor):
    assert await editor.open(COMMON + 'rule "r" on tool "elsewhere" then deny because "No."\n') == []
    editor.type(COMMON + "tool other { }\n")
    (found,) = await editor.findings()
    assert found.range.start == editor.at("other")


async def test_what_is_open_counts_before_its_file(editor, parts):
    assert await editor.open(ROOT) == []
    uri = (parts / "b.rein").as_uri()
    item = types.TextDocumentItem(uri, "rein", 1, COMMON.replace('"over"', '"gone"'))
    editor.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    (found,) = await editor.findings()
    assert found.message.startswith("unknown state `over`")
    editor.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))


async def test_a_part_is_completed_as_a_policy_is():
    text = COMMON + 'rule "r" on tool "'
    found = completion(Document(text, "b.rein"), len(text))
    assert '"search"' in [each.text for each in found.candidates]
    words = [each.text for each in completion(Document(COMMON, "b.rein"), len(COMMON)).candidates]
    assert {"rule", "tool"} <= set(words)
    assert [each.text for each in completion(Document("", "new.rein"), 0).candidates] == ["language"]
    assert help_at(Document(COMMON, "b.rein"), 0) is None
