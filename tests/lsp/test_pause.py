"""When findings are told: by a clock that the test moves, with the real server and a stdout in memory."""

import asyncio
import io
import re

import pytest
import pytest_asyncio
from lsprotocol import types
from pygls.io_ import StdoutWriter

from checkrein.lsp.server import PAUSE, Service

pytestmark = pytest.mark.asyncio

URI = "file:///nowhere/open.rein"
TEXT = 'language 1\npolicy "p"\nloop off\n'


class Author:
    """Somebody who types, and what their editor is told of the file."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)
        self.protocol, self.stdout = Service().server.protocol, io.BytesIO()
        self.protocol.set_writer(StdoutWriter(self.stdout))
        self.send(types.InitializeRequest(1, types.InitializeParams(types.ClientCapabilities())))
        self.version = 1
        document = types.TextDocumentItem(URI, "rein", self.version, TEXT)
        self.send(types.DidOpenTextDocumentNotification(types.DidOpenTextDocumentParams(document)))

    def send(self, message):
        self.protocol.handle_message(message)

    def type(self):
        self.version += 1
        change = types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(self.version, URI),
            [types.TextDocumentContentChangeWholeDocument(TEXT + "#" * self.version)],
        )
        self.send(types.DidChangeTextDocumentNotification(change))

    async def wait(self, seconds):
        self.now += seconds
        for _ in range(2):  # a turn of the loop that finds what is due, and one after it
            await asyncio.sleep(0)

    @property
    def told(self):
        """The versions of the file that something was told about."""
        return [int(each) for each in re.findall(rb'"version": (\d+)', self.stdout.getvalue())]


@pytest_asyncio.fixture
async def author(monkeypatch):
    return Author(monkeypatch)


async def test_several_keystrokes_have_one_answer_when_the_author_pauses(author):
    assert author.told == [1]
    for _ in range(3):
        author.type()
        await author.wait(PAUSE * 0.9)
    assert author.told == [1]
    await author.wait(PAUSE * 0.2)
    assert author.told == [1, 4]
    await author.wait(PAUSE * 2)
    assert author.told == [1, 4]


@pytest.mark.parametrize("is_asked", [True, False])
async def test_nothing_is_told_once_the_editor_has_gone(author, caplog, is_asked):
    # As on a slow machine: the answer to the last keystroke is due while stdout is being closed.
    author.type()
    if is_asked:
        author.send(types.ShutdownRequest(2))
    author.now += PAUSE * 2
    with pytest.raises(SystemExit) as ended:
        author.send(types.ExitNotification())
    assert ended.value.code == (0 if is_asked else 1)
    await author.wait(0)
    assert caplog.messages == []
