"""Suggestions: the same with warm and cold caches, untouched at strength 0, measured, cancelled in time."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from tests.engine.conftest import Bench, play, update
from tests.support.decoders import change_step
from undersong.engine.choosing import Qualities, score
from undersong.engine.scheduler import Rank, Scheduler
from undersong.engine.steering import interventions, turned
from undersong.errors import BadInput, BadStrength, BadText, Cancelled, UnknownFeature
from undersong.wire import Dial, Dose, Splice, WriteChunk, WriteRequest

PARAGRAPHS = ("The sea was grey. She looked at it.", "He said nothing. The rain had stopped by then.", "It was late.")


def request(**changes) -> WriteRequest:
    base = WriteRequest(
        update=update(1, 1, Splice(0, 0, ())),
        paragraph=1,
        start=16,
        end=16,
        kind="continue",
        dials=(),
        candidates=2,
        max_tokens=12,
        stop="length",
        seed=3,
    )
    return replace(base, **changes)


@pytest.fixture
def writing(bench):
    """Writes on PARAGRAPHS with a known dose, so that no calibration runs."""
    for index in range(4):
        bench.doses.put(bench.loaded.fingerprint, f"1.{index}", Dose(4.0, 4.0, 1.0))
    draft = bench.draft(*PARAGRAPHS)
    return lambda **changes: play(bench.writer.write(draft.outline, request(**changes)))


def texts(results) -> dict[int, str]:
    return {result.candidate: result.text for result in results}


def test_strength_zero_is_not_steering_bit_for_bit(writing):
    assert writing(dials=(Dial("1.0", 0.0),))[0].text == writing()[0].text
    steered = texts(writing(dials=(Dial("1.0", 1.0),)))
    assert steered != texts(writing())


def test_the_same_request_gives_the_same_text_with_warm_and_cold_caches(bench, fresh, writing):
    dials = (Dial("1.0", 0.8), Dial("1.2", -0.5))
    cold = texts(writing(dials=dials))
    bench.read(bench.draft(*PARAGRAPHS))
    assert texts(writing(dials=dials)) == cold


def test_a_candidate_does_not_depend_on_its_batch(writing):
    together = texts(writing(candidates=3))
    alone = texts(writing(candidates=1))
    assert alone[0] == together[0]


def test_writing_leaves_the_clean_cache_as_it_was(bench, writing):
    draft = bench.draft(*PARAGRAPHS)
    before = bench.read(draft)
    writing(dials=(Dial("1.0", 1.0),))
    bench.reader._codes.clear()
    assert bench.read(draft) == before


def test_chunks_make_up_the_text(bench, writing):
    draft = bench.draft(*PARAGRAPHS)
    for stop in ("length", "sentence", "paragraph"):
        told = {0: "", 1: ""}
        steps = bench.writer.write(draft.outline, request(stop=stop, max_tokens=30))
        while True:
            try:
                event = next(steps)
            except StopIteration as end:
                results = end.value
                break
            if isinstance(event, WriteChunk):
                told[event.candidate] += event.text
        assert told == texts(results)


def test_a_receipt_measures_what_was_asked(writing):
    for result in writing(kind="rewrite", start=0, end=46, dials=(Dial("1.0", 1.0), Dial("1.1", -1.0))):
        receipt = result.receipt
        assert [effect.feature for effect in receipt.effects] == ["1.0", "1.1"]
        assert all(0 <= share <= 1 for e in receipt.effects for share in (e.before, e.after))
        assert receipt.fluency > 0 and math.isfinite(receipt.fluency)
        assert receipt.fit is not None and receipt.seed == 3


def test_without_dials_the_first_candidate_is_as_fluent_as_the_unsteered_one(writing):
    first = next(result for result in writing() if result.candidate == 0)
    assert first.receipt.fluency == pytest.approx(1.0)


def test_nothing_follows_the_last_paragraph(writing):
    assert writing(paragraph=2, start=12, end=12)[0].receipt.fit is None


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"paragraph": 9}, BadText, "paragraph from 0 to 2, found 9"),
        ({"start": 5, "end": 99}, BadText, "span within 0:46, found 5:99"),
        ({"candidates": 0}, BadInput, "candidates: expected 1 to 16, found 0"),
        ({"max_tokens": 0}, BadInput, "max_tokens: expected 1 or more, found 0"),
        ({"top_p": 0.0}, BadInput, "top_p in"),
        ({"dials": (Dial("nothing", 1.0),)}, UnknownFeature, "no feature has the id or name “nothing”"),
        ({"dials": (Dial("1.9999", 1.0),)}, UnknownFeature, "1.9999"),
        ({"dials": (Dial("1.0", math.nan),)}, BadStrength, "expected a number from -1.0 to 1.5, found nan"),
        ({"dials": (Dial("1.0", 7.0),)}, BadStrength, "found 7.0"),
    ],
)
def test_bad_requests_say_what_was_expected_and_found(writing, changes, error, says):
    with pytest.raises(error, match=says.replace("(", "\\(")):
        writing(**changes)


def test_a_dose_keeps_to_one_nat_and_is_remembered(bench):
    from undersong.engine.steering import find

    feature = find(bench.loaded, "2.5")
    dose = play(bench.writer.dose(feature))
    assert 0 <= dose.kl_p95 <= 1.0
    assert bench.writer.known_dose("2.5") == dose
    assert play(bench.writer.dose(feature)) == dose


def test_the_dose_of_the_catalogue_comes_before_one_that_was_measured_here(bench, monkeypatch):
    from undersong.engine import writing as module
    from undersong.engine.steering import find

    shipped, measured = Dose(3.0, 3.0, 0.9), Dose(4.0, 4.0, 1.0)
    monkeypatch.setattr(module, "calibrate", None)
    monkeypatch.setattr(bench.loaded.catalogue, "dose", {"1.0": shipped}.get)
    for name in ("1.0", "1.1"):
        bench.doses.put(bench.loaded.fingerprint, name, measured)
    assert [play(bench.writer.dose(find(bench.loaded, name))) for name in ("1.0", "1.1")] == [shipped, measured]
    assert [bench.writer.known_dose(name) for name in ("1.0", "1.1", "1.2")] == [shipped, measured, None]


def test_a_reading_says_which_features_steer(loaded, tmp_path):
    from dataclasses import replace as with_changes

    plain = Bench(loaded, tmp_path)
    features = plain.read(plain.draft(*PARAGRAPHS))[0].features
    assert {feature.steers for feature in features} == {None}
    told = Bench(with_changes(loaded, steers={features[0].feature: False, features[1].feature: True}), tmp_path)
    found = told.read(told.draft(*PARAGRAPHS))[0].features
    assert [feature.steers for feature in found] == [False, True, *(None for _ in found[2:])]


@pytest.mark.parametrize("prose", ["", " ", "\u200b", "🙂", "—", "\ud800"])
@pytest.mark.parametrize("kind", ["continue", "rewrite"])
def test_a_paragraph_without_words_can_be_written_in(bench, prose, kind):
    draft = bench.draft(prose)
    start = 0 if kind == "rewrite" else len(prose)
    results = play(bench.writer.write(draft.outline, request(paragraph=0, start=start, end=len(prose), kind=kind)))
    assert len(results) == 2 and all(result.text for result in results)


@pytest.mark.parametrize("operation", ["floor", "clamp", "add", "ablate"])
def test_a_dial_at_zero_beside_another_changes_nothing(writing, operation):
    alone = texts(writing(dials=(Dial("1.0", 1.0),)))
    assert texts(writing(dials=(Dial("1.0", 1.0), Dial("1.3", 0.0, operation)))) == alone


def test_a_feature_that_two_dials_turn_is_turned_once_by_the_first(bench, writing):
    bench.loaded.catalogue.by_name = {"gray": "1.0"}.get
    try:
        twice = writing(dials=(Dial("1.0", 1.0, "add"), Dial("gray", 1.0, "add")))
    finally:
        del bench.loaded.catalogue.by_name
    assert texts(twice) == texts(writing(dials=(Dial("1.0", 1.0, "add"),)))
    assert [effect.strength for effect in twice[0].receipt.effects] == [1.0]


@pytest.mark.parametrize("dial", [Dial("2.9", -1.0), Dial("2.9", 1.0, "ablate"), Dial("2.9", 0.0)])
def test_what_needs_no_dose_is_not_calibrated(bench, writing, dial):
    writing(dials=(dial,))
    assert bench.writer.known_dose("2.9") is None


@pytest.mark.parametrize(
    ("dial", "operation", "doses"),
    [
        (Dial("1.0", 0.5), "floor", 0.5),
        (Dial("1.0", -0.5), "ablate", 0.0),
        (Dial("p2.4", 0.5), "add", 0.5),
        (Dial("p2.4", -0.5), "add", -0.5),
        (Dial("p2.4", -1.0, "ablate"), "add", -1.0),
        (Dial("p2.4", 1.0, "ablate"), "add", -1.0),
    ],
)
def test_below_zero_a_token_feature_is_ablated_and_a_passage_feature_pushed_away(bench, dial, operation, doses):
    found = turned(bench.loaded, dial)
    assert (found.operation, found.doses(dial.strength)) == (operation, doses)


def test_a_dose_away_lies_opposite_to_a_dose_toward(bench, writing, monkeypatch):
    bench.doses.put(bench.loaded.fingerprint, "p2.4", Dose(4.0, 4.0, 1.0))
    made = []
    monkeypatch.setattr(
        "undersong.engine.steering.interventions",
        lambda *asked: made.append(interventions(*asked)) or made[-1],
    )
    toward, away = (texts(writing(dials=(Dial("p2.4", strength),))) for strength in (0.5, -0.5))
    # The first of each is tried on the draft.
    up, down = (next(one for (one,) in made if float(one.targets[0, 0]) * sign > 0) for sign in (1, -1))
    assert torch.equal(up.targets, -down.targets) and torch.equal(up.directions, down.directions)
    assert toward != away


@pytest.mark.parametrize(
    ("strengths", "expected"),
    [((-1.0,), [-4.0]), ((-1.0, -1.0), [-2.0, -2.0]), ((-1.0, -0.5, 0.5), [-8 / 3, -4 / 3, 2.0]), ((-0.5,), [-2.0])],
)
def test_doses_away_are_together_one_dose_at_most(bench, writing, monkeypatch, strengths, expected):
    """Three features silenced because their hints bored do not push a text three doses off."""
    dials = tuple(Dial(f"p2.{index}", strength) for index, strength in enumerate(strengths))
    for dial in dials:
        bench.doses.put(bench.loaded.fingerprint, dial.feature, Dose(4.0, 4.0, 1.0))
    asked = []
    monkeypatch.setattr(
        "undersong.engine.steering.interventions",
        lambda features, targets, *rest: asked.append(targets) or interventions(features, targets, *rest),
    )
    writing(dials=dials)
    assert asked[0][0].tolist() == pytest.approx(expected)


def test_of_candidates_asked_to_lose_a_feature_the_one_with_least_of_it_comes_first(writing):
    for dial in (Dial("1.0", -1.0), Dial("1.0", 1.0, "ablate")):
        results = writing(dials=(dial,), candidates=6)
        told = [(r.receipt.effects[0].after, r.receipt.fluency, r.receipt.fit) for r in results]
        scores = [score(Qualities(-after, math.log(fluency), fit or 0.0)) for after, fluency, fit in told]
        assert scores == sorted(scores, reverse=True)


def test_a_silenced_feature_that_does_not_steer_leaves_the_text_alone(loaded, writing, tmp_path):
    plain = texts(writing(dials=(Dial("1.0", 0.0),)))
    known = Bench(replace(loaded, steers={"p2.4": False}), tmp_path)
    draft = known.draft(*PARAGRAPHS)
    found = play(known.writer.write(draft.outline, request(dials=(Dial("p2.4", -1.0),))))
    assert texts(found) == plain and known.writer.known_dose("p2.4") is None


def test_ablation_goes_by_the_strength_whichever_way_it_is_asked_for(writing):
    assert texts(writing(dials=(Dial("1.0", -0.5),))) == texts(writing(dials=(Dial("1.0", 0.5, "ablate"),)))


LONG = "She went home, and he stayed. " * 40


@pytest.mark.parametrize(
    "changes",
    [
        {"max_tokens": 10_000},
        {"paragraph": 0, "start": len(LONG), "end": len(LONG), "max_tokens": 100},
        {"paragraph": 0, "start": 700, "end": 740, "kind": "rewrite", "max_tokens": 5},
        {"paragraph": 0, "start": 600, "end": 640, "kind": "rewrite", "max_tokens": 10_000, "stop": "paragraph"},
    ],
)
def test_prompt_suggestion_and_what_follows_fit_the_context(bench, changes):
    draft = bench.draft(LONG, "He said nothing.", LONG)
    asked = request(**changes)
    place = bench.writer._places.find(draft.outline, asked)
    context = bench.loaded.model.context
    assert len(place.prompt) + max(place.max_tokens, len(place.replaced)) + len(place.following) <= context
    assert context // 8 <= len(place.prompt) and place.prompt[0] == bench.loaded.model.bos_id
    for result in play(bench.writer.write(draft.outline, asked)):
        assert 0 < result.receipt.tokens <= place.max_tokens


def test_a_paragraph_longer_than_the_context_is_not_rewritten_unseen(bench):
    draft = bench.draft(LONG)
    with pytest.raises(BadText, match=r"too long to rewrite in one piece: expected at most 112 tokens .* found"):
        play(bench.writer.write(draft.outline, request(paragraph=0, start=0, end=len(LONG), kind="rewrite")))


def test_a_model_without_bos_writes_at_the_very_beginning(loaded, tmp_path):
    from dataclasses import replace as with_changes

    without = Bench(with_changes(loaded, model=with_changes(loaded.model, bos_id=None)), tmp_path)
    draft = without.draft("", "He said nothing.")
    without.read(draft)
    assert play(without.writer.write(draft.outline, request(paragraph=0, start=0, end=0)))[0].text


@pytest.mark.parametrize("at", [1, 2, 9])
async def test_a_cancelled_suggestion_runs_the_model_no_more_after_the_step_it_was_in(bench, at, monkeypatch):
    """Deterministic: the model itself cancels, in the middle of its pass number `at`."""
    draft = bench.draft(*PARAGRAPHS)
    scheduler = Scheduler()
    scheduler.start()
    ticket, passes = None, []

    def count(*_):
        passes.append(None)
        if len(passes) == at:
            ticket.cancel()

    def counted(step):
        def run(*arguments):
            count()
            return step(*arguments)

        return run

    change_step(monkeypatch, counted)
    handle = bench.loaded.model.body.register_forward_hook(count)
    try:
        ticket = scheduler.submit(bench.writer.write(draft.outline, request(max_tokens=60)), Rank.WRITE)
        with pytest.raises(Cancelled):
            await ticket.result()
    finally:
        handle.remove()
        scheduler.close()
    assert len(passes) <= at + 1
