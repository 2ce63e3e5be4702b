"""What is shown first: what is rare, what is this paragraph's own, themes before words, pins before all."""

from __future__ import annotations

import random
from copy import deepcopy

import pytest

from undersong import wire
from undersong.assist.readings import DraftReadings
from undersong.assist.salience import Background, Rest, alike, salient, steerable, surprise, words_of
from undersong.assist.salience import chosen as chosen_of
from undersong.assist.settings import HintSettings, Pin, Settings

from .drafts import Row, draft_of, segments_of

TEXT = "The sea was grey and cold.\n\nShe grieved for him all year.\n\nThey rowed home in the rain.\n"


def check(rows: dict[int, list[Row]], *expected: str, settings: Settings | None = None, limit: int = 3) -> None:
    """The names chosen for paragraph 0."""
    chosen = salient(draft_of(TEXT, rows, settings), 0, limit)
    assert tuple(one.reading.name for one in chosen) == expected


def test_surprise_counts_orders_of_magnitude() -> None:
    shown = [round(surprise(presence), 2) for presence in (0.0, 0.5, 0.9, 0.99, 0.9999, 1.0)]
    assert shown == [0.0, 0.3, 1.0, 2.0, 4.0, 4.0]


def test_the_rarest_comes_first_up_to_the_limit() -> None:
    rows: list[Row] = [("3.1", "rain", 0.8, ""), ("3.2", "salt", 0.99, ""), ("3.3", "boats", 0.9, "")]
    check({0: rows}, "salt", "boats", "rain")
    check({0: rows}, "salt", limit=1)
    check({}, *())


def test_a_theme_comes_before_a_word_that_is_ten_times_rarer_at_most() -> None:
    check({0: [("3.1", "salt", 0.98, ""), ("p3.1", "grief", 0.9, "")]}, "grief", "salt")
    check({0: [("3.1", "salt", 0.999, ""), ("p3.1", "grief", 0.9, "")]}, "salt", "grief")


def test_what_the_whole_draft_carries_comes_after_what_is_the_paragraphs_own() -> None:
    everywhere: Row = ("3.1", "salt", 0.99, "")
    own: Row = ("3.2", "boats", 0.985, "")
    check({0: [everywhere, own]}, "salt", "boats")
    check({0: [everywhere, own], 1: [everywhere], 2: [everywhere]}, "boats", "salt")


def test_a_faint_feature_is_not_shown() -> None:
    rows: dict[int, list[Row]] = {0: [("3.1", "rain", 0.74, ""), ("3.2", "salt", 0.75, "")]}
    check(rows, "salt")
    check(rows, "rain", "salt", settings=Settings(features=(Pin("Rain", 0.5),)))
    check(rows, settings=Settings(silence=("SALT",)))
    check(rows, settings=Settings(hints=HintSettings(minimum_presence=0.8)))


def test_among_rare_features_what_the_passage_is_mostly_about_comes_first() -> None:
    rest = Rest({}, {}, 0)
    rarest = wire.FeatureReading("p3.1", "salt", 0.9999, 1.0, 1.0, 0, 1, share=0.05)
    largest = wire.FeatureReading("p3.2", "the sea", 0.991, 4.0, 4.0, 0, 1, share=0.3)
    common = wire.FeatureReading("p3.3", "she said", 0.8, 5.0, 5.0, 0, 1, share=0.35)
    chosen = [one.reading.name for one in chosen_of((rarest, largest, common), Settings(), 3, rest)]
    assert chosen == ["the sea", "salt", "she said"]


def test_a_feature_without_a_name_goes_by_its_id() -> None:
    check({0: [("3.1", "3.1", 0.99, "")]}, "3.1")


def test_silenced_features_are_not_shown() -> None:
    rows: dict[int, list[Row]] = {0: [("3.3", "salt", 0.9, "")]}
    check(rows, "salt")
    check(rows, settings=Settings(silence=("salt",)))
    check(rows, settings=Settings(silence=("3.3",)))


def test_pins_come_first_in_their_order_down_to_a_floor() -> None:
    rows: dict[int, list[Row]] = {
        0: [("3.1", "rain", 0.99, ""), ("p3.2", "grief", 0.2, ""), ("3.3", "3.3", 0.5, ""), ("3.4", "awe", 0.05, "")]
    }
    pins = (Pin("3.3", 0.5), Pin("grief", 0.5), Pin("awe", 1), Pin("absent", 1))
    check(rows, "3.3", "grief", "rain", settings=Settings(features=pins))
    check(rows, "3.3", settings=Settings(features=pins), limit=1)


def test_a_pin_by_id_and_by_name_is_one_feature() -> None:
    pins = (Pin("p3.2", 0.5), Pin("grief", 0.5))
    check({0: [("p3.2", "grief", 0.9, "")]}, "grief", settings=Settings(features=pins))


def test_names_that_say_the_same_are_shown_once() -> None:
    rows: dict[int, list[Row]] = {
        0: [
            ("p3.1", "the sea", 0.99, ""),
            ("3.2", "seas", 0.98, ""),
            ("3.3", "sea voyage", 0.97, ""),
            ("3.4", "awe", 0.9, ""),
        ]
    }
    check(rows, "the sea", "awe")


def test_what_may_steer_is_chosen_without_what_only_reads() -> None:
    rows: list[Row] = [
        ("p3.1", "grief", 0.99, ""),
        ("p3.2", "grief at a deathbed", 0.98, ""),
        ("p3.3", "a deathbed", 0.97, ""),
    ]
    draft = draft_of(TEXT, {0: rows}, reads_only={"grief"})
    assert [one.reading.name for one in salient(draft, 0, 3)] == ["grief", "a deathbed"]
    assert [one.reading.name for one in steerable(draft, 0, 3)] == ["grief at a deathbed"]
    assert steerable(draft, 1, 3) == ()


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("the sea", "The Seas", True),
        ("horses", "a horse", True),
        ("sea voyage", "the sea", True),
        ("grief", "mourning", False),
        ("old men talking", "old women talking", False),
        ("reported speech by men", "reported speech of men", True),
        ("dress", "dresses", True),
        ("", "", True),
        ("the", "grief", False),
    ],
)
def test_likeness_of_names(a: str, b: str, expected: bool) -> None:
    assert alike(words_of(a), words_of(b)) is expected


def test_the_background_of_nothing_is_empty() -> None:
    assert Background.of(DraftReadings()) == Background({}, 0)


def test_what_is_kept_for_a_paragraph_is_what_is_found_afresh() -> None:
    """Readings carried through edits against equal ones made anew, of which nothing can be kept."""
    names = ["salt", "boats", "rain", "grief", "the quay", "salt water"]
    chance = random.Random(0)
    for _ in range(60):
        rows: dict[int, list[Row]] = {
            index: [
                (f"{chance.choice(('p3', '3'))}.{at}", name, chance.choice((0.5, 0.8, 0.95, 0.999)), "")
                for at, name in enumerate(chance.sample(names, chance.randrange(6)))
            ]
            for index in range(3)
        }
        settings = Settings(features=(Pin("grief", 0.5),), silence=("rain",))
        draft, twin = draft_of(TEXT, rows, settings), draft_of(TEXT, deepcopy(rows), deepcopy(settings))
        for index in range(3):
            first = salient(draft, index, 3)
            assert salient(draft, index, 3) is first
            assert salient(twin, index, 3) == first


def test_the_background_is_the_same_object_while_it_says_the_same() -> None:
    rows: dict[int, list[Row]] = {0: [("3.1", "rain", 0.8, "")], 1: [("3.2", "salt", 0.99, "")]}
    draft = draft_of(TEXT, rows)
    background = Background.of(draft.readings)
    assert Background.of(draft.readings.doubted()) is background
    now = segments_of(TEXT.replace("grey and", "grey and grey and"))
    assert Background.of(draft.readings.rebased(draft.segments, now)) is background
    assert Background.of(draft_of(TEXT, rows).readings) == background
