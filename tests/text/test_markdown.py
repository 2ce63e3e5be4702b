from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undersong.text.markups import markdown
from undersong.text.markups.markdown_blocks import paragraphs
from undersong.text.segments import segment
from undersong.text.span import Span

from .strategies import document


def kinds_and_proses(text: str) -> list[tuple[str, str]]:
    return [(paragraph.kind, paragraph.prose) for paragraph in segment(document(text)).paragraphs]


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        ("It was **dark** and *cold*.", "It was dark and cold."),
        ("_One_ and __two__ and ***three***, snake_case * star", "One and two and three, snake_case * star"),
        ("hard\nwrapped  \nlines\\\nhere", "hard wrapped lines here"),
        (r"not \*this\* nor \q, a \\ b", r"not *this* nor \q, a \ b"),
        ("caf&eacute; &amp; &#x1F600; &nope;", "café & 😀 &nope;"),
        ("Run `make test` or `` a`b `` now", "Run make test or a`b now"),
        ("Run `make\ntest` now", "Run make test now"),
        ("A [link *to* it](http://a.b 'T'), and <http://a.b>.", "A link to it, and."),
        ("See ![a picture](a.png) here.", "See here."),
        ("He said <b>no</b><br>and <!-- not --> left.", "He said no and left."),
        ("A note[^1], another^[inline *note*].", "A note, another."),
        ("The sum $a+b$ costs $5 and $10.", "The sum costs $5 and $10."),
        ("~~Gone~~ here", "Gone here"),
        ("[ref][r] [r] [sic] [r][]\n\n[r]: http://x 'T'", "ref r [sic] r"),
        ("two  spaces\tand a tab", "two  spaces\tand a tab"),
        ("👩‍👩‍👧 *e\u0301* &amp; x", "👩‍👩‍👧 e\u0301 & x"),
    ],
)
def test_inline_markup(text: str, prose: str) -> None:
    assert kinds_and_proses(text)[0] == ("prose", prose)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# The *sea* ##\n\nText", [("heading", "The sea"), ("prose", "Text")]),
        ("The sea\n===\nText\n---", [("heading", "The sea"), ("heading", "Text")]),
        ("> one\n> two\nlazy\n\nafter", [("quote", "one two lazy"), ("prose", "after")]),
        ("> # Head\n>\n> - item", [("heading", "Head"), ("quote", "item")]),
        ("- a\n  b\n\n  c\n- d\n\ne", [("item", "a b"), ("item", "c"), ("item", "d"), ("prose", "e")]),
        ("1. a\n\n   ```\n   code\n   ```\n\n   b", [("item", "a"), ("item", "b")]),
        ("Text[^n].\n\n[^n]: the\n    note\n\n    more", [("prose", "Text."), ("note", "the note"), ("note", "more")]),
        ("before\n```py\ncode\n\nmore\n```\nafter", [("prose", "before"), ("prose", "after")]),
        ("~~~\ncode\n```\n~~~\nafter", [("prose", "after")]),
        ("text\n\n    indented code\n\nafter", [("prose", "text"), ("prose", "after")]),
        ("| a | b |\n|---|---|\n| c | d |\n\nafter", [("prose", "after")]),
        ("<div>\nhtml\n</div>\n\nafter", [("prose", "after")]),
        ("<!-- a\n\nb -->\n\nafter", [("prose", "after")]),
        ("<pre>\na\n\nb\n</pre>\nafter", [("prose", "after")]),
        (
            "$$\na\n$$\n\nafter\n\n$$ not closed\n\nlast",
            [("prose", "after"), ("prose", "$$ not closed"), ("prose", "last")],
        ),
        ("one\n\n***\n\ntwo", [("prose", "one"), ("prose", "two")]),
        ("---\ntitle: The Sea\n\ntags: [a]\n---\nText", [("prose", "Text")]),
        ("\ufeff---\n# comment\ntitle: x\n...\nText", [("prose", "Text")]),
        (
            "---\n\nA draft that opens with a break.\n\n---\n\nText",
            [("prose", "A draft that opens with a break."), ("prose", "Text")],
        ),
    ],
)
def test_blocks(text: str, expected: list[tuple[str, str]]) -> None:
    assert kinds_and_proses(text) == expected
    for line_end in ("\r\n", "\r"):
        assert kinds_and_proses(text.replace("\n", line_end)) == expected


def test_the_source_of_prose_is_where_it_stands() -> None:
    text = "> It *was\n> dark* &amp; [cold](u).\n"
    paragraph = segment(document(text)).paragraphs[0]
    assert text[paragraph.span.start : paragraph.span.end] == "It *was\n> dark* &amp; [cold](u)."
    for words in ("It", "was", "dark", "cold", "."):
        at = paragraph.prose.rindex(words)
        start = text.rindex(words)
        assert paragraph.to_source(Span(at, at + len(words))) == Span(start, start + len(words))
    at = paragraph.prose.index("&")
    source = paragraph.to_source(Span(at, at + 1))
    assert text[source.start : source.end] == "&amp;"


BLOCKS = [
    "One *two* three.", "A [l](u) [r] b.", "# Head", "- item", "  more", "> quote", "1. one", "    code", "***",
    "```\ncode\n\ncode\n```", "| a |\n|---|\n| b |", "[r]: u", "[^1]: note", "<!-- a\n\nb -->", "Set\n---", "\ttab",
    "~~~\n\nx\n~~~", "> - a\n>\n>   b", "- - a\n\n    b", "<div>\n*x*\n", "$$\nx\n$$",
]  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(st.sampled_from(BLOCKS), st.sampled_from(["\n", "\n\n", "\n\n\n"])), max_size=8))
def test_parsing_by_chunks_is_parsing_the_whole(pieces: list[tuple[str, str]]) -> None:
    text = "".join(block + gap for block, gap in pieces)
    whole = paragraphs(text, markdown.definitions(text))
    assert kinds_and_proses(text) == [(paragraph.kind, paragraph.prose) for paragraph in whole]
