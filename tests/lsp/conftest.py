"""An editor: pygls' client, which starts the real server and talks to it over stdin and stdout."""

import asyncio
import functools
import sys

import pytest
import pytest_asyncio
from lsprotocol import types
from pygls.lsp.client import LanguageClient

SERVER = ["-c", "from checkrein.cli.main import main; main()", "lsp", "--stdio"]
END = 60
"""Seconds after which a server that was asked to end hangs."""


class Editor:
    """One file in an editor."""

    def __init__(self, client, folder):
        self.client = client
        self.path = folder / "open.rein"
        self.uri = self.path.as_uri()
        self.text = ""
        self.told = asyncio.Queue()
        self.version = 0
        client.protocol.fm.features.pop(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, None)
        client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(functools.partial(self.hear))

    def hear(self, params):
        if params.uri == self.uri:
            self.told.put_nowait(params)

    async def open(self, text):
        """What is told about the file when it is opened."""
        self.text = text
        self.version += 1
        document = types.TextDocumentItem(self.uri, "rein", self.version, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(document))
        return await self.findings()

    async def findings(self):
        return list((await self.told.get()).diagnostics)

    def type(self, text):
        """The whole text anew, as after a keystroke."""
        self.text = text
        self.version += 1
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self.version, self.uri),
                [types.TextDocumentContentChangeWholeDocument(text)],
            )
        )

    @property
    def document(self):
        return types.TextDocumentIdentifier(self.uri)

    def at(self, words, after=0):
        """The place of the first such words in the text, and so many characters on."""
        before = self.text[: self.text.index(words) + after]
        line = before.rpartition("\n")[2]
        return types.Position(before.count("\n"), len(line.encode("utf-16-le")) // 2)

    def changed(self, edits):
        """The text after edits, which may not overlap."""
        lines = [*self.text.splitlines(keepends=True), ""]

        def offset(at):
            line = lines[at.line].encode("utf-16-le")[: at.character * 2].decode("utf-16-le")
            return sum(map(len, lines[: at.line])) + len(line)

        text = self.text
        for edit in sorted(edits, key=lambda each: offset(each.range.start), reverse=True):
            text = text[: offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end) :]
        return text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory):
    """One server for a module, as an editor has one for all its files."""
    client, root = LanguageClient("test-editor", "1"), tmp_path_factory.mktemp("root")
    await client.start_io(sys.executable, *SERVER, cwd=root)
    params = types.InitializeParams(types.ClientCapabilities(), root_uri=root.as_uri())
    await client.initialize_async(params)
    client.initialized(types.InitializedParams())
    # Read all the time: a server that says much to nobody would stand still.
    stderr = asyncio.create_task(client._server.stderr.read())
    yield client
    step = "shutdown"
    try:
        async with asyncio.timeout(END):
            await client.shutdown_async(None)
            step = "exit"
            client.exit(None)
            await client.stop()
    except TimeoutError:
        client._server.kill()
        pytest.fail(f"{step} took longer than {END} s; the server said: {(await stderr).decode()}")
    assert (client._server.returncode, (await stderr).decode()) == (0, "")


@pytest.fixture
def editor(client, tmp_path):
    return Editor(client, tmp_path)
