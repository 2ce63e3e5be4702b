"""Changes of settings: pushed by the client, in a dial file, or through the folders that are open."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from undersong.assist import dial_file
from undersong.lsp.configuration import SECTION

if TYPE_CHECKING:
    from undersong.lsp.server import UndersongServer


def register(server: UndersongServer) -> None:
    session = server.session

    def changed(params: types.DidChangeConfigurationParams) -> Awaitable[None]:
        session.configuration.push(params.settings)
        return session.pull_settings()

    def files_changed(_: types.DidChangeWatchedFilesParams) -> None:
        session.dial_files_changed()

    def folders_changed(params: types.DidChangeWorkspaceFoldersParams) -> None:
        event = params.event
        session.configuration.change_folders(
            [folder.uri for folder in event.added], [folder.uri for folder in event.removed]
        )
        session.settings_changed()

    server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(changed)
    server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(files_changed)
    server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(folders_changed)


def register_dynamically(server: UndersongServer) -> None:
    """Ask to be told of changes, as far as the client lets itself be asked."""
    registrations: list[types.Registration] = []
    if server.profile.register_watched_files:
        watcher = types.FileSystemWatcher(glob_pattern=f"**/{dial_file.FILE_NAME}")
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers=[watcher])
        registrations.append(types.Registration("dial files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options))
    if server.profile.register_configuration:
        section = types.DidChangeConfigurationRegistrationOptions(section=SECTION)
        registrations.append(types.Registration("settings", types.WORKSPACE_DID_CHANGE_CONFIGURATION, section))
    if registrations:
        server.protocol.spawn("registration", _register(server, registrations))


async def _register(server: UndersongServer, registrations: list[types.Registration]) -> None:
    try:
        await server.protocol.ask(types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams(registrations))
    except JsonRpcException:
        return
