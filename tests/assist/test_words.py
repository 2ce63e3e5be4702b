"""The small pieces: cells, bars, percentages, names that fit, evidence, receipts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undersong import wire
from undersong.assist.cells import fitted, width
from undersong.assist.labels import SEPARATOR, labelled
from undersong.assist.phrases import BARS, bar, evidence, frequency, markdown, percent, signed_percent, strength
from undersong.assist.receipts import effect_line, presences, receipt_markdown
from undersong.assist.salience import Salient
from undersong.text.common import common_prefix

from .drafts import feature


@pytest.mark.parametrize(
    ("text", "cells"),
    [("", 0), ("the sea", 7), ("déjà vu", 7), ("deja\u0301", 4), ("海", 2), ("🌊", 2), ("a\u200db", 2), ("‹▃›", 3)],
)
def test_cells_are_what_a_terminal_shows(text: str, cells: int) -> None:
    assert width(text) == cells


@pytest.mark.parametrize(
    ("text", "cells", "expected"),
    [
        ("grief", 5, "grief"),
        ("grief", 4, "gri…"),
        ("grief", 1, "…"),
        ("grief", 0, ""),
        ("the cold of the sea", 15, "the cold of…"),
        ("of reconciliation", 10, "of reconc…"),
        ("海海海", 5, "海海…"),
    ],
)
def test_a_name_is_cut_to_its_cells(text: str, cells: int, expected: str) -> None:
    assert fitted(text, cells) == expected


@given(st.text(), st.integers(0, 30))
def test_what_was_fitted_fits(text: str, cells: int) -> None:
    assert width(fitted(text, cells)) <= cells


def test_bars_spread_over_the_upper_half_of_presence() -> None:
    presences = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
    assert "".join(bar(presence) for presence in presences) == "▁▁▁▂▃▃▅▆▆██"


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_presence_never_has_a_lower_bar(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert BARS.index(bar(low)) <= BARS.index(bar(high))


def test_percentages_never_claim_too_much() -> None:
    shares = (0.0, 0.5, 0.97, 0.986, 0.99, 0.9987, 0.99999, 1.0)
    expected = ["0 %", "50 %", "97 %", "98 %", "99.0 %", "99.8 %", "99.9 %", "99.9 %"]
    assert [percent(share) for share in shares] == expected
    assert [frequency(share) for share in (0.0, 0.00312, 0.031, 0.31)] == ["0 %", "0.31 %", "3.1 %", "31 %"]
    assert [signed_percent(change) for change in (-0.04, 0.03, 0.004, -0.004)] == ["−4 %", "+3 %", "±0 %", "±0 %"]
    assert [strength(value) for value in (1.0, 0.75, -1.0)] == ["1", "0.75", "−1"]


def test_markdown_shows_text_as_it_is() -> None:
    assert markdown("a *b* <c>\n[d]_e") == r"a \*b\* \<c\> \[d\]\_e"


@pytest.mark.parametrize(
    ("prose", "start", "end", "expected"),
    [
        ("The widow’s grief.", 6, 8, "widow’s"),
        ("A well-known sea.", 4, 5, "well-known"),
        ("salt wind blew", 3, 6, "salt wind"),
        ("Ah … so", 3, 4, "…"),
        ("nothing", 0, 0, ""),
        ("🌊🌊 sea", 3, 5, "sea"),
    ],
)
def test_evidence_is_whole_words(prose: str, start: int, end: int, expected: str) -> None:
    assert evidence(prose, replace(feature("p3.1", "a", 0.9), peak_start=start, peak_end=end)) == expected


def check_label(names: list[str], cells: int, expected: str) -> None:
    found = [Salient(feature(f"p3.{at}", name, 0.9), 1.0, pinned=False) for at, name in enumerate(names)]
    label = SEPARATOR.join(one.text for one in labelled(found, cells))
    assert label == expected
    assert width(label) <= cells


def test_names_share_a_line_in_order() -> None:
    check_label(["the sea", "grief", "awe"], 30, "the sea ▃ · grief ▃ · awe ▃")
    check_label(["the sea", "grief", "awe"], 20, "the sea ▃ · grief ▃")
    check_label(["the sea", "reconciliation"], 22, "the sea ▃ · reconci… ▃")
    check_label(["reconciliation"], 10, "reconci… ▃")
    check_label(["reconciliation", "awe"], 5, "")
    check_label(["海の悲しみ", "awe"], 12, "海の悲しみ ▃")
    check_label([], 40, "")


@given(st.lists(st.text(min_size=1), max_size=5), st.integers(0, 60))
def test_a_label_never_exceeds_its_cells(names: list[str], cells: int) -> None:
    found = [Salient(feature(f"p3.{at}", name, 0.9), 1.0, pinned=False) for at, name in enumerate(names)]
    assert width(SEPARATOR.join(one.text for one in labelled(found, cells))) <= cells


@given(st.text("abé🌊", max_size=40), st.text("abé🌊", max_size=40))
def test_the_common_prefix_is_common_and_longest(a: str, b: str) -> None:
    length = common_prefix(a, b)
    assert a[:length] == b[:length]
    assert length == min(len(a), len(b)) or a[length] != b[length]


RECEIPT = wire.Receipt(
    effects=(wire.Effect("p3.1", "grief", 0.8, 0.12, 0.74),),
    side_effects=(wire.Effect("3.4", "the *sea*", 0.0, 0.9, 0.5),),
    fluency=0.962,
    fit=-0.034,
    tokens=31,
    seed=7,
    model="default",
)


def check_effect(expected: str, **changed: object) -> None:
    assert effect_line(replace(RECEIPT, **changed)) == expected  # type: ignore[arg-type]


def test_the_effect_is_one_line() -> None:
    check_effect("grief 0.1 → 0.7, fluency −4 %")
    check_effect("grief 0.1 → 0.7, fluency +10 %", fluency=1.1)
    check_effect("fluency ±0 %", effects=(), fluency=1.0)
    past = (wire.Effect("p3.1", "grief", 1.2, 0.1, 0.7), wire.Effect("3.4", "awe", 0.5, 0.3, 0.2))
    check_effect("grief 0.1 → 0.7, awe 0.3 → 0.2, fluency −4 %, past the calibrated dose", effects=past)


def test_presences_have_the_decimals_it_takes_to_tell_them_apart() -> None:
    assert presences(0.12, 0.74) == ("0.1", "0.7")
    assert presences(0.31, 0.34) == ("0.31", "0.34")
    assert presences(0.8, 0.97) == ("0.80", "0.97")
    assert presences(0.97, 0.978) == ("0.97", "0.97")
    assert presences(0.5, 0.5) == ("0.5", "0.5")
    assert presences(0.0, 0.89) == ("0.0", "0.8")


def test_no_presence_is_said_to_be_all_of_the_corpus() -> None:
    assert presences(0.1, 0.9996) == ("0.10", ">0.99")
    assert presences(0.97, 0.998) == ("0.97", ">0.99")
    assert presences(0.99, 1.0) == ("0.99", ">0.99")
    check_effect("grief 0.12 → >0.99, fluency −4 %", effects=(wire.Effect("p3.1", "grief", 0.8, 0.12, 0.9996),))


def test_the_receipt_says_everything() -> None:
    assert receipt_markdown(RECEIPT).splitlines() == [
        "- **grief 0.1 → 0.7** (strength 0.8)",
        r"- also: the \*sea\* 0.90 → 0.50",
        "- fluency −4 % against an unsteered continuation",
        "- fit −0.03 nat per token of the text that follows",
        "- 31 tokens, seed 7, default",
    ]
