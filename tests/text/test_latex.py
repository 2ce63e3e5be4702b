from __future__ import annotations

import pytest

from undersong.text.segments import segment
from undersong.text.span import Span

from .strategies import document


def kinds_and_proses(text: str) -> list[tuple[str, str]]:
    return [(paragraph.kind, paragraph.prose) for paragraph in segment(document(text, "latex")).paragraphs]


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        (r"It was \emph{dark} and \textbf{\textit{cold}}.", "It was dark and cold."),
        (r"``No,'' she said---and `left'.", "``No,'' she said---and `left'."),
        (r"na\"{\i}ve caf\'e, \c{c}a va, \^etre, \ss{} \o", "naïve café, ça va, être, ß ø"),
        (r"5\% of \$3 \& \#1 \_ \{x\}", "5% of $3 & #1 _ {x}"),
        ("a tie~here and % a comment\nmore", "a tie here and more"),
        ("one%\ntwo", "onetwo"),
        (r"Let $x=1$, then \(y\) and \[z\] end.", "Let, then and end."),
        (r"A note\footnote{Of \emph{this}.} and \label{a}\ref{b}\cite[p.~1]{c} end.", "A note and end."),
        (r"\noindent A \thought{thing I said} aloud.", "A thing I said aloud."),
        (r"\enquote{No} \textcolor{red}{red} \href{http://a}{link} \lettrine{O}{nce}", "“No” red link Once"),
        (r"new\\ line \\[2pt] and\newline more", "new line and more"),
        (r"wait\ldots{} and \dots", "wait… and …"),
        (r"\vspace{1em}\setlength{\parindent}{0pt}Text \verb|x{y| end", "Text end"),
        ("text \\begin{verbatim} a } b \\end{verbatim} more", "text more"),
    ],
)
def test_running_text(text: str, prose: str) -> None:
    assert kinds_and_proses(text) == [("prose", prose)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\\documentclass{a}\n\\title{T}\n\\begin{document}\nText.\n\\end{document}\nAfter.", [("prose", "Text.")]),
        ("\\documentclass{a}\n\\title{T}\n", []),
        (
            "\\chapter*{The \\emph{sea}}\nText.\n\n\\section{Two} More.",
            [("heading", "The sea"), ("prose", "Text."), ("heading", "Two"), ("prose", "More.")],
        ),
        (
            "a\n\n\\begin{quote}\nb\n\nc\n\\end{quote}\nd",
            [("prose", "a"), ("quote", "b"), ("quote", "c"), ("prose", "d")],
        ),
        ("\\begin{itemize}\n\\item a\n\\item[x] b\n\\end{itemize}", [("item", "a"), ("item", "b")]),
        ("a\n\\begin{figure}[h]\n\\caption{c}\n\nd\n\\end{figure}\n\nb", [("prose", "a"), ("prose", "b")]),
        ("\\begin{spacing}{1.5}\na\n\nb\n\\end{spacing}", [("prose", "a"), ("prose", "b")]),
        ("{\\itshape a\n\nb} c", [("prose", "a"), ("prose", "b c")]),
        ("a\\par b", [("prose", "a"), ("prose", "b")]),
        ("a \\emph{not closed\n\nb } c", [("prose", "a not closed"), ("prose", "b c")]),
        ("a \\begin{quote} not closed\n\nb", [("prose", "a"), ("prose", "not closed"), ("prose", "b")]),
    ],
)
def test_blocks(text: str, expected: list[tuple[str, str]]) -> None:
    assert kinds_and_proses(text) == expected
    for line_end in ("\r\n", "\r"):
        assert kinds_and_proses(text.replace("\n", line_end)) == expected


def test_the_source_of_an_accented_word_is_all_of_it() -> None:
    text = r"The na\"{\i}ve \emph{caf\'e}."
    paragraph = segment(document(text, "latex")).paragraphs[0]
    for word, source in (("naïve", r"na\"{\i}ve"), ("café", r"caf\'e")):
        at = paragraph.prose.index(word)
        span = paragraph.to_source(Span(at, at + len(word)))
        assert text[span.start : span.end] == source
