from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undersong.text.segments import segment
from undersong.text.span import Span

from .strategies import document, drafts


def replaced(text: str, prose: str, by: str, language: str) -> str:
    found = document(text, language)
    paragraph = segment(found).paragraphs[0]
    at = paragraph.prose.index(prose)
    return found.apply([paragraph.replace(Span(at, at + len(prose)), by)], 1).text


@pytest.mark.parametrize(
    ("text", "prose", "expected", "language"),
    [
        ("One. Two. Three.", "Two.", "One. NEW Three.", "markdown"),
        ("*One.* Two.", "One.", "NEW Two.", "markdown"),  # marks around nothing but what goes, go
        ("***One.*** Two.", "One.", "NEW Two.", "markdown"),
        ("*One. Two.* Three.", "Two.", "*One. NEW* Three.", "markdown"),  # marks around more, stay
        ("*One. Two* three. Four.", "Two three.", "*One.* NEW Four.", "markdown"),  # a pair that is cut stays a pair
        ("One *two. Three* four.", "One two.", "NEW *Three* four.", "markdown"),
        ("A [link. More](u) text.", "A link.", "NEW [More](u) text.", "markdown"),
        ("A **bold** word. Two.", "A bold word.", "NEW Two.", "markdown"),
        ("caf&eacute; bar", "café", "NEW bar", "markdown"),
        ("> one\n> *two*", "one two", "> NEW", "markdown"),
        (r"\emph{One.} Two.", "One.", "NEW Two.", "latex"),
        (r"\emph{One. Two} three.", "Two three.", r"\emph{One.} NEW", "latex"),
        (r"\thought{One.} Two.", "One.", "NEW Two.", "latex"),
    ],
)
def test_a_replacement_leaves_marks_in_pairs(text: str, prose: str, expected: str, language: str) -> None:
    assert replaced(text, prose, "NEW", language) == expected


def test_an_insertion_between_two_code_points() -> None:
    found = document("A *bold* word.")
    paragraph = segment(found).paragraphs[0]
    assert found.apply([paragraph.replace(Span(6, 6), "er")], 1).text == "A *bolder* word."
    assert found.apply([paragraph.replace(Span(12, 12), " More.")], 1).text == "A *bold* word. More."


@settings(deadline=None)
@given(st.data())
def test_a_replacement_in_plain_prose_changes_that_prose_alone(data: st.DataObject) -> None:
    language = data.draw(st.sampled_from(["plaintext", "markdown", "latex"]))
    found = document(data.draw(drafts(language)), language)
    for index, paragraph in enumerate(segment(found).paragraphs):
        start = data.draw(st.integers(0, len(paragraph.prose) - 1))
        span = Span(start, data.draw(st.integers(start + 1, len(paragraph.prose))))
        edit = paragraph.replace(span, "NEW")
        assert paragraph.span.covers(edit.span) and "NEW" in edit.text, index
        assert edit.span.covers(paragraph.to_source(span))
