"""A steer that is cancelled, overtaken, refused or left alone by its engine takes nothing away."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lsp.drafts import APPLY, DRAFT, GRIEF, MORE_GRIEF, WRITTEN, reading_editor
from tests.lsp.harness import URI, settle
from undersong.errors import OutOfMemory, Resync
from undersong.wire import WriteRequest


async def test_a_model_that_writes_nothing_takes_nothing_away() -> None:
    editor = await reading_editor()
    editor.engine._suggestion = lambda *_: []  # type: ignore[method-assign]
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    assert editor.text() == DRAFT
    assert "nothing to write" in editor.said()[-1]
    await editor.stop()


async def test_the_cancel_button_stops_the_engine_and_writes_nothing() -> None:
    editor = await reading_editor()
    editor.engine.hold("write")
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    token = editor.sent("window/workDoneProgress/create")[-1]["token"]
    assert editor.engine.active == 1
    editor.notify("window/workDoneProgress/cancel", {"token": token})
    await settle()
    assert (editor.engine.active, editor.engine.closed) == (0, 1)
    assert editor.sent("$/progress")[-1]["value"] == {"kind": "end", "message": "cancelled"}
    assert editor.text() == DRAFT
    assert not editor.sent(APPLY)
    editor.notify("window/workDoneProgress/cancel", {"token": token})
    editor.notify("window/workDoneProgress/cancel", {"token": "another"})
    await editor.stop()


async def test_if_only_other_text_moved_the_edit_follows_its_paragraph() -> None:
    editor = await reading_editor()
    editor.engine.hold("write")
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    editor.edit(0, 0, "A line that came before it all.\n\n")
    editor.type_after("house", " there")
    editor.engine.release("write")
    await settle()
    assert editor.text().endswith(f"\n\n{WRITTEN}\n")
    assert editor.sent(APPLY)[0]["edit"]["documentChanges"][0]["textDocument"]["version"] == 3
    await editor.stop()


async def test_if_the_paragraph_changed_nothing_is_written_and_that_is_said() -> None:
    editor = await reading_editor()
    editor.engine.hold("write")
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    editor.type_after("She wept", " long")
    editor.engine.release("write")
    await settle()
    assert not editor.sent(APPLY)
    assert "changed" in editor.said()[-1]
    await editor.stop()


async def test_an_action_on_a_paragraph_that_has_changed_since_it_was_listed_does_nothing() -> None:
    editor = await reading_editor()
    action = next(action for action in await editor.actions("She wept") if action["title"] == MORE_GRIEF)
    editor.type_after("She wept", " long")
    await editor.command(action["command"]["command"], *action["command"]["arguments"])
    await settle()
    assert not editor.engine.of_kind(WriteRequest)
    assert "changed" in editor.said()[-1]
    await editor.stop()


@pytest.mark.parametrize("answer", [{"applied": False, "failureReason": "read only"}, None, [], {"applied": "yes"}])
async def test_an_edit_that_the_editor_did_not_make_is_said_to_be_so(answer: Any) -> None:
    editor = await reading_editor()
    editor.answers[APPLY] = lambda _: answer
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    assert "Nothing was written" in editor.said()[-1]
    if answer and isinstance(answer, dict) and "failureReason" in answer:
        assert "read only" in editor.said()[-1]
    await editor.stop()


async def test_an_edit_refused_because_the_person_typed_elsewhere_is_tried_again() -> None:
    editor = await reading_editor()
    apply = editor.answers[APPLY]

    def ahead(params: Any) -> Any:
        """The editor had a change that we did not know of when we asked."""
        if editor.text() == DRAFT:
            editor.type_after("house", " there")
        return apply(params)

    editor.answers[APPLY] = ahead
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    assert len(editor.sent(APPLY)) == 2
    assert editor.text() == DRAFT.replace("house", "house there").replace(GRIEF, WRITTEN)
    await editor.stop()


async def test_a_draft_closed_meanwhile_is_not_written_to() -> None:
    editor = await reading_editor()
    editor.engine.hold("write")
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    editor.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    editor.engine.release("write")
    await settle()
    assert not editor.sent(APPLY)
    await editor.stop()


@pytest.mark.parametrize("kind", ["write", "step"])
async def test_an_engine_that_fails_while_writing_is_told_of(kind: str) -> None:
    editor = await reading_editor()
    editor.engine.fail_next(kind, OutOfMemory("that did not fit into memory"))
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    assert editor.said()[-1] == "that did not fit into memory"
    assert editor.text() == DRAFT
    assert editor.engine.active == 0
    await editor.stop()


async def test_an_engine_killed_while_writing_is_told_of_and_nothing_is_lost() -> None:
    editor = await reading_editor()
    editor.engine.hold("write")
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    editor.engine.die()
    await settle()
    assert any("gone" in message for message in editor.said())
    assert editor.text() == DRAFT
    assert set(await editor.hints()) == {0, 4}
    await editor.stop()


async def test_an_engine_that_lost_the_draft_is_sent_it_again_once() -> None:
    editor = await reading_editor()
    editor.engine.forget()
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    assert WRITTEN in editor.text()
    editor.engine.fail_next("write", Resync("lost"))
    editor.engine.fail_next("write", Resync("lost"))
    before = len(editor.engine.of_kind(WriteRequest))
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    assert len(editor.engine.of_kind(WriteRequest)) == before + 2
    await editor.stop()
