from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undersong.text.typography import Style, detect, dress, plain, settled

CURLY = Style()
BRITISH = Style(dialogue="single", dash="spaced-en")
STRAIGHT = Style("straight", "straight", "double", "double-hyphen", "dots")
STRAIGHT_BRITISH = Style("straight", "straight", "single", "spaced-hyphen", "dots")
TEX = Style("tex", "tex", "double", "triple-hyphen", "dots")
FRENCH = Style("guillemets", "curly", "double", "em", "character", "\u00a0")
STYLES = [
    CURLY, STRAIGHT, TEX, FRENCH, Style(dash="spaced-em"), Style(dash="spaced-en", ellipsis="dots"),
    Style("straight", "curly", "double", "spaced-double-hyphen"), Style("tex", "tex", "double", "spaced-triple-hyphen"),
    Style("guillemets", "straight"), Style("straight", "straight", "double", "spaced-hyphen"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "style", "before", "expected"),
    [
        ('"Hello," she said. "It\'s late."', CURLY, "", "“Hello,” she said. “It’s late.”"),
        ('"He said \'no\',"', CURLY, "", "“He said ‘no’,”"),
        ('she said--"and \'yes\'"--twice...', CURLY, "", "she said—“and ‘yes’”—twice…"),
        ("'tis the '90s, 'em boys' hats", CURLY, "", "’tis the ’90s, ’em boys’ hats"),
        ("goin' 'ome, rock 'n' roll", CURLY, "", "goin’ ’ome, rock ’n’ roll"),
        ('("no") ["yes"] he was 6\'2" tall', CURLY, "", "(“no”) [“yes”] he was 6’2\" tall"),
        ('"I was--" he began. "\'Tis--"', CURLY, "", "“I was—” he began. “’Tis—”"),
        ("and left,\" she said. \"So.\"", CURLY, "“He came ", "and left,” she said. “So.”"),  # open from before
        ('"Who?" "You."', CURLY, "“He came.” ", "“Who?” “You.”"),
        ('"Yes," he said.', CURLY, "“Open on the line above\n", "“Yes,” he said."),
        ('"Hello," she said--"he said \'no\'." It\'s', BRITISH, "", "‘Hello,’ she said – ‘he said “no”.’ It’s"),
        ("well,\" he said.", BRITISH, "‘It’s ", "well,’ he said."),
        ('"Hello," she said--so.', STRAIGHT_BRITISH, "", "'Hello,' she said - so."),
        ('"Hello," she said--"it\'s \'so\'..."', STRAIGHT, "", '"Hello," she said--"it\'s \'so\'..."'),
        ('"Hello," she said--"it\'s \'so\'."', TEX, "", "``Hello,'' she said---``it's `so'.''"),
        ('she:"_', FRENCH, "", 'she:"_'),  # a guillemet's space would read as one of the text
        ('"Oui," dit-il--"non".', FRENCH, "", "«\u00a0Oui,\u00a0» dit-il—«\u00a0non\u00a0»."),
        ('"I was--" he said.', Style(dash="spaced-en"), "", "“I was –” he said."),
        ("he went--gone", Style(dash="spaced-en"), "And then –", " he went – gone"),
        ("--gone", Style(dash="spaced-en"), "He went ", "– gone"),
    ],
)  # fmt: skip
def test_text_is_set_as_the_draft_is(text: str, style: Style, before: str, expected: str) -> None:
    assert dress(text, style, before) == expected


texts = st.one_of(
    st.text(max_size=40),
    st.text("ab5 '\"-.,`“”‘’«»—–…\n", max_size=40),
    st.lists(
        st.sampled_from(
            ["the", "'tis", '"', "'", "--", "...", " ", ", ", ". ", "boys'", "goin'", "5", "'90s", "-", "(", "?"]
        ),
        max_size=30,
    ).map("".join),
)


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=300)
@given(text=texts)
def test_dressed_text_reads_as_before(style: Style, text: str) -> None:
    assert plain(dress(text, style)).text == plain(text).text


words = st.sampled_from(["the", "sea", "it's", "goes", "boy's", "5", "'tis"])
clauses = st.lists(words, min_size=1, max_size=4).map(" ".join)
inner = st.tuples(clauses, clauses).map(lambda pair: f"{pair[0]} 'so {pair[1]}', he")
speech = st.tuples(st.one_of(clauses, inner), st.sampled_from([",", ".", "?", "!", "--", "..."])).map(
    lambda pair: f'"Oh {pair[0]}{pair[1]}"'
)
dialogue = st.lists(st.tuples(speech, clauses), min_size=1, max_size=4).map(
    lambda turns: " ".join(f"{a} he said, {b}." for a, b in turns)
)


@pytest.mark.parametrize(
    "style",
    [
        BRITISH,
        STRAIGHT_BRITISH,
        Style("straight", "straight", "single", "double-hyphen", "dots"),
        Style(dialogue="single"),
    ],
)
@given(text=dialogue)
def test_dialogue_in_single_quotes_reads_as_before(style: Style, text: str) -> None:
    assert plain(text).text == text
    assert plain(dress(text, style)).text == text


@pytest.mark.parametrize("style", [*STYLES, BRITISH, STRAIGHT_BRITISH])
@settings(max_examples=300)
@given(text=texts, more=texts, before=st.sampled_from(["", "“He said ", "‘Oh ", "and – ", "so –", "x "]))
def test_more_text_changes_only_what_is_not_settled(style: Style, text: str, more: str, before: str) -> None:
    certain = dress(text[: settled(text)], style, before)
    assert dress(text + more, style, before).startswith(certain)


def test_all_but_the_last_word_is_settled() -> None:
    assert [settled(text) for text in ("", "The", "The ", "The sea", "The sea, and", 'He said "no" --')] == [
        0,
        0,
        3,
        3,
        8,
        7,
    ]


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        ("", Style()),
        ("No marks at all.", Style()),
        ("“Hello,” she said—“it’s… late.”", CURLY),
        ('"Hello," she said--"it\'s... late."', STRAIGHT),
        ("‘Hello,’ she said – ‘it’s late…’", BRITISH),
        ("'Hello,' she said - 'it's... late.' 'No.'", STRAIGHT_BRITISH),
        ("``Hello,'' she said---``it's late\\ldots''", TEX),
        (
            "«\u00a0Oui,\u00a0» dit-il — «\u00a0c’est tard…\u00a0»",
            Style("guillemets", "curly", "double", "spaced-em", "character", "\u00a0"),
        ),
        ("It's the boys' day.", Style("straight", "straight", "double", "double-hyphen", "dots")),
        ("It’s the boys’ day.", CURLY),
        ("\"He said 'no',\" she said. It's 'so'.", STRAIGHT),
        ("“So” – he said – and “no”...", Style(dash="spaced-en", ellipsis="dots")),
    ],
)
def test_the_style_of_a_draft(draft: str, expected: Style) -> None:
    assert detect(draft) == expected


@pytest.mark.parametrize("style", [CURLY, STRAIGHT, BRITISH, TEX, FRENCH])
def test_a_dressed_text_shows_the_style_it_was_dressed_in(style: Style) -> None:
    text = '"Well," she said--"it\'s late..." "No." "It\'s \'so\' late--so late." He went...'
    assert detect(dress(text, style)) == style
