"""Commands that show: what they take and answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lsp.drafts import reading_editor
from tests.lsp.harness import NO_ANSWER, URI, settle


@pytest.mark.parametrize(
    ("command", "argument", "message"),
    [
        ("undersong.report", {"uri": "file:///no"}, "not open"),
        ("undersong.search", {"query": 3}, "query"),
        ("undersong.search", {"query": "sea", "limit": 0}, "limit"),
        ("undersong.showFeature", {"feature": "no such"}, "no feature has the id or name no such"),
        ("undersong.pin", {}, "feature"),
        ("undersong.nothing", {}, "no command"),
    ],
)
async def test_a_command_with_wrong_arguments_is_refused_by_name(command: str, argument: Any, message: str) -> None:
    editor = await reading_editor()
    error = await editor.error("workspace/executeCommand", {"command": command, "arguments": [argument]})
    assert error["code"] == -32602
    assert message in error["message"]
    await editor.stop()


@pytest.mark.parametrize("arguments", [[3], ["x"], [{}, {}], [None]])
async def test_a_command_takes_one_object(arguments: Any) -> None:
    editor = await reading_editor()
    error = await editor.error("workspace/executeCommand", {"command": "undersong.search", "arguments": arguments})
    assert error["code"] == -32602
    await editor.stop()


async def test_search_finds_features_and_says_so_unless_told_to_be_quiet() -> None:
    editor = await reading_editor()
    found = await editor.command("undersong.search", {"query": "wept"})
    assert [hit["name"] for hit in found["hits"]] == ["grief"]
    assert "grief" in editor.said()[-1]
    before = len(editor.said())
    assert await editor.command("undersong.search", {"query": "nothing", "quiet": True}) == {"hits": []}
    assert len(editor.said()) == before
    await editor.stop()


async def test_a_report_is_opened_as_a_page_or_else_said() -> None:
    editor = await reading_editor()
    text = await editor.run_action("She wept", "What does this paragraph carry?")
    await settle()
    assert "grief" in text
    assert editor.sent("window/showDocument")[0]["uri"].endswith("undersong-report.md")
    editor.answers["window/showDocument"] = lambda _: {"success": False}
    whole = await editor.command("undersong.report", {"uri": URI})
    await settle()
    assert editor.said()[-1][:20] == whole[:20]
    editor.answers["window/showDocument"] = lambda _: NO_ANSWER
    assert await editor.command("undersong.report", {"uri": URI, "quiet": True}) == whole
    await editor.stop()


async def test_a_feature_is_shown_with_its_evidence() -> None:
    editor = await reading_editor()
    hint = (await editor.ask("textDocument/inlayHint", editor.hint_params()))[0]
    command = next(part["command"] for part in hint["label"] if "command" in part)
    text = await editor.command(command["command"], *command["arguments"])
    assert "the sea" in text
    await editor.stop()
