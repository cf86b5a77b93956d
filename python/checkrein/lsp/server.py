"""The Language Server Protocol, by pygls: requests of an editor to questions about a document, and back."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

import checkrein
from checkrein.language.tree import OWN, Span
from checkrein.lsp.changes import all_fixed, changes, formatted
from checkrein.lsp.completion import completion
from checkrein.lsp.document import Document, Place
from checkrein.lsp.help import help_at
from checkrein.lsp.uses import declarations, use_at

if TYPE_CHECKING:
    from checkrein.diagnostics import Diagnostic, Edit

PAUSE = 0.15
"""Seconds without a keystroke after which findings are told."""
SOURCE = "checkrein"
SEVERITIES = {"error": types.DiagnosticSeverity.Error, "warning": types.DiagnosticSeverity.Warning}
KINDS = {
    "name": types.CompletionItemKind.Value,
    "fact": types.CompletionItemKind.Variable,
    "word": types.CompletionItemKind.Keyword,
}
"""In the order in which candidates are shown."""


class Service:
    """What one editor is served with."""

    def __init__(self) -> None:
        # Whole texts: they are small, and nobody has to agree on what a changed part is.
        full = types.TextDocumentSyncKind.Full
        self.server = LanguageServer("checkrein", checkrein.__version__, text_document_sync_kind=full)
        self._documents: dict[str, Document] = {}
        self._pending: dict[str, asyncio.TimerHandle] = {}
        answers: list[tuple[str, Any, Any]] = [
            (types.TEXT_DOCUMENT_DID_OPEN, self.opened, None),
            (types.TEXT_DOCUMENT_DID_CHANGE, self.changed, None),
            (types.TEXT_DOCUMENT_DID_SAVE, self.opened, None),
            (types.TEXT_DOCUMENT_DID_CLOSE, self.closed, None),
            (types.TEXT_DOCUMENT_COMPLETION, self.completion, types.CompletionOptions(
                trigger_characters=['"', "."],
            )),
            (types.TEXT_DOCUMENT_HOVER, self.hover, None),
            (types.TEXT_DOCUMENT_DEFINITION, self.definition, None),
            (types.TEXT_DOCUMENT_FORMATTING, self.formatting, None),
            (types.TEXT_DOCUMENT_CODE_ACTION, self.actions, types.CodeActionOptions(code_action_kinds=[
                types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll,
            ])),
            (types.EXIT, self.ended, None),
        ]  # fmt: skip
        for feature, answer, options in answers:
            # pygls writes on what it registers, which a bound method does not allow.
            self.server.feature(feature, options)(partial(answer))

    # -- findings --------------------------------------------------------------------------------------

    def opened(self, params: Any) -> None:
        """Tell what is wrong with a document at once."""
        self._tell(params.text_document.uri)

    def changed(self, params: types.DidChangeTextDocumentParams) -> None:
        """Tell it when the author pauses."""
        uri = params.text_document.uri
        self._forget_pending(uri)
        self._pending[uri] = asyncio.get_running_loop().call_later(PAUSE, self._tell, uri)

    def closed(self, params: types.DidCloseTextDocumentParams) -> None:
        """Take back what was told."""
        uri = params.text_document.uri
        self._forget_pending(uri)
        self._documents.pop(uri, None)
        self._publish(types.PublishDiagnosticsParams(uri, []))
        self._tell_others(uri)

    def ended(self, params: None) -> None:  # noqa: ARG002
        """Tell nothing any more: stdout is closed next, and what is due then would be written there.

        pygls tells the editor what it could not write by writing that too, and so on, until stderr is full.
        """
        for uri in list(self._pending):
            self._forget_pending(uri)

    def _tell(self, uri: str) -> None:
        self._forget_pending(uri)
        self._tell_of(uri)
        self._tell_others(uri)

    def _tell_others(self, uri: str) -> None:
        """Tell what is wrong with the documents that may include this one."""
        for other, document in list(self._documents.items()):
            if other != uri and document.policy is not None and document.policy.includes:
                self._tell_of(other)

    def _tell_of(self, uri: str) -> None:
        document = self._document(uri)
        version = self.server.workspace.get_text_document(uri).version
        found = [self._diagnostic(document, uri, finding) for finding in document.findings]
        self._publish(types.PublishDiagnosticsParams(uri, found, version))

    def _publish(self, params: types.PublishDiagnosticsParams) -> None:
        self.server.text_document_publish_diagnostics(params)

    def _forget_pending(self, uri: str) -> None:
        pending = self._pending.pop(uri, None)
        if pending is not None:
            pending.cancel()

    def _diagnostic(self, document: Document, uri: str, finding: Diagnostic) -> types.Diagnostic:
        start, end = (finding.span.start, finding.span.end) if finding.span else (0, 0)
        related = [
            types.DiagnosticRelatedInformation(self._location(document, uri, each.span), each.message)
            for each in finding.related
        ]
        message = finding.message
        if finding.expected:
            message += f"\nexpected: {', '.join(finding.expected)}"
        if finding.example:
            message += f"\nexample: {finding.example}"
        if finding.help:
            message += f"\nhelp: {finding.help}"
        return types.Diagnostic(
            range=self._range(document, start, end),
            message=message,
            severity=SEVERITIES[finding.severity],
            code=finding.code,
            source=SOURCE,
            related_information=related or None,
        )

    # -- meaning ---------------------------------------------------------------------------------------

    def hover(self, params: types.HoverParams) -> types.Hover | None:
        """What there is to say about a place."""
        document = self._document(params.text_document.uri)
        said = help_at(document, self._offset(document, params.position))
        if said is None:
            return None
        content = types.MarkupContent(types.MarkupKind.Markdown, said.text)
        return types.Hover(content, self._range(document, said.start, said.end))

    def completion(self, params: types.CompletionParams) -> list[types.CompletionItem]:
        """What can be written at a place: names first, then facts, then words of the language."""
        document = self._document(params.text_document.uri)
        found = completion(document, self._offset(document, params.position))
        if found is None:
            return []
        replaced = self._range(document, found.start, found.end)
        return [
            types.CompletionItem(
                label=each.text,
                kind=KINDS[each.kind],
                detail=each.detail or None,
                sort_text=f"{list(KINDS).index(each.kind)}{number:05}",
                text_edit=types.TextEdit(replaced, each.text),
            )
            for number, each in enumerate(found.candidates)
        ]

    def definition(self, params: types.DefinitionParams) -> list[types.Location]:
        """Where the name at a place is declared."""
        uri = params.text_document.uri
        document = self._document(uri)
        names = document.names
        if names is None:
            return []
        offset = self._offset(document, params.position)
        for include in names.policy.includes:
            if include.file is not None and include.name.span.start <= offset <= include.name.span.end:
                start = include.file.start
                return [self._location(document, uri, Span(1, 1, start, start, include.file))]
        use = use_at(names, offset)
        if use is None:
            return []
        spans = [use.name.span] if use.is_declaration else declarations(names, use)
        return [self._location(document, uri, span) for span in spans]

    # -- changes ---------------------------------------------------------------------------------------

    def formatting(self, params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
        """The canonical layout; what the editor says of tabs and widths does not count."""
        document = self._document(params.text_document.uri)
        text = formatted(document)
        return None if text is None else [self._whole(document, text)]

    def actions(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        """Quick fixes of what is wrong in a range, and all sure ones of the file."""
        uri = params.text_document.uri
        document = self._document(uri)
        start, end = (self._offset(document, at) for at in (params.range.start, params.range.end))
        wanted = params.context.only
        offered = []
        if wanted is None or any(_takes(kind, types.CodeActionKind.QuickFix) for kind in wanted):
            offered += [
                types.CodeAction(
                    title=change.title,
                    kind=types.CodeActionKind.QuickFix,
                    diagnostics=[self._diagnostic(document, uri, change.finding)],
                    is_preferred=change.is_sure,
                    edit=types.WorkspaceEdit(changes={uri: [self._edit(document, change.edit)]}),
                )
                for change in changes(document, start, end)
            ]
        if wanted is not None and any(_takes(kind, types.CodeActionKind.SourceFixAll) for kind in wanted):
            text = all_fixed(document)
            if text is not None:
                edit = types.WorkspaceEdit(changes={uri: [self._whole(document, text)]})
                kind = types.CodeActionKind.SourceFixAll
                offered.append(types.CodeAction(title="fix all that is sure", kind=kind, edit=edit))
        return offered

    def _edit(self, document: Document, edit: Edit) -> types.TextEdit:
        return types.TextEdit(self._range(document, edit.start, edit.end), edit.text)

    def _whole(self, document: Document, text: str) -> types.TextEdit:
        return types.TextEdit(self._range(document, 0, len(document.text)), text)

    # -- documents -------------------------------------------------------------------------------------

    def _document(self, uri: str) -> Document:
        """The document as it is now; read once for as long as its text is the same."""
        held = self.server.workspace.get_text_document(uri)
        document = self._documents.get(uri)
        others = {
            os.path.realpath(each.path): each.source for each in self.server.workspace.text_documents.values()
        }
        if document is None or not document.is_current(held.source, others):
            document = Document(held.source, held.path, self._unit(), others)
            self._documents[uri] = document
        return document

    def _unit(self) -> str:
        unit = self.server.workspace.position_encoding
        return str(getattr(unit, "value", unit))

    def _location(self, document: Document, uri: str, span: Span) -> types.Location:
        """A place, which may be in a file that the document includes."""
        policy, file = document.policy, span.file
        if policy is None or file == OWN:
            return types.Location(uri, self._range(document, span.start, span.end))
        there = Document(policy.source[file.start : policy.end_of(file)], file.path, self._unit())
        found = self._range(there, span.start - file.start, span.end - file.start)
        return types.Location(Path(file.path).as_uri(), found)

    def _range(self, document: Document, start: int, end: int) -> types.Range:
        return types.Range(*(types.Position(*document.place(offset)) for offset in (start, end)))

    def _offset(self, document: Document, at: types.Position) -> int:
        return document.offset(Place(at.line, at.character))


def _takes(wanted: types.CodeActionKind | str, kind: types.CodeActionKind) -> bool:
    """Whether who asks for one kind of action takes another one: kinds are paths, the wider first.

    `source.fixAll.checkrein` is how editors name what only this server fixes.
    """
    asked = wanted.value if isinstance(wanted, types.CodeActionKind) else wanted
    return f"{kind.value}.".startswith(f"{asked}.") or asked == f"{kind.value}.{SOURCE}"
