"""The protocol's own rules: order, one answer each, and nothing told that should not be."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from typing import Any

import pytest
from lsprotocol import types

from tests.lsp.harness import RICH, URI, Editor, settle
from undersong import errors
from undersong.lsp import failures

SECRET = "Nobody knows that Marguerite is the thief."
PARSE_ERROR, INVALID_REQUEST, NOT_FOUND, INVALID_PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
NOT_INITIALIZED, CANCELLED = -32002, -32800


async def test_requests_before_initialize_are_refused() -> None:
    editor = Editor()
    assert (await editor.error("textDocument/hover", {}))["code"] == NOT_INITIALIZED
    assert (await editor.error("shutdown"))["code"] == NOT_INITIALIZED
    await editor.start()
    await editor.stop()


async def test_requests_after_shutdown_are_refused() -> None:
    editor = Editor()
    await editor.start()
    assert await editor.ask("shutdown") is None
    assert (await editor.error("textDocument/hover", {}))["code"] == INVALID_REQUEST
    assert (await editor.error("shutdown"))["code"] == INVALID_REQUEST
    editor.notify("exit")
    assert editor.exit_codes == [0]
    await editor.server.session.end()


async def test_exit_without_shutdown_is_status_1() -> None:
    editor = Editor()
    await editor.start()
    editor.notify("exit")
    editor.notify("exit")
    assert editor.exit_codes == [1]
    await editor.server.session.end()


async def test_a_second_initialize_is_refused() -> None:
    editor = Editor()
    await editor.start()
    assert (await editor.error("initialize", {"capabilities": {}}))["code"] == INVALID_REQUEST
    await editor.stop()


@pytest.mark.parametrize("params", [None, [], {}, {"capabilities": 3}, {"capabilities": None}])
async def test_an_initialize_without_capabilities_is_refused_and_may_be_sent_again(params: Any) -> None:
    editor = Editor()
    assert (await editor.error("initialize", params))["code"] == INVALID_PARAMS
    await editor.start()
    await editor.stop()


@pytest.mark.parametrize(
    "params",
    [None, [], {}, {"textDocument": 3}, {"textDocument": {"uri": URI}, "position": {"line": -1, "character": "x"}}],
)
async def test_malformed_params_are_answered(params: Any) -> None:
    editor = Editor()
    await editor.start()
    assert (await editor.error("textDocument/hover", params))["code"] == INVALID_PARAMS
    await editor.stop()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", PARSE_ERROR),
        (b"{", PARSE_ERROR),
        (b"\xff\xfe{}", PARSE_ERROR),
        (b"[" * 100_000, PARSE_ERROR),
        (b"[]", INVALID_REQUEST),
        (b"3", INVALID_REQUEST),
        (b"null", INVALID_REQUEST),
        (b"{}", INVALID_REQUEST),
        (b'{"id": null, "method": "shutdown", "jsonrpc": "2.0"}', INVALID_REQUEST),
        (b'{"id": 1.5, "method": "shutdown", "jsonrpc": "2.0"}', INVALID_REQUEST),
        (b'{"id": true, "method": "shutdown", "jsonrpc": "2.0"}', INVALID_REQUEST),
        (b'{"id": {}, "method": "shutdown", "jsonrpc": "2.0"}', INVALID_REQUEST),
    ],
)
async def test_a_message_without_a_usable_id_is_answered_with_null(body: bytes, code: int) -> None:
    editor = Editor()
    await editor.start()
    editor.server.protocol.receive(body)
    await settle()
    assert [reply["error"]["code"] for reply in editor.replies[None]] == [code]
    assert await editor.ask("textDocument/hover", {"textDocument": {"uri": URI}, "position": POSITION}) is None
    await editor.stop()


POSITION = {"line": 0, "character": 0}


@pytest.mark.parametrize("message", [{"id": 9, "method": 3, "jsonrpc": "2.0"}, {"id": 9, "method": "shutdown"}])
async def test_a_malformed_request_with_an_id_is_answered_to_that_id(message: Any) -> None:
    editor = Editor()
    await editor.start()
    editor.send(message)
    assert (await editor.reply(9))["error"]["code"] == INVALID_REQUEST
    await editor.stop()


async def test_answers_to_nothing_are_not_answered() -> None:
    editor = Editor()
    await editor.start()
    before = len(editor.messages)
    for message in ({"id": 77, "result": 1}, {"id": None, "error": {"code": 1, "message": ""}}, {"error": 3}):
        editor.send({"jsonrpc": "2.0", **message})
    await settle()
    assert len(editor.messages) == before
    await editor.stop()


async def test_an_unknown_method_is_answered_and_an_unknown_notification_is_not() -> None:
    editor = Editor()
    await editor.start()
    assert (await editor.error("textDocument/rename", {}))["code"] == NOT_FOUND
    before = len(editor.messages)
    editor.notify("$/whatever", {})
    editor.notify("textDocument/whatever", {})
    await settle()
    assert len(editor.messages) == before
    await editor.stop()


async def test_a_cancelled_request_is_answered_at_once_and_once() -> None:
    editor = Editor()
    await editor.start()
    gate = editor.engine.hold("search")
    request = editor.request(
        "workspace/executeCommand", {"command": "undersong.search", "arguments": [{"query": "sea"}]}
    )
    await settle()
    assert not editor.answered(request)
    editor.notify("$/cancelRequest", {"id": request})
    assert editor.replies[request][0]["error"]["code"] == CANCELLED  # before the loop turned once
    gate.set()
    editor.notify("$/cancelRequest", {"id": request})
    await settle()
    assert len(editor.replies[request]) == 1
    assert editor.engine.active == 0
    await editor.stop()


async def test_shutdown_answers_what_is_still_running() -> None:
    editor = Editor()
    await editor.start()
    editor.engine.hold("search")
    request = editor.request(
        "workspace/executeCommand", {"command": "undersong.search", "arguments": [{"query": "sea"}]}
    )
    await settle()
    await editor.ask("shutdown")
    assert (await editor.reply(request))["error"]["code"] == CANCELLED
    await editor.server.session.end()


async def test_the_id_of_a_running_request_cannot_be_used_again() -> None:
    editor = Editor()
    await editor.start()
    editor.engine.hold("search")
    message = {
        "jsonrpc": "2.0",
        "id": "same",
        "method": "workspace/executeCommand",
        "params": {"command": "undersong.search", "arguments": [{"query": "sea"}]},
    }
    editor.send(message)
    editor.send(message)
    await settle()
    editor.engine.release("search")
    await settle()
    assert [reply.get("error", {}).get("code") for reply in editor.replies["same"]] == [INVALID_REQUEST, None]
    await editor.stop()


async def test_a_broken_feature_is_answered_without_its_traceback_or_the_text(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    editor = Editor()
    await editor.start()
    editor.open(SECRET)

    def broken(*_: Any) -> None:
        raise KeyError(SECRET)

    monkeypatch.setattr("undersong.lsp.features.hover.hover_on", broken)
    error = await editor.error("textDocument/hover", {"textDocument": {"uri": URI}, "position": POSITION})
    assert error["code"] == INTERNAL
    assert "Marguerite" not in json.dumps(error)
    assert "Traceback" not in json.dumps(error)
    assert "Marguerite" not in caplog.text
    monkeypatch.undo()
    assert await editor.ask("textDocument/hover", {"textDocument": {"uri": URI}, "position": POSITION}) is None
    await editor.stop()


async def test_no_log_at_any_level_holds_the_text(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        editor = Editor()
        await editor.start()
        editor.open(f"{SECRET} The sea was there.")
        editor.type_after("there", " Marguerite")
        editor.notify("textDocument/didOpen", {"textDocument": {"text": "Marguerite"}})
        editor.notify("textDocument/didChange", {"contentChanges": [{"text": "Marguerite"}]})
        editor.request("textDocument/hover", {"textDocument": "Marguerite"})
        await editor.clock.advance(2)
        await editor.hints()
        await editor.stop()
    assert "Marguerite" not in caplog.text


async def test_lone_surrogates_in_a_draft_break_nothing() -> None:
    editor = Editor()
    await editor.start()
    item = {"uri": URI, "languageId": "markdown", "version": 1, "text": "The sea \ud83d went on and on all day."}
    editor.notify("textDocument/didOpen", {"textDocument": item})
    await editor.clock.advance(1)
    everything = {"start": POSITION, "end": {"line": 9, "character": 0}}
    found = await editor.ask("textDocument/inlayHint", {"textDocument": {"uri": URI}, "range": everything})
    assert len(found) == 1
    await editor.stop()


async def test_another_servers_diagnostics_do_not_take_the_actions_away() -> None:
    editor = Editor()
    await editor.start()
    editor.open("The sea was grey that morning and it went on.")
    await editor.clock.advance(1)
    params = {
        "textDocument": {"uri": URI},
        "range": {"start": POSITION, "end": POSITION},
        "context": {"diagnostics": [{"range": "?", "message": 3, "tags": [99]}]},
    }
    assert await editor.ask("textDocument/codeAction", params)
    await editor.stop()


def test_every_error_has_a_translation() -> None:
    assert set(failures.TRANSLATIONS) == set(errors.subclasses())
    for kind in errors.subclasses():
        answer = failures.response_error(kind("what went wrong"), "textDocument/hover")
        assert answer.message == "what went wrong"
        assert answer.data == {"code": kind.code}
        assert isinstance(failures.translation(kind("x")).message_type, types.MessageType)


@pytest.mark.parametrize("seed", range(8))
async def test_in_a_storm_every_request_is_answered_exactly_once(seed: int) -> None:
    chance = random.Random(seed)
    editor = Editor()
    await editor.start()
    editor.open("The sea was grey and it went on for long.\n\nShe wept for grief, and nobody saw it.\n")
    await editor.clock.advance(1)
    asked: list[Any] = []
    place = {"textDocument": {"uri": URI}, "position": POSITION}
    requests: list[tuple[str, Any]] = [
        ("textDocument/hover", place),
        ("textDocument/hover", {"textDocument": {"uri": "file:///no/such"}, "position": POSITION}),
        ("textDocument/inlayHint", {"textDocument": {"uri": URI}, "range": {"start": POSITION, "end": POSITION}}),
        ("textDocument/inlineCompletion", {**place, "context": {"triggerKind": 1}}),
        ("textDocument/inlineCompletion", {**place, "context": {"triggerKind": 7}}),
        ("textDocument/codeLens", {"textDocument": {"uri": URI}}),
        ("workspace/executeCommand", {"command": "undersong.search", "arguments": [{"query": "sea"}]}),
        ("workspace/executeCommand", {"command": "undersong.search", "arguments": ["?"]}),
        ("workspace/executeCommand", {"command": "no.such"}),
        ("no/such", None),
        ("textDocument/codeAction", {"wrong": True}),
        ("initialize", {"capabilities": RICH}),
    ]
    for _ in range(200):
        chosen = chance.random()
        if chosen < 0.6:
            asked.append(editor.request(*chance.choice(requests)))
        elif chosen < 0.75 and asked:
            editor.notify("$/cancelRequest", {"id": chance.choice(asked)})
        elif chosen < 0.85:
            at = chance.randrange(len(editor.text()))
            editor.edit(at, min(len(editor.text()), at + chance.randrange(3)), chance.choice(["x", " sea", "\n\n", ""]))
        elif chosen < 0.9:
            editor.server.protocol.receive(
                chance.choice([b"{", b"[]", b'{"jsonrpc":"2.0","method":"$/cancelRequest"}'])
            )
        elif chosen < 0.95:
            editor.engine.hold("write")
        else:
            editor.engine.release("write")
            await settle()
        if chance.random() < 0.3:
            await asyncio.sleep(0)
    editor.engine.release("write")
    await editor.clock.advance(5)
    assert {request: len(editor.replies[request]) for request in asked} == dict.fromkeys(asked, 1)
    assert editor.engine.active == 0
    await editor.stop()
