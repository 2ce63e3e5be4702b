from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undersong.text.document import Document
from undersong.text.edits import Edit
from undersong.text.paragraph import Paragraph
from undersong.text.segments import Difference, Segments, diff, segment
from undersong.text.span import Span

from .strategies import LANGUAGES, anything, document, drafts, edit_scripts


def check_maps(found: Segments) -> None:
    """What holds for every paragraph of every draft."""
    text, end = found.document.text, 0
    for paragraph in found.paragraphs:
        assert end <= paragraph.span.start < paragraph.span.end <= len(text)
        end = paragraph.span.end
        assert paragraph.prose == paragraph.prose.strip()
        assert not set(paragraph.prose) & set("\r\n")
        check_runs(paragraph, text)


def check_runs(paragraph: Paragraph, text: str) -> None:
    prose_at = source_at = 0
    for run in paragraph.runs:
        assert run.prose_start == prose_at and run.source_start >= source_at
        assert run.length > 0 and run.source_length > 0
        prose_at, source_at = run.prose_end, run.source_end
        source = text[paragraph.span.start + run.source_start : paragraph.span.start + run.source_end]
        if run.literal:
            assert paragraph.prose[run.prose_start : run.prose_end] == source
    assert prose_at == len(paragraph.prose) and source_at <= len(paragraph.span)
    for offset in range(len(paragraph.prose)):
        source = paragraph.to_source(Span(offset, offset + 1))
        assert paragraph.span.covers(source) and len(source) > 0
        run = next(run for run in paragraph.runs if run.prose_start <= offset < run.prose_end)
        assert paragraph.to_prose_offset(source.start) == (offset if run.literal else run.prose_start)
        assert paragraph.to_prose_offset(source.end) == (offset + 1 if run.literal else run.prose_end)
    assert paragraph.to_prose_offset(0) == 0 and paragraph.to_prose_offset(len(text) + 9) == len(paragraph.prose)
    for opening, closing in paragraph.pairs:
        for mark in (opening, closing):
            assert text[paragraph.span.start + mark.span.start : paragraph.span.start + mark.span.end] == mark.text


@pytest.mark.parametrize("language", LANGUAGES)
@settings(deadline=None, max_examples=300)
@given(st.data())
def test_every_draft_is_segmented_and_mapped_exactly(language: str, data: st.DataObject) -> None:
    check_maps(segment(document(data.draw(drafts(language)), language)))


@pytest.mark.parametrize("language", LANGUAGES)
@settings(deadline=None)
@given(text=anything)
def test_any_text_at_all_is_segmented(language: str, text: str) -> None:
    check_maps(segment(document(text, language)))


@pytest.mark.parametrize("language", LANGUAGES)
@settings(deadline=None, max_examples=300)
@given(st.data())
def test_after_edits_it_is_as_from_scratch(language: str, data: st.DataObject) -> None:
    text = data.draw(drafts(language))
    found = document(text, language)
    previous = segment(found)
    for batch in data.draw(edit_scripts(text, language)):
        found = found.apply(batch, found.version + 1)
        now, fresh = segment(found, previous), segment(found)
        assert now == fresh
        change = diff(previous, now)
        spliced = list(previous.proses)
        spliced[change.start : change.start + change.removed] = change.inserted
        assert tuple(spliced) == now.proses
        previous = now


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "\ufeff",
        "\x00\x00",
        "```\ncode without an end",
        "<!-- a comment without an end\n\ntext",
        "---\ntitle: no end",
        "\\begin{verbatim}\n\nno end",
        "\\begin{quote}\n\nno end",
        "{" * 5000,
        "\\emph{" * 2000 + "x",
        "> " * 2000 + "x",
        "[" * 5000,
        "*a " * 3000,
        "`" * 5000,
        "- " * 500 + "x",
        "\r" * 100,
        "***",
    ],
)
def test_what_is_broken_gives_what_can_be_read(language: str, text: str) -> None:
    check_maps(segment(document(text, language)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_line_of_ten_megabytes_is_one_paragraph_in_seconds(language: str) -> None:
    began = time.perf_counter()
    found = segment(document("The sea was grey. " * 560_000, language))
    assert time.perf_counter() - began < 10
    assert len(found.paragraphs) == 1


def test_an_unchanged_part_of_the_draft_keeps_its_paragraph_objects() -> None:
    found = document("One.\n\nTwo.\n\nThree.\n\nFour.\n\nFive.\n\nSix.")
    before = segment(found)
    after = segment(found.apply([Edit(Span(17, 17), "x")], 1), before)
    assert after.proses == ("One.", "Two.", "Threex.", "Four.", "Five.", "Six.")
    assert after.paragraphs[0] is before.paragraphs[0]
    assert after.paragraphs[-1].prose is before.paragraphs[-1].prose


def test_a_definition_added_far_away_changes_how_a_link_reads() -> None:
    found = document("See [the sea][s] and [sic].\n\nMore.\n\nLast.\n")
    before = segment(found)
    assert before.proses[0] == "See [the sea][s] and [sic]."
    after = segment(found.apply([Edit(Span(len(found), len(found)), "\n[s]: http://sea\n")], 1), before)
    assert after.proses == ("See the sea and [sic].", "More.", "Last.")
    assert segment(found, after) == before


@pytest.mark.parametrize(
    ("offset", "expected"),
    [(0, None), (1, 0), (5, 0), (6, 0), (7, 0), (8, None), (9, None), (10, 1), (14, 1), (15, None)],
)
def test_the_paragraph_at_an_offset(offset: int, expected: int | None) -> None:
    #                         0 123456 78 9 01234 5
    found = segment(document("\nOne.  \n\n\nTwo.\n", "plaintext"))
    assert found.paragraph_at(offset) == expected


def test_a_difference_is_the_least_splice() -> None:
    old, new = segment(document("A.\n\nB.\n\nC.")), segment(document("A.\n\nX.\n\nY.\n\nC."))
    assert diff(old, new) == Difference(1, 1, ("X.", "Y."))
    assert diff(old, old) == Difference(3, 0, ())


def test_a_language_that_is_not_in_the_table_is_read_as_plain_text() -> None:
    assert segment(document("*One*\n\nTwo", "klingon")).proses == ("*One*", "Two")


def test_another_language_of_the_same_draft_is_read_afresh() -> None:
    before = segment(document("*One*", "plaintext"))
    now = segment(Document.open("file:///draft", "markdown", 1, "*One*"), before)
    assert now.proses == ("One",)
