"""Code actions, what they do to a draft, and what they never do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lsp.harness import NO_ANSWER, PLAIN, REFUSED, RICH, URI, Editor, settle
from tests.lsp.test_hints import DRAFT, GRIEF, PLAINLY, SEA, reading_editor
from undersong import wire
from undersong.client.fake import READY, FakeEngine
from undersong.errors import OutOfMemory, Resync
from undersong.wire import Health, WriteRequest

MORE_GRIEF = "Steer this paragraph: more ‹grief›"
WRITTEN = f"{GRIEF} There was grief in it, 0."
APPLY = "workspace/applyEdit"


async def test_actions_are_listed_while_the_engine_does_not_answer() -> None:
    editor = await reading_editor()
    editor.engine.hold("read")
    editor.engine.hold("write")
    before = len(editor.engine.requests)
    titles = [action["title"] for action in await editor.actions("She wept")]
    assert MORE_GRIEF in titles
    assert "Pin ‹grief›" in titles
    assert "What does this paragraph carry?" in titles
    assert len(editor.engine.requests) == before
    await editor.stop()


@pytest.mark.parametrize(
    ("only", "found"),
    [
        (["quickfix"], False),
        (["source.organizeImports"], False),
        (["refactor"], True),
        (["refactor.rewrite"], True),
        (["refactor.rewrite.undersong"], True),
        (["refactor.extract"], False),
        ([""], True),
    ],
)
async def test_only_the_kinds_asked_for_are_listed(only: list[str], found: bool) -> None:
    editor = await reading_editor()
    assert bool(await editor.actions("She wept", only)) is found
    await editor.stop()


async def test_what_writes_is_tagged_and_nothing_is_preferred() -> None:
    editor = await reading_editor()
    for action in await editor.actions("She wept"):
        writes = action["command"]["command"] in ("undersong.steer", "undersong.continue")
        assert action.get("tags") == ([1] if writes else None)
        assert "isPreferred" not in action
        assert action["kind"].startswith("refactor.rewrite.undersong")
    await editor.stop()


async def test_a_client_without_literals_gets_commands() -> None:
    editor = await reading_editor(DRAFT, PLAIN)
    found = await editor.actions("She wept")
    assert {type(action["command"]) for action in found} == {str}
    await editor.stop()


async def loading_editor(capabilities: dict[str, Any]) -> Editor:
    engine = FakeEngine(health=Health("loading", "reading the weights", "0", wire.PROTOCOL_VERSION, progress=0.4))
    editor = Editor(capabilities, engine)
    await editor.start()
    editor.open(DRAFT)
    await settle()
    return editor


async def test_while_the_model_loads_actions_are_disabled_with_the_reason() -> None:
    editor = await loading_editor(RICH)
    (steer,) = [action for action in await editor.actions("She wept") if action["title"].startswith("Steer")]
    assert "reading the weights" in steer["disabled"]["reason"]
    editor.engine.set_health(READY)
    await editor.clock.advance(2)
    assert all("disabled" not in action for action in await editor.actions("She wept"))
    await editor.stop()


async def test_a_client_that_cannot_show_disabled_actions_gets_none() -> None:
    editor = await loading_editor(PLAIN)
    assert await editor.actions("She wept") == []
    await editor.stop()


async def test_a_steer_is_one_versioned_edit_whose_annotation_states_the_effect() -> None:
    editor = await reading_editor()
    assert await editor.run_action("She wept", MORE_GRIEF) is None
    await settle()
    assert editor.text() == f"{SEA}\n\n{PLAINLY}\n\n{WRITTEN}\n"
    (params,) = editor.sent(APPLY)
    (change,) = params["edit"]["documentChanges"]
    assert change["textDocument"] == {"uri": URI, "version": 1}
    (edit,) = change["edits"]
    annotation = params["edit"]["changeAnnotations"][edit["annotationId"]]
    assert annotation["label"] == editor.said()[-1]
    assert "grief" in annotation["label"]
    assert "→" in annotation["label"]
    assert annotation["needsConfirmation"] is False
    assert annotation["label"] in params["label"]
    assert params["metadata"] == {"isRefactoring": True}
    assert editor.engine.active == 0
    await editor.stop()


async def test_a_client_without_annotations_or_document_changes_gets_a_plain_edit() -> None:
    editor = await reading_editor(DRAFT, PLAIN)
    action = next(action for action in await editor.actions("She wept") if action["title"] == MORE_GRIEF)
    await editor.command(action["command"], *action["arguments"])
    await settle()
    (params,) = editor.sent(APPLY)
    assert set(params["edit"]) == {"changes"}
    assert "metadata" not in params
    assert WRITTEN in editor.text()
    assert not editor.sent("window/workDoneProgress/create")
    await editor.stop()


async def test_a_client_that_applies_no_edits_is_asked_for_none() -> None:
    editor = await reading_editor(DRAFT, {"textDocument": RICH["textDocument"]})
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    assert not editor.sent(APPLY)
    assert not editor.engine.of_kind(WriteRequest)
    assert "does not let" in editor.said()[-1]
    await editor.stop()


async def test_progress_is_begun_reported_and_ended() -> None:
    editor = await reading_editor()
    before = len(editor.sent("$/progress"))
    editor.engine.hold("write")
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    editor.engine.release("write")
    await settle()
    values = [params["value"] for params in editor.sent("$/progress")[before:]]
    assert [value["kind"] for value in values] == ["begin", *["report"] * (len(values) - 2), "end"]
    assert values[0]["cancellable"] is True
    shares = [value["percentage"] for value in values[1:-1]]
    assert shares == sorted(shares)
    assert "→" in values[-1]["message"]
    await editor.stop()


async def test_a_client_that_refuses_the_progress_is_reported_none_and_gets_its_edit() -> None:
    editor = await reading_editor()
    before = len(editor.sent("$/progress"))
    editor.answers["window/workDoneProgress/create"] = lambda _: REFUSED
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    assert WRITTEN in editor.text()
    assert len(editor.sent("$/progress")) == before
    await editor.stop()


async def test_a_change_in_the_same_breath_as_the_command_does_not_change_which_paragraph_is_written() -> None:
    editor = await reading_editor()
    action = next(action for action in await editor.actions("She wept") if action["title"] == MORE_GRIEF)
    editor.request("workspace/executeCommand", action["command"])
    editor.edit(0, 0, "A line that came before it all.\n\n")
    await settle()
    (request,) = editor.engine.of_kind(WriteRequest)
    assert (request.paragraph, request.end) == (3, len(GRIEF))
    assert editor.text().endswith(f"\n\n{WRITTEN}\n")
    await editor.stop()


async def test_a_rewrite_that_drops_markup_says_so_and_asks() -> None:
    editor = await reading_editor(DRAFT.replace("her grief", "[her](a.md) grief"))
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    (annotation,) = editor.sent(APPLY)[0]["edit"]["changeAnnotations"].values()
    assert annotation["needsConfirmation"] is True
    assert annotation["description"] == "The rewrite has no place for [ ](a.md)"
    assert editor.said()[-1].endswith("The rewrite has no place for [ ](a.md)")
    await editor.stop()


async def test_what_was_written_keeps_its_receipt_in_the_report_until_it_is_changed() -> None:
    editor = await reading_editor()
    await editor.run_action("She wept", MORE_GRIEF)
    await editor.clock.advance(3)
    title = "What does this paragraph carry?"
    assert "seed 0, fake" in await editor.run_action("She wept", title)
    assert "(strength 0.5)" in await editor.run_action("She wept", title)
    assert "seed 0, fake" not in await editor.run_action("The sea", title)
    editor.type_after("She wept", " long")
    assert "seed 0, fake" not in await editor.run_action("She wept", title)
    await editor.stop()


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


async def test_what_does_not_steer_is_pinned_to_be_shown_and_not_written_toward(tmp_path: Path) -> None:
    editor = Editor(engine=FakeEngine(reads_only={"grief"}))
    await editor.start(None, [tmp_path.as_uri()])
    uri = (tmp_path / "draft.md").as_uri()
    editor.open(DRAFT, uri)
    await editor.clock.advance(3)
    offered = {action["title"]: action for action in await editor.actions("She wept", uri=uri)}
    assert not any("‹grief›" in title for title in offered if title.startswith(("Steer", "Continue")))
    assert "reads, does not steer" in offered["Steer this paragraph"]["disabled"]["reason"]
    pin = offered["Pin ‹grief›"]["command"]
    await editor.command(pin["command"], *pin["arguments"])
    assert (tmp_path / ".undersong.toml").read_text() == "[features]\ngrief = 0.0\n"
    await editor.stop()


async def test_a_pin_that_does_not_steer_keeps_nothing_else_from_being_written(tmp_path: Path) -> None:
    (tmp_path / ".undersong.toml").write_text("[features]\ngrief = 0.75\n")
    editor = Editor(engine=FakeEngine(reads_only={"grief"}))
    await editor.start(None, [tmp_path.as_uri()])
    uri = (tmp_path / "draft.md").as_uri()
    editor.open(DRAFT, uri)
    await editor.clock.advance(3)
    await editor.run_action(SEA, "Steer this paragraph: more ‹the sea›", uri)
    await settle()
    (request,) = editor.engine.of_kind(WriteRequest)
    assert [dial.feature for dial in request.dials] == ["p0.0"]
    assert "There was sea in it" in editor.text(uri)
    # What is asked for by command is not left out: the engine's reason is told.
    (action,) = [one for one in await editor.actions("She wept", uri=uri) if one["title"] == "Steer this paragraph"]
    (arguments,) = action["command"]["arguments"]
    await editor.command("undersong.steer", {**arguments, "name": "grief", "strength": 0.5})
    await settle()
    assert editor.said()[-1] == "“grief” reads, does not steer"
    await editor.stop()


async def test_a_newer_steer_takes_the_place_of_the_one_before() -> None:
    editor = await reading_editor()
    editor.engine.hold("write")
    await editor.run_action("She wept", MORE_GRIEF)
    await settle()
    await editor.run_action("The sea", "Steer this paragraph: more ‹the sea›")
    await settle()
    assert editor.engine.active == 1
    editor.engine.release("write")
    await settle()
    assert len(editor.sent(APPLY)) == 1
    assert editor.text().endswith(f"{GRIEF}\n")
    await editor.stop()


async def test_a_continuation_goes_to_the_cursor_even_if_text_before_it_moved() -> None:
    editor = await reading_editor()
    editor.engine.hold("write")
    await editor.run_action(GRIEF, "Continue from here toward ‹grief›")
    await settle()
    editor.edit(0, 0, "# A title\n\n")
    editor.engine.release("write")
    await settle()
    assert f"{GRIEF} There was grief in it, 0.\n" in editor.text()
    await editor.stop()


async def test_after_a_steer_its_paragraph_is_shown_without_a_pause() -> None:
    editor = await reading_editor()
    await editor.run_action("She wept", MORE_GRIEF)
    await editor.clock.advance(0.6)
    assert set(await editor.hints()) == {0, 4}
    await editor.stop()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"anchor": None}, "anchor"),
        ({"anchor": {"paragraph": "first"}}, "anchor"),
        ({"feature": None, "name": None}, "feature"),
        ({"strength": "much"}, '"strength" must be a number'),
        ({"strength": None}, '"strength" must be a number'),
        ({"strength": 7}, '"strength" must be from -1 to 1.5'),
        ({"uri": "file:///no"}, "not open"),
        ({"uri": None}, '"uri" must be text'),
    ],
)
async def test_a_steer_with_wrong_arguments_is_refused_by_name(members: Any, message: str) -> None:
    editor = await reading_editor()
    action = next(action for action in await editor.actions("She wept") if action["title"] == MORE_GRIEF)
    (argument,) = action["command"]["arguments"]
    params = {"command": "undersong.steer", "arguments": [{**argument, **members}]}
    error = await editor.error("workspace/executeCommand", params)
    assert error["code"] == -32602
    assert message in error["message"]
    await editor.stop()


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
