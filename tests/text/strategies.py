"""Texts that try the offsets: every line end, separators that are none, and characters of more than one code point."""

from __future__ import annotations

from hypothesis import strategies as st

from undersong.text.document import Document
from undersong.text.edits import Edit
from undersong.text.span import Span

ODD = [
    "😀", "👩‍👩‍👧", "e\u0301", "é", "\u200d", "\ufeff", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x00",
    "\u00a0", "\u3000", "\r", "\n", "\r\n", "\t", "ж", "漢", "\ud800", "ﬁ", "½",
]  # fmt: skip
WORDS = ["The", "sea", "was", "grey.", "“No,”", "he", "said", "it’s", "'tis", "end?", "5", "well—yes", "..."]
SPACES = [" ", "  ", "\n", "\n\n", "\r\n", "\r", "\r\n\r\n", "\n   ", "\n\t"]

MARKUP: dict[str, list[str]] = {
    "plaintext": ["-", "* * *", "  "],
    "markdown": [
        "*", "**", "_", "`", "``", "```", "~~~", "~~", "# ", "> ", "- ", "1. ", "    ", "---", "===", "[", "]",
        "(", ")",
        "[a](b)", "[a][b]", "[b]: u\n", "[^1]", "[^1]: note\n", "^[n]", "![i](j)", "<b>", "</b>", "<br>",
        "<!--", "-->",
        "<div>", "<pre>", "</pre>", "<https://a.b>", "&amp;", "&eacute;", "&#x1F600;", "\\", "\\*", "$", "$$",
        "$x$", "| a | b |\n|--|--|\n",
        "title: x", "<?", "?>", "+ ",
    ],
    "latex": [
        "\\emph{", "}", "{", "\\textbf{x}", "\\chapter{", "\\section*{A}", "\\begin{quote}", "\\end{quote}",
        "\\begin{itemize}",
        "\\end{itemize}", "\\item ", "\\begin{verbatim}", "\\end{verbatim}", "\\begin{document}",
        "\\end{document}", "\\begin{foo}[a]{b}",
        "\\end{foo}", "%", "\\%", "$", "\\[", "\\]", "$x$", "\\'e", "\\c{c}", '\\"{\\i}', "~", "``", "''",
        "\\verb|x|", "\\verb", "\\footnote{a}",
        "\\thought{a}", "\\", "\\\\", "&", "#", "\\enquote{a}", "\\ldots{}", "\\par", "---", "\\begin{figure}",
        "\\end{figure}", "[", "]",
        "\\documentclass{a}", "\\lettrine{A}{b}", "^", "_",
    ],
}  # fmt: skip
LANGUAGES = tuple(MARKUP)

anything = st.text(
    st.one_of(st.characters(), st.sampled_from([mark for odd in ODD for mark in odd] + list(" .-'\"`“”‘’«»–—…59aZ"))),
    max_size=60,
)


def drafts(language: str, most: int = 40) -> st.SearchStrategy[str]:
    piece = st.one_of(
        st.sampled_from(WORDS), st.sampled_from(SPACES), st.sampled_from(MARKUP[language]), st.sampled_from(ODD)
    )
    return st.lists(piece, max_size=most).map("".join)


@st.composite
def edit_scripts(draw: st.DrawFn, text: str, language: str) -> list[list[Edit]]:
    """Batches of edits, each edit in the coordinates after the one before it; some reach past the end."""
    batches: list[list[Edit]] = []
    length = len(text)
    for _ in range(draw(st.integers(1, 4))):
        batch: list[Edit] = []
        for _ in range(draw(st.integers(1, 3))):
            start = draw(st.integers(0, length + 2))
            end = draw(st.one_of(st.just(start), st.integers(start, min(start + 12, length + 3))))
            edit = Edit(Span(start, end), draw(drafts(language, 4)))
            batch.append(edit)
            clamped = edit.span.clamp(length)
            length += len(edit.text) - len(clamped)
        batches.append(batch)
    return batches


def document(text: str, language: str = "markdown") -> Document:
    return Document.open("file:///draft", language, 0, text)
