"""What views beside the draft ask for, and when they are told to ask again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lsp.drafts import DRAFT, GRIEF, MORE_GRIEF, PLAINLY, SEA, reading_editor
from tests.lsp.harness import RICH, URI, Editor, settle
from undersong import wire
from undersong.client.fake import FakeEngine
from undersong.errors import EngineUnavailable

EXECUTE = "workspace/executeCommand"
CHANGED = "undersong/changed"


async def in_folder(tmp_path: Path, dials: str = "", text: str = DRAFT, engine: FakeEngine | None = None) -> Editor:
    """An editor of a folder with a dial file, and a draft in it that has been read."""
    if dials:
        (tmp_path / ".undersong.toml").write_text(dials)
    editor = Editor(engine=engine)
    await editor.start(None, [tmp_path.as_uri()])
    editor.open(text, (tmp_path / "draft.md").as_uri())
    await editor.clock.advance(3)
    return editor


# --- features ----------------------------------------------------------------------------------------------------


async def test_features_are_told_as_they_stand(tmp_path: Path) -> None:
    dials = 'silence = ["light"]\n\n[features]\n"p0.0" = 0.5\ngrief = -0.25\nawe = 1\n'
    editor = await in_folder(tmp_path, dials, engine=FakeEngine(reads_only={"the sea"}))
    uri = (tmp_path / "draft.md").as_uri()
    found = await editor.command("undersong.features", {"uri": uri, "position": editor.at("She wept", uri)})
    assert found["pinned"] == [
        {"name": "the sea", "feature": "p0.0", "strength": 0.5, "steers": False, "presence": 0.0, "origin": "dials"},
        {"name": "grief", "feature": "p0.1", "strength": -0.25, "steers": True, "presence": 0.96, "origin": "dials"},
        {"name": "awe", "feature": None, "strength": 1.0, "steers": None, "presence": None, "origin": "dials"},
    ]
    assert found["silenced"] == ["light"]
    start = DRAFT.index(GRIEF)
    assert found["paragraph"] == {
        "range": editor.range(start, start + len(GRIEF), uri),
        "fresh": True,
        "features": [{"feature": "p0.1", "name": "grief", "presence": 0.96, "bar": "▄", "steers": True}],
    }
    await editor.stop()


async def test_features_without_a_position_or_between_paragraphs_are_of_no_paragraph() -> None:
    editor = await reading_editor()
    for place in ({}, {"position": {"line": 1, "character": 0}}):
        found = await editor.command("undersong.features", {"uri": URI, **place})
        assert found == {"pinned": [], "silenced": [], "paragraph": None}
    await editor.stop()


async def test_pins_are_told_of_before_the_draft_is_read(tmp_path: Path) -> None:
    (tmp_path / ".undersong.toml").write_text("[features]\ngrief = 0.5\n")
    editor = Editor()
    editor.engine.hold("read")
    await editor.start(None, [tmp_path.as_uri()])
    uri = (tmp_path / "draft.md").as_uri()
    editor.open(DRAFT, uri)
    await settle()
    (pin,) = (await editor.command("undersong.features", {"uri": uri}))["pinned"]
    assert pin == {
        "name": "grief",
        "feature": "p0.1",
        "strength": 0.5,
        "steers": True,
        "presence": None,
        "origin": "dials",
    }
    await editor.stop()


async def test_a_pin_is_told_with_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / ".undersong.toml").write_text("[features]\nGrief = 0.5\n")
    editor = Editor()
    editor.settings = {"features": {"light": 0.25, "grief": 0}}
    await editor.start(None, [tmp_path.as_uri()])
    uri = (tmp_path / "draft.md").as_uri()
    editor.open(DRAFT, uri)
    await editor.clock.advance(3)
    pinned = (await editor.command("undersong.features", {"uri": uri}))["pinned"]
    assert [(one["name"], one["strength"], one["origin"]) for one in pinned] == [
        ("light", 0.25, "settings"),
        ("grief", 0.5, "dials"),
    ]
    await editor.stop()


async def test_a_paragraph_that_is_not_read_is_told_as_that() -> None:
    editor = Editor()
    editor.engine.hold("read")
    await editor.start()
    editor.open(DRAFT)
    found = await editor.command("undersong.map", {"uri": URI})
    assert [one["read"] for one in found["paragraphs"]] == [False, False, False]
    await editor.stop()


# --- the map -----------------------------------------------------------------------------------------------------


async def test_the_map_is_told_with_ranges() -> None:
    editor = await reading_editor()
    found = await editor.command("undersong.map", {"uri": URI})
    assert [one["name"] for one in found["features"]] == ["grief", "the sea"]
    starts = [DRAFT.index(prose) for prose in (SEA, PLAINLY, GRIEF)]
    ranges = [
        editor.range(start, start + len(prose)) for start, prose in zip(starts, (SEA, PLAINLY, GRIEF), strict=True)
    ]
    assert [one["range"] for one in found["paragraphs"]] == ranges
    assert [one["presence"] for one in found["paragraphs"]] == [[None, 0.8], [None, None], [0.96, None]]
    assert [one["bars"] for one in found["paragraphs"]] == [[None, "▂"], [None, None], ["▄", None]]
    assert [one["read"] for one in found["paragraphs"]] == [True, True, True]
    assert found["pending"] == 0
    assert len((await editor.command("undersong.map", {"uri": URI, "limit": 1}))["features"]) == 1
    await editor.stop()


@pytest.mark.parametrize(
    ("command", "argument", "message"),
    [
        ("undersong.features", {}, '"uri" must be text'),
        ("undersong.features", {"uri": URI, "position": "here"}, '"position" must be an LSP position'),
        ("undersong.map", {"uri": "file:///no"}, "not open"),
        ("undersong.map", {"uri": URI, "limit": True}, '"limit" must be a whole number from 1 to 100'),
        ("undersong.receipts", {"uri": URI, "limit": 0}, '"limit"'),
        ("undersong.why", {"uri": URI}, '"position" or "anchor"'),
        ("undersong.why", {"uri": URI, "position": {"line": 1, "character": 0}}, "no paragraph of prose"),
        ("undersong.report", {"uri": URI, "position": {"line": 1, "character": 0}}, "no paragraph of prose"),
        ("undersong.move", {"uri": URI, "name": "grief"}, '"to" must be a whole number'),
        ("undersong.move", {"uri": URI, "name": "grief", "to": 0}, "not pinned"),
    ],
)
async def test_wrong_arguments_are_refused_by_name(command: str, argument: Any, message: str) -> None:
    editor = await reading_editor()
    error = await editor.error(EXECUTE, {"command": command, "arguments": [argument]})
    assert error["code"] == -32602
    assert message in error["message"]
    await editor.stop()


# --- pages -------------------------------------------------------------------------------------------------------


async def test_a_report_by_position_is_that_of_its_paragraph() -> None:
    editor = await reading_editor()
    by_anchor = await editor.run_action("She wept", "What does this paragraph carry?")
    by_position = await editor.command(
        "undersong.report", {"uri": URI, "position": editor.at("She wept"), "quiet": True}
    )
    assert by_position == by_anchor
    await editor.stop()


async def test_a_page_goes_out_before_the_answer_of_its_command() -> None:
    # lsp-mode drops what comes in one piece with an answer, behind it.
    editor = await reading_editor()
    request = editor.request(EXECUTE, {"command": "undersong.report", "arguments": [{"uri": URI}]})
    await editor.reply(request)
    told = [message.get("method") or message["id"] for message in editor.messages]
    assert told.index("window/showDocument") < told.index(request)
    await editor.stop()


async def test_why_is_a_page_with_the_evidence_for_the_word() -> None:
    editor = await reading_editor()
    text = await editor.command("undersong.why", {"uri": URI, "position": editor.at("her gr")})
    await settle()
    assert "# What this sentence carries" in text
    assert "**grief**" in text
    assert "They looked at **grief** again." in text
    assert editor.sent("window/showDocument")[-1]["uri"].endswith("undersong-why.md")
    await editor.stop()


async def test_why_needs_no_engine_for_what_is_known() -> None:
    editor = await reading_editor()
    editor.engine.die()
    await settle()
    text = await editor.command("undersong.why", {"uri": URI, "position": editor.at("She wept"), "quiet": True})
    assert "more than in 96 % of reference passages" in text
    await editor.stop()


# --- the engine --------------------------------------------------------------------------------------------------

HEALTH = wire.Health(
    "ready", "ready", "0", wire.PROTOCOL_VERSION, "a model", "cpu", "float32", 256, ("p0",), 2, 1_000_000, 1.0,
    weights_bytes=600_000, caches_bytes=100_000, budget_bytes=2_000_000,
)  # fmt: skip
STATUS = {
    "state": "ready",
    "message": "ready",
    "progress": 1.0,
    "model": "a model",
    "device": "cpu",
    "dtype": "float32",
    "context": 256,
    "saes": ["p0"],
    "clients": 2,
    "memory_bytes": 1_000_000,
    "weights_bytes": 600_000,
    "caches_bytes": 100_000,
    "budget_bytes": 2_000_000,
    "warnings": [],
}


async def test_the_status_is_told_and_answered_alike() -> None:
    editor = Editor(RICH, FakeEngine(health=HEALTH))
    await editor.start()
    assert editor.sent("undersong/status")[-1] == STATUS
    assert await editor.command("undersong.status", {}) == STATUS
    assert await editor.command("undersong.status") == STATUS
    await editor.stop()


async def test_the_status_has_the_memory_as_it_is_now_and_else_as_it_was() -> None:
    engine = FakeEngine(health=HEALTH)
    editor = Editor(RICH, engine)
    await editor.start()

    async def health() -> wire.Health:
        if engine.detached:
            raise EngineUnavailable("the engine is gone")
        return wire.Health("ready", "ready", "0", wire.PROTOCOL_VERSION, memory_bytes=5)

    engine.health = health  # type: ignore[method-assign]
    assert (await editor.command("undersong.status", {}))["memory_bytes"] == 5
    engine.detached = True
    assert await editor.command("undersong.status", {}) == STATUS
    await editor.stop()


async def test_without_an_engine_the_status_says_so() -> None:
    editor = Editor()
    editor.engine.die()
    await editor.start()
    found = await editor.command("undersong.status", {})
    assert (found["state"], found["model"], found["memory_bytes"]) == ("lost", "", 0)
    assert "no engine is running" in found["message"]
    await editor.stop()


# --- what has changed --------------------------------------------------------------------------------------------


def told(editor: Editor) -> list[tuple[Any, Any]]:
    return [(params["uri"], params["what"]) for params in editor.sent(CHANGED)]


async def test_a_view_is_told_of_new_readings_at_the_pace_of_the_hints() -> None:
    editor = await reading_editor()
    before = len(told(editor))
    assert set(told(editor)) == {(URI, "readings")}
    for letter in " wave and wave":
        editor.type_after("house", letter)
        await editor.clock.advance(0.05)
    await editor.clock.advance(3)
    assert 1 <= len(told(editor)) - before <= 4
    quiet = len(told(editor))
    await editor.clock.advance(10)
    assert len(told(editor)) == quiet
    await editor.stop()


async def test_a_view_is_told_of_new_dials_and_once_more_when_it_is_known_what_they_are(tmp_path: Path) -> None:
    editor = await in_folder(tmp_path)
    uri = (tmp_path / "draft.md").as_uri()
    assert (uri, "dials") not in told(editor)
    await editor.command("undersong.pin", {"uri": uri, "name": "grief", "strength": 0.5})
    await editor.clock.advance(1)
    assert told(editor).count((uri, "dials")) == 1
    assert told(editor).count((None, "dials")) == 1
    await editor.stop()


async def test_a_view_is_told_of_receipts_when_one_comes_and_when_one_no_longer_stands() -> None:
    editor = await reading_editor()
    await editor.run_action("She wept", MORE_GRIEF)
    await editor.clock.advance(1)
    assert told(editor).count((URI, "receipts")) == 1
    editor.type_after("house", " there")
    await editor.clock.advance(1)
    assert told(editor).count((URI, "receipts")) == 1
    editor.type_after("She wept", " long")
    await editor.clock.advance(1)
    assert told(editor).count((URI, "receipts")) == 2
    await editor.stop()


async def test_a_client_that_did_not_announce_it_is_told_nothing() -> None:
    editor = await reading_editor(DRAFT, {**RICH, "experimental": {"undersong": {"status": True}}})
    await editor.run_action("She wept", MORE_GRIEF)
    await editor.clock.advance(3)
    assert not editor.sent(CHANGED)
    assert editor.sent("undersong/status")
    await editor.stop()
