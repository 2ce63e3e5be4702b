"""undersong.steer and undersong.continue.

1. The command is answered at once: editors give up on slow ones. The rest shows as progress that can be cancelled.
2. The engine writes from the draft as it is when it is asked, the paragraph found as below.
3. The paragraph is looked up again: where only other text moved, the edit goes to where it is now; where the
   paragraph itself changed, nothing is written and the person is told.
4. One edit, for the version that the edit was made for, so that the editor refuses it if it is ahead of us.

A newer steer of a draft cancels the one before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from undersong import errors, wire
from undersong.assist.anchors import Anchor, cursor_offset, reanchored
from undersong.assist.draft import Draft
from undersong.assist.requests import Asked, continue_request, steer_request
from undersong.assist.suggestions import Suggestion, continuation, rewrite
from undersong.lsp.commands import arguments as given
from undersong.lsp.drafts import OpenDraft
from undersong.lsp.workspace_edit import suggested_edit
from undersong.lsp.writing import first_result
from undersong.text.typography import Style

if TYPE_CHECKING:
    from undersong.lsp.server import UndersongServer

STAGES = {"dose": "finding the dose", "write": "writing", "measure": "measuring what it does"}
ATTEMPTS = 3
TOLERATED = 0.05
"""A change of presence that is no change."""
# Where each stage begins and ends on the bar.
SHARES = {"dose": (0.0, 0.2), "write": (0.2, 0.85), "measure": (0.85, 1.0)}


@dataclass(frozen=True, slots=True)
class Task:
    """What a steer and a continuation differ in.

    request: what to ask for, of the draft as it is then; suggest: where it goes in the draft as it is now
    """

    title: str
    anchor: Anchor
    request: Callable[[Draft, wire.DraftUpdate], wire.WriteRequest]
    suggest: Callable[[Draft, wire.WriteResult, Style], Suggestion]


def steer(server: UndersongServer, arguments: dict[str, Any]) -> None:
    anchor, asked = _place(arguments), _asked(arguments)

    def request(draft: Draft, update: wire.DraftUpdate) -> wire.WriteRequest:
        return steer_request(draft, update, reanchored(anchor, draft.document, draft.segments), asked)

    def suggest(draft: Draft, result: wire.WriteResult, style: Style) -> Suggestion:
        _check_way(asked, result.receipt)
        return rewrite(draft, reanchored(anchor, draft.document, draft.segments), result, style)

    way = "away from" if asked.strength < 0 else "toward"
    _begin(server, arguments, Task(f"Steering {way} ‹{asked.name}›", anchor, request, suggest))


def continue_here(server: UndersongServer, arguments: dict[str, Any]) -> None:
    anchor, asked = _place(arguments), _asked(arguments)
    if anchor.cursor is None:
        raise errors.BadInput('"anchor" must have a cursor')

    def request(draft: Draft, update: wire.DraftUpdate) -> wire.WriteRequest:
        return continue_request(draft, update, cursor_offset(anchor, draft.document, draft.segments), asked)

    def suggest(draft: Draft, result: wire.WriteResult, style: Style) -> Suggestion:
        return continuation(draft, cursor_offset(anchor, draft.document, draft.segments), result, style)

    _begin(server, arguments, Task(f"Continuing toward ‹{asked.name}›", anchor, request, suggest))


def _check_way(asked: Asked, receipt: wire.Receipt) -> None:
    """A paragraph is not replaced by one that goes the other way. Raises EngineFailure, which is told to the person."""
    for effect in receipt.effects:
        if asked.feature in (effect.feature, effect.name):
            change = effect.after - effect.before
            if asked.strength > 0 and change < -TOLERATED:
                raise errors.EngineFailure(
                    f"no candidate kept as much ‹{effect.name}› as the paragraph has; it is as it was"
                )
            if asked.strength < 0 and (effect.before == 0 or change > TOLERATED):
                raise errors.EngineFailure(f"no candidate has less ‹{effect.name}› than the paragraph; it is as it was")


def _place(arguments: dict[str, Any]) -> Anchor:
    return Anchor.from_json(arguments.get("anchor"))


def _asked(arguments: dict[str, Any]) -> Asked:
    feature, name = given.feature_and_name(arguments)
    return Asked(feature, name, given.strength(arguments))


def _begin(server: UndersongServer, arguments: dict[str, Any], task: Task) -> None:
    """Start the work; whatever stops it from starting is told to the person, who sees no answer of a command."""
    session = server.session
    draft = session.draft(given.text(arguments, "uri"))
    if draft is None:
        raise errors.BadInput("this draft is not open")
    if not server.profile.apply_edit:
        session.notices.say(types.MessageType.Warning, "this editor does not let a language server change a draft")
        return
    earlier = session.steers.pop(draft.uri, None)
    if earlier is not None:
        earlier.cancel()
    try:
        session.client()
        reanchored(task.anchor, draft.document, draft.segments)
    except errors.UndersongError as problem:
        session.notices.failed(problem)
        return
    running = server.protocol.spawn("steer", _steer(server, draft, task))
    session.steers[draft.uri] = running
    running.add_done_callback(lambda done: _forget(session.steers, draft.uri, done))


def _forget(steers: dict[str, asyncio.Future[Any]], uri: str, done: asyncio.Future[Any]) -> None:
    if steers.get(uri) is done:
        del steers[uri]


async def _steer(server: UndersongServer, draft: OpenDraft, task: Task) -> None:
    session = server.session
    current = cast("asyncio.Task[None]", asyncio.current_task())

    def cancel() -> None:
        current.cancel()

    bar = session.bars.start(task.title, cancel)

    def on_progress(event: wire.WriteProgress) -> None:
        low, high = SHARES.get(event.stage, (0.0, 1.0))
        share = event.done / event.total if event.total else 0.0
        bar.report(STAGES.get(event.stage, event.stage), low + (high - low) * share)

    outcome = "cancelled"
    try:
        result = await first_result(session, draft, task.request, on_progress)
        outcome = await _write(server, draft, task, result)
    except errors.UndersongError as problem:
        outcome = problem.message
        session.notices.failed(problem)
    except Exception:
        outcome = "failed"
        session.notices.say(types.MessageType.Error, "the suggestion failed; nothing was written")
        raise
    finally:
        bar.end(outcome)


async def _write(server: UndersongServer, draft: OpenDraft, task: Task, result: wire.WriteResult) -> str:
    """Put the suggestion in where its paragraph is now; what came of it, for the progress bar. Raises Stale.

    A person who types elsewhere is ahead of us by what is on its way: the editor refuses the edit, and by the time we
    know, the change has come in. Then it is tried again for that version.
    """
    session = server.session
    if not result.text.strip():
        raise errors.EngineFailure("The model had nothing to write here. Nothing was written.")
    told = ""
    for _ in range(ATTEMPTS):
        if session.draft(draft.uri) is not draft:
            raise errors.Stale("The draft was closed while this was being written.")
        now = draft.snapshot()
        suggestion = task.suggest(now, result, draft.style)
        edit = suggested_edit(server.profile, session.positions, now.document, suggestion)
        params = types.ApplyWorkspaceEditParams(edit, label=f"{task.title}: {suggestion.effect}")
        if server.profile.edit_metadata:
            params.metadata = types.WorkspaceEditMetadata(is_refactoring=True)
        try:
            answer = await server.protocol.ask(types.WORKSPACE_APPLY_EDIT, params)
        except JsonRpcException:
            answer = None
        members = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
        if members.get("applied") is True:
            session.wrote(draft, suggestion)
            session.notices.say(types.MessageType.Info, ". ".join(filter(None, (suggestion.effect, suggestion.loss))))
            return suggestion.effect
        reason = members.get("failureReason")
        told = f": {reason}" if isinstance(reason, str) and reason else ""
        if draft.document.version == now.document.version:
            break
    raise errors.Stale(f"The editor did not put the suggestion in{told}. Nothing was written.")
