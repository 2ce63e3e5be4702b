"""Hover, cards and reports: what is said of a text, and what it rests on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from undersong import wire
from undersong.assist.cards import card
from undersong.assist.draft import Draft
from undersong.assist.hover import hover
from undersong.assist.report import draft_report, paragraph_report
from undersong.assist.settings import Pin, Settings

from .drafts import Row, draft_of, feature

TEXT = "# At sea\n\nThe *grey* sea rose. She grieved for him.\n\nIt was only rain again.\n"
ROWS: dict[int, list[Row]] = {
    1: [("p3.1", "the sea", 0.97, "sea"), ("p3.2", "grief", 0.994, "grieved")],
    2: [("p3.1", "the sea", 0.8, ""), ("3.3", "weather", 0.9, "rain")],
}


def check_hover(draft: Draft, word: str, expected: str | None, over: str = "") -> None:
    """`word`: where the cursor is. `over`: the source it speaks of."""
    found = hover(draft, draft.document.text.index(word))
    assert (found and found.markdown) == expected
    if found:
        assert draft.document.slice(found.span) == over


def test_hover_tells_what_the_sentence_carries_and_on_which_words_that_rests() -> None:
    draft = draft_of(TEXT, ROWS)
    check_hover(
        draft,
        "rey* sea",
        "This sentence carries\n\n- ▄ **the sea**: more than in 97 % of reference passages · “sea”",
        "The *grey* sea rose.",
    )
    check_hover(
        draft,
        "him",
        "This sentence carries\n\n- ▆ **grief**: more than in 99.4 % of reference passages · “grieved”",
        "She grieved for him.",
    )


def test_hover_says_when_it_speaks_of_the_text_before_the_last_change() -> None:
    check_hover(
        draft_of(TEXT, ROWS, Settings(features=(Pin("weather", 0.5),)), fresh=False),
        "rain",
        "This sentence carries\n\n- ▃ **weather**: more than in 90 % of reference passages · “rain” · pinned at 0.5\n\n"
        "*As read before the last change.*",
        "It was only rain again.",
    )


def test_hover_says_what_does_not_steer() -> None:
    draft = draft_of(TEXT, ROWS, Settings(features=(Pin("weather", 0),)), reads_only={"weather"})
    said = "- ▃ **weather**: more than in 90 % of reference passages · “rain” · pinned at 0 · reads, does not steer"
    check_hover(draft, "rain", f"This sentence carries\n\n{said}", "It was only rain again.")
    assert said in paragraph_report(draft, 2)
    assert "| rain | pinned at 0 · reads, does not steer |" in paragraph_report(draft, 2)


def test_hover_is_silent_where_there_is_nothing_to_say() -> None:
    check_hover(draft_of(TEXT), "rain", None)
    check_hover(draft_of("```\ncode here\n```\n\nProse is here now.\n", {0: ROWS[2]}), "code", None)
    check_hover(draft_of(TEXT, {2: [("p3.1", "the sea", 0.3, "rain")]}), "rain", None)


CARD = wire.FeatureCard(
    feature="p3.2",
    name="grief",
    provenance="named from 20 passages",
    sae="p3",
    frequency=0.031,
    max_activation=9.0,
    promoted=(" wept", " tears"),
    suppressed=(),
    passages=(
        wire.Passage("She had ", "wept", " all *night*.", 8.0, "a novel"),
        wire.Passage("x" * 10 + " " + "word " * 30, " lost", "", 7.0, ""),
    ),
    dose=wire.Dose(3.14159, 8.25, 0.98),
)


def test_a_card_tells_presence_passages_promoted_words_and_strength() -> None:
    reading = feature("p3.2", "grief", 0.987)
    blocks = card(CARD, reading, Settings(features=(Pin("grief", 0.8),))).split("\n\n")
    assert blocks[:3] == [
        "**grief**",
        "here more than in 98 % of the reference corpus · active in 3.1 % of it · pinned at 0.8",
        r"> She had **wept** all \*night\*. (a novel)",
    ]
    assert blocks[3].startswith("> …word") and blocks[3].endswith("word **lost**")
    assert blocks[4:] == [
        r"Makes likelier: *wept*, *tears*",
        "Strength 1 adds a step of 3.14 in the residual stream along its direction (0.98 nat of change per "
        "token); −1 adds as much the other way; above 1 is past the calibrated dose.",
        "p3.2 · named from 20 passages",
    ]


def check_card(changed: dict[str, object], expected: str) -> None:
    assert expected in card(replace(CARD, **changed))  # type: ignore[arg-type]


def test_a_card_says_what_is_not_known() -> None:
    check_card({}, "active in 3.1 % of the reference corpus")
    check_card({"dose": None}, "when it is first used: 1 is the full dose, −1 adds as much the other way.")
    check_card({"dose": None, "feature": "3.2"}, "when it is first used: 1 is the full dose, −1 takes it away.")
    check_card({"suppressed": (" joy", " ")}, "Makes less likely: *joy*, a space")
    assert "neutral openings" not in card(CARD)
    empty = replace(CARD, frequency=None, passages=(), promoted=(), provenance="", dose=None)
    assert card(empty).split("\n\n")[0::2] == ["**grief**", "p3.2"]


def test_a_token_feature_is_raised_to_an_activation_and_taken_away() -> None:
    check_card(
        {"feature": "3.2"},
        "Strength 1 raises it to an activation of 8.25 (a step of 3.14 in the residual stream, 0.98 nat of change per "
        "token); −1 takes it away; above 1 is past the calibrated dose.",
    )


def test_of_what_does_not_steer_a_card_says_no_more_than_that() -> None:
    measured = {"outcome": wire.Outcome(0.12, 0.71, 1.34), "output_score": 0.4}
    assert card(replace(CARD, steers=False, **measured)) == card(replace(CARD, steers=False, dose=None))
    assert card(replace(CARD, steers=False)).split("\n\n")[-2] == "It reads, does not steer."


def test_a_card_tells_how_surely_raising_it_brings_out_its_own_words() -> None:
    said = "How surely raising it brings out its own words: 0.42 of 1."
    assert card(replace(CARD, output_score=0.418)).split("\n\n")[-2] == said
    check_card({"output_score": 0.418, "outcome": wire.Outcome(0.1, 0.7, 1.3)}, f"perplexity ×1.3. {said}")
    assert "own words" not in card(CARD)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (wire.Outcome(0.12, 0.71, 1.34), "took its presence from 0.1 to 0.7 on neutral openings, perplexity ×1.3."),
        (wire.Outcome(0.0, 0.995, 0.96), "took its presence from 0.00 to >0.99 on neutral openings, perplexity ×1.0."),
    ],
)
def test_a_card_tells_what_strength_1_was_measured_to_do(outcome: wire.Outcome, expected: str) -> None:
    blocks = card(replace(CARD, outcome=outcome)).split("\n\n")
    assert blocks[-2] == f"Strength 1 {expected}"
    assert blocks[-3].startswith("Strength 1 adds a step of 3.14")


def test_the_report_of_a_paragraph_goes_down_to_its_sentences() -> None:
    assert paragraph_report(draft_of(TEXT, ROWS), 1) == "\n\n".join(
        [
            "# What this paragraph carries",
            "> The grey sea rose. She grieved for him.",
            "| feature | | more than in | rest of the draft | strongest at | |\n"
            "|---|---|---|---|---|---|\n"
            "| **grief** | ▆ | 99.4 % | 0 % | grieved |  |\n"
            "| **the sea** | ▄ | 97 % | 80 % | sea |  |",
            "## Sentence by sentence",
            "> The grey sea rose.",
            "- ▄ **the sea**: more than in 97 % of reference passages · “sea”",
            "> She grieved for him.",
            "- ▆ **grief**: more than in 99.4 % of reference passages · “grieved”",
        ]
    )


def test_the_report_of_an_unread_or_plain_paragraph_says_so() -> None:
    assert paragraph_report(draft_of(TEXT), 2).endswith("It has not been read yet.")
    faint: list[Row] = [("p3.1", "the sea", 0.2, "")]
    assert paragraph_report(draft_of(TEXT, {2: faint}), 2).endswith("Nothing in it stands out.")


def test_the_report_of_the_draft_names_what_it_carries_and_where() -> None:
    assert draft_report(draft_of(TEXT, ROWS)) == "\n\n".join(
        [
            "# What this draft carries",
            "Read: 2 of 3 paragraphs.",
            "- **the sea**: 92 % on the whole, 97 % in “The grey sea rose. She grieved for him.”\n"
            "- **grief**: 92 % on the whole, 99.4 % in “The grey sea rose. She grieved for him.”\n"
            "- **weather**: 68 % on the whole, 90 % in “It was only rain again.”",
            "## Paragraph by paragraph",
            "\n### At sea\n\n"
            "- “The grey sea rose. She grieved for him.” grief ▆ · the sea ▄\n"
            "- “It was only rain again.” the sea ▂ · weather ▃",
        ]
    )
    assert "Read: 0 of 0 paragraphs." in draft_report(draft_of(""))
