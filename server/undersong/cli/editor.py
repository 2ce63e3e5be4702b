"""A scripted editor: starts the real server as a child process and speaks LSP to it over stdio, as an editor would.

The demo, the benchmarks and the end-to-end tests drive the server through it. It keeps its own copy of each text by
our `Document`, applies `workspace/applyEdit` like an editor that checks versions, and can undo.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

from cattrs import Converter
from lsprotocol import types
from pygls.lsp.client import LanguageClient
from pygls.protocol import default_converter

from undersong import __version__
from undersong.lsp.positions import Positions
from undersong.text.document import Document
from undersong.text.edits import Edit
from undersong.text.span import Span

CAPABILITIES = types.ClientCapabilities(
    general=types.GeneralClientCapabilities(position_encodings=[types.PositionEncodingKind.Utf16]),
    text_document=types.TextDocumentClientCapabilities(
        inlay_hint=types.InlayHintClientCapabilities(
            resolve_support=types.ClientInlayHintResolveOptions(properties=["tooltip", "label.tooltip"])
        ),
        hover=types.HoverClientCapabilities(content_format=[types.MarkupKind.Markdown]),
        code_lens=types.CodeLensClientCapabilities(),
        code_action=types.CodeActionClientCapabilities(
            code_action_literal_support=types.ClientCodeActionLiteralOptions(
                code_action_kind=types.ClientCodeActionKindOptions(value_set=[types.CodeActionKind.RefactorRewrite])
            ),
            disabled_support=True,
        ),
        inline_completion=types.InlineCompletionClientCapabilities(),
    ),
    workspace=types.WorkspaceClientCapabilities(
        apply_edit=True,
        configuration=True,
        inlay_hint=types.InlayHintWorkspaceClientCapabilities(refresh_support=True),
        code_lens=types.CodeLensWorkspaceClientCapabilities(refresh_support=True),
        workspace_edit=types.WorkspaceEditClientCapabilities(
            document_changes=True, change_annotation_support=types.ChangeAnnotationsSupportOptions()
        ),
    ),
    window=types.WindowClientCapabilities(work_done_progress=True),
)
"""What a modern editor announces: everything the server can use."""


@dataclass(slots=True)
class Applied:
    """One `workspace/applyEdit`: its label, the note on its change, the text before and after."""

    label: str
    note: str
    before: str
    after: str


@dataclass(slots=True)
class Log:
    """What the server said: messages to the person, progress titles, edits."""

    messages: list[str] = field(default_factory=list)
    progress: list[str] = field(default_factory=list)
    edits: list[Applied] = field(default_factory=list)
    refreshes: int = 0


def _converter() -> Converter:
    """pygls' own, but for code actions: lsprotocol takes an action for its command, since both have a `command`."""
    converter = default_converter()

    def structure(value: dict[str, Any], _: object) -> types.Command | types.CodeAction:
        is_command = isinstance(value.get("command"), str)
        return converter.structure(value, types.Command if is_command else types.CodeAction)

    # Registered under typing.Union, which a | b is not equal to.
    converter.register_structure_hook(Union[types.Command, types.CodeAction], structure)  # noqa: UP007
    return converter


class Editor:
    """One editor with one server. Use `async with Editor(...) as editor`."""

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        folder: Path | None = None,
        capabilities: types.ClientCapabilities = CAPABILITIES,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._settings, self._folder, self._capabilities = dict(settings or {}), folder, capabilities
        self._environment = {**os.environ, **(environment or {})}
        self._client = LanguageClient("undersong-editor", __version__, converter_factory=_converter)
        self._documents: dict[str, Document] = {}
        self._history: dict[str, list[str]] = {}
        self._changed = asyncio.Condition()
        self.log = Log()
        self.positions = Positions("utf-16")
        self._answer_the_server()

    @property
    def client(self) -> LanguageClient:
        """For requests that have no method here."""
        return self._client

    async def __aenter__(self) -> Editor:
        await self._client.start_io(sys.executable, "-m", "undersong", "serve", "--stdio", env=self._environment)
        folders = None
        if self._folder is not None:
            folders = [types.WorkspaceFolder(uri=self._folder.as_uri(), name=self._folder.name)]
        result = await self._client.initialize_async(
            types.InitializeParams(
                process_id=os.getpid(),
                root_uri=None if self._folder is None else self._folder.as_uri(),
                capabilities=self._capabilities,
                workspace_folders=folders,
                initialization_options=self._settings,
            )
        )
        encoding = result.capabilities.position_encoding or types.PositionEncodingKind.Utf16
        self.positions = Positions(encoding.value if isinstance(encoding, types.PositionEncodingKind) else encoding)  # type: ignore[arg-type]
        self._client.initialized(types.InitializedParams())
        return self

    async def __aexit__(self, *exception: object) -> None:
        with suppress(Exception):
            await asyncio.wait_for(self._client.shutdown_async(None), 10)
            self._client.exit(None)
        with suppress(Exception):
            await asyncio.wait_for(self._client.stop(), 10)
        server = self._client._server
        if server is not None and server.returncode is None:
            server.kill()
            await server.wait()

    def document(self, uri: str) -> Document:
        return self._documents[uri]

    def open(self, uri: str, text: str, language: str = "markdown") -> None:
        self._documents[uri] = Document.open(uri, language, 1, text)
        self._history[uri] = []
        item = types.TextDocumentItem(uri=uri, language_id=language, version=1, text=text)
        self._client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=item))

    def change(self, uri: str, span: Span, text: str) -> None:
        """One edit by the person: one step of undo."""
        document = self._documents[uri]
        self._history[uri].append(document.text)
        self._send_change(uri, [Edit(span, text)])

    def can_undo(self, uri: str) -> bool:
        return bool(self._history[uri])

    def undo(self, uri: str) -> None:
        """Take the last step back, as one edit."""
        document, before = self._documents[uri], self._history[uri].pop()
        start = 0
        while start < min(len(before), len(document.text)) and before[start] == document.text[start]:
            start += 1
        end = 0
        while end < min(len(before), len(document.text)) - start and before[-1 - end] == document.text[-1 - end]:
            end += 1
        self._send_change(uri, [Edit(Span(start, len(document.text) - end), before[start : len(before) - end])])

    async def hints(self, uri: str, span: Span | None = None) -> list[types.InlayHint]:
        """The hints of `span` (None: of the whole text) as the server answers them now."""
        document = self._documents[uri]
        asked = span or Span(0, len(document.text))
        params = types.InlayHintParams(
            text_document=types.TextDocumentIdentifier(uri=uri), range=self.positions.range(document, asked)
        )
        return list(await self._client.text_document_inlay_hint_async(params) or [])

    async def wait(self, ready: Callable[[], bool], seconds: float = 30.0) -> None:
        """Until `ready()` after something that the server sent. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(ready)

    async def refreshed(self, since: int, seconds: float = 30.0) -> None:
        """Until the server asked for a refresh after the one numbered `since`."""
        await self.wait(lambda: self.log.refreshes > since, seconds)

    async def actions(self, uri: str, span: Span, only: Sequence[str] | None = None) -> list[types.CodeAction]:
        params = types.CodeActionParams(
            text_document=types.TextDocumentIdentifier(uri=uri),
            range=self.positions.range(self._documents[uri], span),
            context=types.CodeActionContext(diagnostics=[], only=list(only) if only is not None else None),
        )
        answer = await self._client.text_document_code_action_async(params) or []
        return [action for action in answer if isinstance(action, types.CodeAction)]

    async def run(self, command: str, arguments: Sequence[Any] = ()) -> Any:
        params = types.ExecuteCommandParams(command=command, arguments=list(arguments))
        return await self._client.workspace_execute_command_async(params)

    def _send_change(self, uri: str, edits: Sequence[Edit]) -> None:
        document = self._documents[uri]
        changes: list[types.TextDocumentContentChangeEvent] = []
        for edit in edits:
            where = self.positions.range(document, edit.span)
            changes.append(types.TextDocumentContentChangePartial(range=where, text=edit.text))
            document = document.apply([edit], document.version)
        document = document.apply([], self._documents[uri].version + 1)
        self._documents[uri] = document
        identifier = types.VersionedTextDocumentIdentifier(uri=uri, version=document.version)
        self._client.text_document_did_change(
            types.DidChangeTextDocumentParams(text_document=identifier, content_changes=changes)
        )

    def _answer_the_server(self) -> None:
        """What an editor answers to the server's own requests."""
        client = self._client

        @client.feature(types.WORKSPACE_APPLY_EDIT)
        async def apply_edit(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            return await self._apply(params)

        @client.feature(types.WORKSPACE_INLAY_HINT_REFRESH)
        async def refresh(params: None) -> None:
            await self._note(lambda: setattr(self.log, "refreshes", self.log.refreshes + 1))

        @client.feature(types.WORKSPACE_CODE_LENS_REFRESH)
        async def refresh_lenses(params: None) -> None:
            return None

        @client.feature(types.WINDOW_WORK_DONE_PROGRESS_CREATE)
        async def create_progress(params: types.WorkDoneProgressCreateParams) -> None:
            return None

        @client.feature(types.PROGRESS)
        async def progress(params: types.ProgressParams) -> None:
            value = params.value if isinstance(params.value, dict) else {}
            told = value.get("title") or value.get("message") or value.get("kind", "")
            await self._note(lambda: self.log.progress.append(str(told)))

        @client.feature(types.WINDOW_SHOW_MESSAGE)
        async def show(params: types.ShowMessageParams) -> None:
            await self._note(lambda: self.log.messages.append(params.message))

        @client.feature(types.WORKSPACE_CONFIGURATION)
        async def configuration(params: types.ConfigurationParams) -> list[Any]:
            return [self._settings for _ in params.items]

    async def _note(self, change: Callable[[], None]) -> None:
        async with self._changed:
            change()
            self._changed.notify_all()

    async def _apply(self, params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        """All of it or nothing; a wrong version is refused."""
        for change in params.edit.document_changes or []:
            if not isinstance(change, types.TextDocumentEdit):
                return types.ApplyWorkspaceEditResult(applied=False, failure_reason="only text edits are known here")
            document = self._documents[change.text_document.uri]
            if change.text_document.version not in (None, document.version):
                return types.ApplyWorkspaceEditResult(applied=False, failure_reason="the document has changed")
        for change in params.edit.document_changes or []:
            assert isinstance(change, types.TextDocumentEdit)
            uri = change.text_document.uri
            document = self._documents[uri]
            edits = [
                Edit(self.positions.span(document, edit.range), edit.new_text)
                for edit in change.edits
                if isinstance(edit, types.TextEdit | types.AnnotatedTextEdit)
            ]
            notes = [a.description or a.label for a in (params.edit.change_annotations or {}).values()]
            self._history[uri].append(document.text)
            # LSP: edits of one document are all given in the coordinates of the text before any of them.
            self._send_change(uri, sorted(edits, key=lambda edit: edit.span.start, reverse=True))
            after = self._documents[uri].text
            applied = Applied(params.label or "", "; ".join(notes), document.text, after)
            await self._note(lambda applied=applied: self.log.edits.append(applied))
        return types.ApplyWorkspaceEditResult(applied=True)
