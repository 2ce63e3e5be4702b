"""The one place where errors become LSP answers and messages to a person.

No answer carries a traceback or text of the draft: `data` holds the error's code, and what was not raised on
purpose is named by its class alone.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from lsprotocol import types

from undersong import errors

_INVALID_PARAMS = types.ErrorCodes.InvalidParams.value
_INTERNAL = types.ErrorCodes.InternalError.value
_FAILED = types.LSPErrorCodes.RequestFailed.value
_ERROR, _WARNING, _INFO = types.MessageType.Error, types.MessageType.Warning, types.MessageType.Info


@dataclass(frozen=True, slots=True)
class Translation:
    """The response code of an error, and how loudly a person is told of it when no request waits for an answer."""

    code: int
    message_type: types.MessageType


TRANSLATIONS: dict[type[errors.UndersongError], Translation] = {
    errors.UndersongError: Translation(_INTERNAL, _ERROR),
    errors.BadInput: Translation(_INVALID_PARAMS, _WARNING),
    errors.BadSetting: Translation(_INVALID_PARAMS, _WARNING),
    errors.BadText: Translation(_INVALID_PARAMS, _WARNING),
    errors.UnknownFeature: Translation(_INVALID_PARAMS, _WARNING),
    errors.BadStrength: Translation(_INVALID_PARAMS, _WARNING),
    errors.BadWeights: Translation(_FAILED, _ERROR),
    errors.WeightsMissing: Translation(_FAILED, _ERROR),
    errors.WeightsFormat: Translation(_FAILED, _ERROR),
    errors.HashMismatch: Translation(_FAILED, _ERROR),
    errors.Resync: Translation(_FAILED, _WARNING),
    errors.Stale: Translation(types.LSPErrorCodes.ContentModified.value, _INFO),
    errors.Superseded: Translation(types.LSPErrorCodes.ServerCancelled.value, _INFO),
    errors.Cancelled: Translation(types.LSPErrorCodes.RequestCancelled.value, _INFO),
    errors.EngineFailure: Translation(_FAILED, _ERROR),
    errors.EngineUnavailable: Translation(_FAILED, _WARNING),
    errors.EngineLoading: Translation(_FAILED, _INFO),
    errors.OutOfMemory: Translation(_FAILED, _ERROR),
}


def translation(error: errors.UndersongError) -> Translation:
    """That of the error's class. A test holds that every class has one."""
    return TRANSLATIONS[type(error)]


def response_error(error: BaseException, method: str) -> types.ResponseError:
    """What a request is answered with when `error` was raised while handling it."""
    if isinstance(error, errors.UndersongError):
        return types.ResponseError(code=translation(error).code, message=error.message, data={"code": error.code})
    return types.ResponseError(code=_INTERNAL, message=f"{method} failed inside the server ({type(error).__name__})")


def where(error: BaseException) -> str:
    """The class and the code lines of an unexpected error, for the log.

    Not its message: those of the standard library quote what they could not handle, which may be the draft.
    """
    return type(error).__name__ + "\n" + "".join(traceback.format_tb(error.__traceback__))
