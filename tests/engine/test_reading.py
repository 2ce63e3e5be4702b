"""Reading incrementally gives what reading from scratch gives, and costs only what changed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.conftest import Bench, play, update
from undersong.engine.kept_windows import CHUNK
from undersong.engine.presence import PSEUDO_TOKENS
from undersong.engine.ranking import Tally, ranked
from undersong.errors import Superseded
from undersong.wire import ParagraphReading, Splice

PARAGRAPHS = (
    "The sea was grey. She looked at it for a while.",
    "He said nothing.",
    "“Are you there?” she called — twice. No answer came… The house was still.",
    "",
    "Rain fell. It fell on the roof and on the road and on the fields beyond the road.",
)


def close(found: tuple[ParagraphReading, ...], expected: tuple[ParagraphReading, ...]) -> None:
    assert [reading.key for reading in found] == [reading.key for reading in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert _places(ours) == _places(theirs)
        figures = [[(f.presence, f.mean, f.peak) for f in reading.features] for reading in (ours, theirs)]
        torch.testing.assert_close(torch.tensor(figures[0]), torch.tensor(figures[1]), atol=1e-4, rtol=1e-4)


def _places(reading: ParagraphReading):
    sentences = [(s.start, s.end, [f.feature for f in s.features]) for s in reading.sentences]
    return [(f.feature, f.peak_start, f.peak_end) for f in reading.features], sentences


def slow_tally(bench: Bench, draft, paragraph: int, dictionary) -> torch.Tensor:
    """From first principles: each atom's window through the whole model by itself, then plain sums."""
    outline, sae = draft.outline, dictionary.sae
    total, n_tokens = torch.zeros(sae.d_in if sae.grain == "passage" else sae.d_sae), 0
    for a in outline.paragraph_atoms(paragraph):
        window = outline.windows[outline.homes[a]]
        ids = bench.reader.prompt_ids(outline.atoms[window.lead : a + 1])
        hidden = bench.loaded.model.network(torch.tensor([ids]), output_hidden_states=True).hidden_states
        residuals = hidden[sae.hook_layer + 1][0]
        skipped = len(bench.loaded.encode(bench.loaded.paragraph_break)[0]) if a == outline.firsts[paragraph] else 0
        own = residuals[len(ids) - len(outline.atoms[a].ids) + skipped :]
        total += own.sum(0) if sae.grain == "passage" else sae.encode(own).sum(0)
        n_tokens += len(own)
    if sae.grain == "passage":
        return sae.encode((total / n_tokens)[None])[0]
    return total / (n_tokens + PSEUDO_TOKENS)


@torch.no_grad()
def test_a_reading_equals_the_slow_reference(bench):
    draft = bench.draft(*PARAGRAPHS)
    readings = bench.read(draft)
    for paragraph in (0, 2, 4):
        for dictionary in bench.loaded.reading:
            values = slow_tally(bench, draft, paragraph, dictionary)
            expected = {
                f"{dictionary.sae.id}.{item.index}": (item.presence, item.value)
                for item in ranked(dictionary, Tally(values, values), dictionary.sae.d_sae, ())
            }
            for feature in readings[paragraph].features:
                if feature.feature in expected:
                    assert (feature.presence, feature.mean) == pytest.approx(expected[feature.feature], abs=2e-3)


WORDS = ("the", "sea.", "She", "went!", "“Yes,”", "he", "said…", "Rain?", "—", "it", "", "And", "A.")
prose = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_reading_through_edits_equals_reading_from_scratch(fresh, data):
    bench = fresh()
    draft = bench.draft(*data.draw(st.lists(prose, max_size=6)))
    for version in range(2, data.draw(st.integers(3, 5))):
        length = len(draft.outline.passages)
        start = data.draw(st.integers(0, length))
        removed = data.draw(st.integers(0, min(2, length - start)))
        inserted = tuple(data.draw(st.lists(prose, max_size=2)))
        draft.apply(update(version, version - 1, Splice(start, removed, inserted)))
        wanted = data.draw(st.permutations(range(len(draft.outline.passages))))
        bench.read(draft, wanted[:2])
    scratch = fresh()
    whole = scratch.draft(*(passage.prose for passage in draft.outline.passages))
    close(bench.read(draft), scratch.read(whole))


def test_reading_twice_runs_the_model_once(bench):
    draft = bench.draft(*PARAGRAPHS)
    first = bench.read(draft)
    cost = bench.reader.tokens_read
    assert bench.read(draft) == first
    assert bench.reader.tokens_read == cost


def test_undo_and_another_editor_cost_nothing(bench):
    draft = bench.draft(*PARAGRAPHS)
    first = bench.read(draft)
    draft.apply(update(2, 1, Splice(1, 1, ("He said it all, and more.",))))
    bench.read(draft)
    cost = bench.reader.tokens_read
    draft.apply(update(3, 2, Splice(1, 1, (PARAGRAPHS[1],))))
    assert bench.read(draft) == first
    assert bench.read(bench.draft(*PARAGRAPHS)) == first
    assert bench.reader.tokens_read == cost


@pytest.mark.parametrize("n_paragraphs", [20, 200])
def test_a_keystroke_costs_the_same_in_a_long_draft(bench, n_paragraphs):
    paragraphs = [f"Number {n} went out. It was cold, and number {n * 7 % 13} came home." for n in range(n_paragraphs)]
    draft = bench.draft(*paragraphs)
    bench.read(draft)
    middle = n_paragraphs // 2
    for version, letter in enumerate("slowly", start=2):
        paragraphs[middle] += letter
        draft.apply(update(version, version - 1, Splice(middle, 1, (paragraphs[middle],))))
        cost = bench.reader.tokens_read
        bench.read(draft, (middle,))
        # One sentence of some twenty tokens, and at the first keystroke the window before it.
        assert bench.reader.tokens_read - cost <= (96 if version == 2 else 24)
    assert len(draft.pending()) == n_paragraphs  # nothing was marked sent here


def test_pending_names_what_an_edit_changed_and_no_more(bench):
    paragraphs = [f"Number {n} went out. It was cold and number {n} came home." for n in range(100)]
    draft = bench.draft(*paragraphs)
    assert draft.reply(draft.outline, bench.read(draft)).pending == ()
    draft.apply(update(2, 1, Splice(50, 1, ("Number fifty stayed.",))))
    assert 50 in draft.pending()
    assert all(50 <= p < 70 for p in draft.pending())


def test_a_reply_that_did_not_arrive_is_pending_again(bench):
    draft = bench.draft(*PARAGRAPHS)
    first = draft.reply(draft.outline, bench.read(draft, (0, 1)))
    lost = draft.reply(draft.outline, bench.read(draft, (2, 3, 4)))
    assert (first.pending, lost.pending) == ((2, 3, 4), ())
    draft.received(lost.serial)
    assert draft.pending() == ()
    draft.received(first.serial)
    assert draft.pending() == (2, 3, 4)


def test_a_new_version_of_the_same_text_is_no_reason_to_read_again(bench):
    draft = bench.draft(*PARAGRAPHS)
    began = draft.outline
    readings = bench.read(draft)
    draft.apply(update(2, 1, Splice(0, 0, ())))
    assert draft.reply(began, readings).pending == ()


def test_a_read_whose_draft_changed_meanwhile_is_not_answered_in_the_numbers_of_another(bench):
    draft = bench.draft(*PARAGRAPHS)
    began = draft.outline
    readings = bench.read(draft)
    draft.apply(update(2, 1, Splice(0, 1, ())))
    with pytest.raises(Superseded):
        draft.reply(began, readings)
    assert draft.pending() == (0, 1, 2, 3)


def test_a_paragraph_without_text_carries_nothing(bench):
    (reading,) = bench.read(bench.draft(""))
    assert reading.features == ()


@pytest.mark.parametrize("prose", ["…!?", "🙂👩‍👩‍👧", "\u200bYes.", "a\u200b", "日本語。", "\ud800", " . . . "])
def test_any_text_is_read_and_its_spans_lie_in_it(bench, prose):
    readings = bench.read(bench.draft("Before.", prose, "After."))
    for feature in (f for s in (readings[1], *readings[1].sentences) for f in s.features):
        assert 0 <= feature.peak_start <= feature.peak_end <= len(prose)


@pytest.mark.parametrize(
    "prose",
    [
        " ".join(f"word{n}" for n in range(2500)),
        " ".join(f"She {n} went home." for n in range(1000)),
        "".join(map(str, range(4000))),
    ],
    ids=["one long sentence", "many sentences", "one long word"],
)
def test_a_giant_paragraph_is_read_in_small_steps(bench, prose):
    draft = bench.draft("Before.", prose)
    steps, most, before = bench.reader.read(draft.outline, (1,), ()), 0, 0
    for _ in steps:
        most, before = max(most, bench.reader.tokens_read - before), bench.reader.tokens_read
    assert bench.reader.tokens_read > len(prose) / 2
    assert most <= CHUNK


def test_codes_that_others_drop_during_a_read_do_not_harm_it(bench, fresh):
    draft = bench.draft("She went home. He stayed, and the rain fell on. " * 20)
    expected = fresh().read(draft)

    def dropping():
        steps = bench.reader.read(draft.outline, (0,), ())
        while True:
            try:
                yield next(steps)
            except StopIteration as end:
                return end.value
            bench.reader._codes.clear()

    close(play(dropping()), expected)


def test_two_jobs_that_take_turns_on_one_window_read_the_same_as_one(bench, fresh):
    shared = "The sea was grey, and she looked at it for a while. " * 2
    drafts = [bench.draft(shared, f"Then {name} came. " * 12) for name in ("he", "she")]
    jobs = [bench.reader.read(draft.outline, (0, 1), ()) for draft in drafts]
    found = {}
    while len(found) < 2:
        for n, job in enumerate(jobs):
            try:
                if n not in found:
                    next(job)
            except StopIteration as end:
                found[n] = end.value
    for n, draft in enumerate(drafts):
        close(found[n], fresh().read(draft))


def test_the_key_of_a_paragraph_over_two_windows_tells_what_stood_before_the_first(bench):
    long = "She went home again. " * 12
    keys = [bench.read(bench.draft(before, long))[1].key for before in ("Rain.", "Snow.")]
    assert len(bench.draft("Rain.", long).outline.windows) > 1
    assert keys[0] != keys[1]


def test_a_watched_feature_is_answered_however_faint(bench):
    draft = bench.draft(*PARAGRAPHS)
    (reading,) = play_watch(bench, draft, "1.3")
    assert "1.3" in {feature.feature for feature in reading.features}


def play_watch(bench, draft, feature):
    return play(bench.reader.read(draft.outline, (0,), (feature,)))
