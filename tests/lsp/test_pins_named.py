"""Pins that name what is not there, or what only reads: told of once, each time that it comes up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.lsp.drafts import DRAFT
from tests.lsp.harness import RICH, Editor, settle
from undersong.assist.dial_file import FILE_NAME
from undersong.client.fake import READY, FakeEngine
from undersong.wire import CardRequest


async def editor_in(folder: Path, capabilities: dict[str, Any] = RICH, options: Any = None) -> Editor:
    editor = Editor(capabilities)
    await editor.start(options, [folder.as_uri()])
    return editor


async def test_a_feature_that_does_not_exist_is_told_of_once_when_it_is_named_in_the_settings(tmp_path: Path) -> None:
    uri = (tmp_path / "a.md").as_uri()
    (tmp_path / FILE_NAME).write_text('silence = ["no such"]\n[features]\ngrief = 0.5\n"9.9" = 1\n')
    editor = await editor_in(tmp_path)
    editor.open(DRAFT, uri)
    await editor.clock.advance(3)
    editor.notify("workspace/didChangeWatchedFiles", {"changes": []})
    await settle()
    assert sorted(editor.said()) == [
        f"no feature has the id or name {name} (named in the settings)" for name in ("9.9", "no such")
    ]
    await editor.stop()


GRIEF_ONLY_READS = "“grief” reads, does not steer: pinned above 0 it is only shown (named in the settings)"


NO_SUCH = "no feature has the id or name no such (named in the settings)"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            ["grief = 0", "grief = 0.5", "grief = 0.75\nlight = 1", "grief = -1", "grief = 1"],
            [GRIEF_ONLY_READS, GRIEF_ONLY_READS],
        ),
        (["grief = 1", "", "grief = 1"], [GRIEF_ONLY_READS, GRIEF_ONLY_READS]),
        (['"no such" = 1', "light = 1", '"no such" = 0'], [NO_SUCH, NO_SUCH]),
        (['"no such" = 1', '"no such" = 0', '"no such" = 0.5'], [NO_SUCH]),
    ],
    ids=["lowered and raised again", "deleted and pinned again", "no such feature, again", "turned, but as it was"],
)
async def test_what_is_wrong_with_a_pin_is_told_once_each_time_that_it_comes_up(
    tmp_path: Path, files: list[str], told: list[str]
) -> None:
    editor = Editor(engine=FakeEngine(reads_only={"grief"}))
    await editor.start(None, [tmp_path.as_uri()])
    editor.open(DRAFT, (tmp_path / "a.md").as_uri())
    for text in files:
        (tmp_path / FILE_NAME).write_text(f"[features]\n{text}\n")
        editor.notify("workspace/didChangeWatchedFiles", {"changes": []})
        await editor.clock.advance(3)
    assert editor.said() == told
    await editor.stop()


@pytest.mark.parametrize(("now", "told"), [("grief = 0", []), ("", []), ("grief = 0.25", [GRIEF_ONLY_READS])])
async def test_what_the_settings_say_by_the_time_the_engine_answers_is_what_counts(
    tmp_path: Path, now: str, told: list[str]
) -> None:
    (tmp_path / FILE_NAME).write_text("[features]\ngrief = 1\n")
    editor = Editor(engine=FakeEngine(reads_only={"grief"}))
    await editor.start(None, [tmp_path.as_uri()])
    editor.engine.hold("card")
    editor.open(DRAFT, (tmp_path / "a.md").as_uri())
    await settle()
    (tmp_path / FILE_NAME).write_text(f"[features]\n{now}\n")
    editor.notify("workspace/didChangeWatchedFiles", {"changes": []})
    await settle()
    assert len(editor.engine.of_kind(CardRequest)) >= 1
    assert editor.said() == []
    editor.engine.release("card")
    await settle()
    assert editor.said() == told
    await editor.stop()


async def test_a_pin_that_comes_to_read_only_with_other_weights_is_told_of(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('[features]\n"no such" = 1\ngrief = 1\n')
    editor = Editor(engine=FakeEngine())
    await editor.start(None, [tmp_path.as_uri()])
    editor.open(DRAFT, (tmp_path / "a.md").as_uri())
    await editor.clock.advance(3)
    assert editor.said() == [NO_SUCH]
    first, editor.engine = (
        editor.engine,
        FakeEngine({"wept": "grief", "no": "no such"}, replace(READY, model="other"), reads_only={"grief", "no such"}),
    )
    first.die()
    await editor.clock.advance(60)
    lost, *rest = editor.said()[1:]
    assert "grief" not in lost
    assert sorted(rest) == sorted([GRIEF_ONLY_READS, GRIEF_ONLY_READS.replace("grief", "no such")])
    await editor.stop()
