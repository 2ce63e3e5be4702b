"""undersong.pin, .unpin, .silence, .unsilence, .strength: the dials, kept in `.undersong.toml`.

The file is the writer's: comments and order stay. If it is open in the editor, the change is an edit there.
A draft that is no file, in a session without folders, keeps its dials for the session.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from undersong import errors
from undersong.assist import dial_file
from undersong.lsp.commands import arguments as given
from undersong.lsp.configuration import path_uri

if TYPE_CHECKING:
    from undersong.lsp.server import UndersongServer

Change = Callable[[str], str]


def pin(server: UndersongServer, arguments: dict[str, Any]) -> Any:
    _, name = given.feature_and_name(arguments)
    value = given.strength(arguments, 0.0)
    return _change(server, arguments, lambda text: dial_file.with_pin(text, name, value))


def strength(server: UndersongServer, arguments: dict[str, Any]) -> Any:
    _, name = given.feature_and_name(arguments)
    value = given.strength(arguments)
    return _change(server, arguments, lambda text: dial_file.with_strength(text, name, value))


def unpin(server: UndersongServer, arguments: dict[str, Any]) -> Any:
    feature, name = given.feature_and_name(arguments)
    return _change(server, arguments, lambda text: dial_file.without_pin(dial_file.without_pin(text, feature), name))


def silence(server: UndersongServer, arguments: dict[str, Any]) -> Any:
    _, name = given.feature_and_name(arguments)
    return _change(server, arguments, lambda text: dial_file.with_silence(text, name))


def unsilence(server: UndersongServer, arguments: dict[str, Any]) -> Any:
    feature, name = given.feature_and_name(arguments)
    return _change(
        server, arguments, lambda text: dial_file.without_silence(dial_file.without_silence(text, feature), name)
    )


def _change(server: UndersongServer, arguments: dict[str, Any], change: Change) -> Any:
    """Change the dial file that speaks for a draft (none given: the workspace's), and apply what it says now."""
    session = server.session
    uri = arguments.get("uri")
    path = session.configuration.dial_path(uri if isinstance(uri, str) else None)
    try:
        if path is None:
            session.configuration.change_loose(change)
        elif session.draft(path_uri(path)) is not None:
            return _change_open(server, path_uri(path), change)
        else:
            _change_on_disk(path, change)
    except OSError as problem:
        raise errors.BadInput(f"{dial_file.FILE_NAME} cannot be written: {problem.strerror}") from problem
    session.dial_files_changed()
    return None


def _change_on_disk(path: Path, change: Change) -> None:
    """Whole or not at all: a file beside it takes its place."""
    try:
        before = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        before = ""
    except UnicodeDecodeError as problem:
        raise errors.BadSetting(f"{path.name} is not UTF-8") from problem
    after = change(before)
    if after == before:
        return
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        beside.write_text(after, encoding="utf-8", newline="")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


async def _change_open(server: UndersongServer, uri: str, change: Change) -> None:
    session = server.session
    draft = session.draft(uri)
    if draft is None:
        return
    document = draft.document
    after = change(document.text)
    whole = types.Range(types.Position(0, 0), session.positions.position(document, len(document.text)))
    edit = types.TextEdit(whole, after)
    if server.profile.document_changes:
        target = types.OptionalVersionedTextDocumentIdentifier(uri, document.version)
        workspace_edit = types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(target, [edit])])
    else:
        workspace_edit = types.WorkspaceEdit(changes={uri: [edit]})
    try:
        await server.protocol.ask(
            types.WORKSPACE_APPLY_EDIT, types.ApplyWorkspaceEditParams(workspace_edit, label="Undersong dials")
        )
    except JsonRpcException:
        session.notices.say(types.MessageType.Warning, "the editor did not change the dial file")
