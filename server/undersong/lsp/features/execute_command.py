"""workspace/executeCommand: each command takes one JSON object. Long work is begun, not waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types

from undersong.errors import BadInput
from undersong.lsp.commands import COMMANDS

if TYPE_CHECKING:
    from undersong.lsp.server import UndersongServer


def register(server: UndersongServer) -> None:
    def execute(params: types.ExecuteCommandParams) -> Any:
        command = COMMANDS.get(params.command)
        if command is None:
            raise BadInput(f"there is no command {params.command[:80]}")
        arguments = list(params.arguments or [])
        if len(arguments) > 1 or not all(isinstance(argument, dict) for argument in arguments):
            raise BadInput(f"{params.command} takes one JSON object")
        return command(server, cast("dict[str, Any]", arguments[0]) if arguments else {})

    server.feature(types.WORKSPACE_EXECUTE_COMMAND)(execute)
