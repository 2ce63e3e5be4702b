"""An instruct model is asked for a rewrite through its chat template; what it answers is measured where it stands."""

from __future__ import annotations

import pytest

from tests.engine.conftest import Bench, play, update
from tests.support.decoders import change_step
from tests.support.tiny_models import END, TinyWeights, write_weights
from undersong.engine.chat import asked_to_rewrite
from undersong.engine.loading import Loaded, load
from undersong.model.tokens import decode, encode
from undersong.wire import Splice, WriteRequest

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}({{ m.role }}: {{ m.content }}){% endfor %}"
    "{% if add_generation_prompt %}(me: {% endif %}"
)
PARAGRAPHS = ("The sea was gray.", "He met Rose.", "It was late.")


@pytest.fixture(scope="module")
def instructed(tmp_path_factory) -> Loaded:
    """A tiny model with room for a question, whose tokenizer has a chat template."""
    folder = tmp_path_factory.mktemp("instruct")
    patch = pytest.MonkeyPatch()
    patch.setenv("UNDERSONG_CACHE_DIR", str(folder / "cache"))
    patch.setattr("tests.support.tiny_models.CONTEXT", 1024)
    patch.setattr("tests.support.tiny_models._WIDE", {**_wide(), "max_position_embeddings": 1024})
    weights: TinyWeights = write_weights(folder)
    (weights.model / "chat_template.jinja").write_text(TEMPLATE, "utf-8")
    *_, loaded = load(str(weights.model), (str(weights.saes["1"]),), "cpu", lambda *said: None)
    patch.undo()
    assert loaded is not None
    return loaded


def _wide() -> dict:
    from tests.support import tiny_models

    return tiny_models._WIDE


def asked(loaded: Loaded, left: str, original: str, room: int = 900) -> str | None:
    ids = asked_to_rewrite(loaded, left, original, room)
    return None if ids is None else decode(loaded.model.tokenizer, ids)


def test_the_question_holds_the_original_and_what_stands_before_it(instructed):
    text = asked(instructed, "The sea was gray.", "He met Rose.") or ""
    assert text.startswith("(user: The text before it:\nThe sea was gray.\n\nRewrite the passage below")
    assert text.endswith("The passage:\nHe met Rose.)(me: ")
    assert (asked(instructed, "", "He met Rose.") or "").startswith("(user: Rewrite the passage")


def test_it_begins_with_one_beginning(instructed):
    ids = asked_to_rewrite(instructed, "", "He met Rose.", 900) or []
    assert ids.count(instructed.model.bos_id) == 1 and ids[0] == instructed.model.bos_id


def test_a_special_tokens_name_in_the_draft_is_plain_text(instructed):
    ids = asked_to_rewrite(instructed, f"left {END}", f"He {END} met.", 900) or []
    assert ids.count(instructed.model.bos_id) == 1
    assert decode(instructed.model.tokenizer, ids).count(END) == 2


def test_where_there_is_little_room_the_nearest_text_before_is_kept(instructed):
    whole = len(asked_to_rewrite(instructed, "", "He met.", 900) or [])
    text = asked(instructed, "far " * 50 + "near", "He met.", whole + 40) or ""
    assert "near\n\nRewrite" in text and "far far far far far" not in text
    assert asked(instructed, "left", "He met.", whole - 1) is None


def test_a_model_without_a_template_is_not_asked(loaded):
    assert asked(loaded, "left", "He met.") is None


def request(**changes) -> WriteRequest:
    return WriteRequest(
        update(1, 1, Splice(0, 0, ())), 1, changes.pop("start", 0), 12, changes.pop("kind", "rewrite"), (),
        candidates=2, max_tokens=20, stop="paragraph", **changes,
    )  # fmt: skip


def test_only_a_rewrite_is_asked_for(instructed, tmp_path):
    bench = Bench(instructed, tmp_path)
    outline = bench.draft(*PARAGRAPHS).outline
    assert bench.writer._places.find(outline, request()).asking
    for other in (request(kind="continue", start=12), request(kind="bridge", start=12)):
        assert bench.writer._places.find(outline, other).asking is None


def test_passages_of_context_are_in_the_question(instructed, tmp_path):
    bench = Bench(instructed, tmp_path)
    place = bench.writer._places.find(bench.draft(*PARAGRAPHS).outline, request(context=("It rained.",)))
    assert "before it:\nIt rained.\nThe sea was gray.\n\n" in decode(instructed.model.tokenizer, place.asking or [])


def test_an_answer_ends_where_the_model_ends_it_and_is_read_again_in_the_draft(instructed, tmp_path, monkeypatch):
    """The model is made to answer "He saw her" and to end there."""
    bench = Bench(instructed, tmp_path)
    (end,) = instructed.model.eos_ids
    answer = [*encode(instructed.model.tokenizer, "He saw her").ids, end]
    draft = bench.draft(*PARAGRAPHS)
    asking = bench.writer._places.find(draft.outline, request()).asking or []

    def answering(step):
        def run(self, parts):
            (part,) = parts
            at = part.rows.length + 1 - len(asking)
            (logits,) = step(self, parts)
            if 0 <= at < len(answer):
                logits[:, answer[at]] += 1000.0
            return [logits]

        return run

    change_step(monkeypatch, answering)
    results = play(bench.writer.write(draft.outline, request()))
    assert [result.text for result in results] == ["He saw her"] * 2
    assert {result.receipt.tokens for result in results} == {len(answer) - 1}
    assert all(result.receipt.fit is not None for result in results)
