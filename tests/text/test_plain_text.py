from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undersong.text.plain_text import PlainText, plain
from undersong.text.span import Span

from .strategies import anything


@pytest.mark.parametrize(
    ("prose", "text"),
    [
        ('Plain ASCII, "as it is": it\'s 5-6 -x- done...', 'Plain ASCII, "as it is": it\'s 5-6 -x- done...'),
        ("“Hello,” she said. “It’s ‘nowt’.”", '"Hello," she said. "It\'s \'nowt\'."'),
        ("well—yes — no – or -- so --- on―it", "well--yes--no--or--so--on--it"),
        ("1914–18, 1914--18, pre–war, “I was going–”", '1914-18, 1914-18, pre-war, "I was going--"'),
        ("x - y, 5 - 3, well-known, wool- gathering", "x--y, 5 - 3, well-known, wool- gathering"),
        ("wait… what….", "wait... what...."),
        ("«\u00a0Oui\u00a0», dit-il. «Ja» und »nein« so", '"Oui", dit-il. "Ja" und "nein" so'),
        ("``No,'' he said, `yes'", "\"No,\" he said, 'yes'"),
        ("a\u00a0b\u2009c\u202fd\te  f\u2028g", "a b c d e f g"),
        ("soft\u00adly\u200b \ufeffjoined\ufe0f", "softly joined"),
        (
            "café cafe\u0301 naïve Ångström Œuvre ﬁne straße Łódź ＡＢ",
            "cafe cafe naive Angstrom OEuvre fine strasse Lodz AB",
        ),
        ("жй\u0301 漢字 😀 ½ £5", "жй\u0301 漢字 😀 ½ £5"),
        ("6′2″ tall", "6'2\" tall"),
        # Single quotes outside become double, and the other way round within.
        ("‘Hello,’ she said. ‘He said “no”.’", '"Hello," she said. "He said \'no\'."'),
        (
            "‘The boys’ hats are goin’,’ he said, ‘and ’tis late.’",
            '"The boys\' hats are goin\'," he said, "and \'tis late."',
        ),
        (
            "‘’Tis well,’ he said. ‘“Good fellow” indeed. ‘Now then",
            "\"'Tis well,\" he said. \"'Good fellow' indeed. 'Now then",
        ),
        ("‘’Tis well,’ he said. ‘So it goes on", '"\'Tis well," he said. "So it goes on'),
        ("He called it ‘nowt’.", 'He called it "nowt".'),
        ("‘And so it goes on", '"And so it goes on'),
        ("She said, ‘I wo", 'She said, "I wo'),
        (
            "the boys’ and the girls’ hats in the ’90s, ’tis said",
            "the boys' and the girls' hats in the '90s, 'tis said",
        ),
        ("“’Tis ‘so’,” he said", "\"'Tis 'so',\" he said"),
        ("half \ud800 of one", "half \ufffd of one"),
        ("", ""),
    ],
)
def test_the_plain_reading(prose: str, text: str) -> None:
    assert plain(prose).text == text
    check_spans(prose, plain(prose))


def check_spans(prose: str, found: PlainText) -> None:
    """The stretches of prose follow one another without gaps, from its beginning to its end."""
    end = 0
    for at in range(len(found.text)):
        span = found.to_prose_span(Span(at, at + 1))
        assert len(span) > 0 and span.start in (end, found.to_prose_offset(max(at - 1, 0)))
        end = span.end
        whole = found.to_plain_span(span)
        assert whole.start <= at < whole.end and found.to_prose_span(whole) == span
    assert end == (len(prose) if found.text else 0)
    if found.text:
        assert found.to_prose_span(Span(0, len(found.text))) == Span(0, len(prose))
    for at in range(len(prose)):
        if found.text:
            assert found.to_prose_span(found.to_plain_span(Span(at, at + 1))).contains(at)


@settings(max_examples=500)
@given(anything)
def test_spans_map_back_exactly(prose: str) -> None:
    check_spans(prose, plain(prose))


@settings(max_examples=500)
@given(anything)
def test_a_plain_text_is_its_own_plain_reading(prose: str) -> None:
    text = plain(prose).text
    assert plain(text).text == text


@given(st.text(string.ascii_letters + string.digits + ",.;:!?() "))
def test_what_is_kept_stands_for_itself(prose: str) -> None:
    found = plain(prose)
    for at, mark in enumerate(found.text):
        span = found.to_prose_span(Span(at, at + 1))
        assert prose[span.start] == mark


def test_a_typographic_reading_has_only_ascii_for_latin_text() -> None:
    assert plain("“Élodie—naïve—said ‘ça va’… to Œdipus”\u00a0").text.isascii()
