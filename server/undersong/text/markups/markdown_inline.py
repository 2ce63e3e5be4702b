"""The inline text of one Markdown block, with the exact place of every piece.

markdown-it's inline tokens have no offsets. They are pushed by rules, and a rule consumes the content from one position
to another; `_PlacedInline` notes both on each token that a rule pushed (`meta["at"]`), and pushes text at once instead
of gathering it over several rules. So a token's place is known, not searched for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin

from undersong.text.markups.base import Prose
from undersong.text.span import Span

_AT = "undersong.at"


class _PlacedInline(ParserInline):
    def tokenize(self, state: StateInline) -> None:
        rules = self.ruler.getRules("")
        deepest = state.md.options["maxNesting"]
        end = state.posMax
        while state.pos < end:
            start, pushed = state.pos, len(state.tokens)
            if state.level >= deepest or not any(rule(state, False) for rule in rules):
                state.push("text", "", 0).content = state.src[start]
                state.pos = start + 1
            if state.pending:
                state.pushPending()
            _place(state.tokens[pushed:], start, state.pos)


def _place(tokens: list[Token], start: int, end: int) -> None:
    """Note where `tokens`, which one rule pushed for content[start:end], stand."""
    fresh = [token for token in tokens if _AT not in token.meta]
    if len(fresh) == len(tokens) and all(token.type == "text" for token in tokens):
        # Marks of emphasis: one token each, side by side.
        for token in fresh:
            token.meta[_AT] = (start, start + len(token.content))
            start += len(token.content)
    elif len(fresh) > 1:
        # A link: its text was placed by the inner call; what is left is its opening and its closing.
        inner = [token.meta[_AT] for token in tokens if _AT in token.meta]
        first, last = (inner[0][0], inner[-1][1]) if inner else (start + 1, start + 1)
        fresh[0].meta[_AT] = (start, first)
        fresh[-1].meta[_AT] = (last, end)
    elif fresh:
        fresh[0].meta[_AT] = (start, end)


def _parser() -> MarkdownIt:
    parser = MarkdownIt()
    parser.inline = _PlacedInline()
    parser.configure("commonmark").enable(["table", "strikethrough"]).disable("fragments_join")
    # Marks are masked whether or not their notes are in the same chunk.
    parser.use(footnote_plugin, inline=True, move_to_end=False, always_match_refs=True)
    # "$5 and $10" is money. Blank lines in maths would let a stray `$$` swallow the rest of the draft.
    return parser.use(dollarmath_plugin, allow_space=False, allow_digits=False, allow_blank_lines=False)


PARSER = _parser()


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a block's content: where it begins there and in the chunk, and how long it is."""

    content_start: int
    source_start: int
    length: int

    @property
    def source_end(self) -> int:
        return self.source_start + self.length


def add_inline(prose: Prose, content: str, lines: Sequence[Line], env: dict[str, Any]) -> None:
    """Give `prose` the text of a block whose `content` stands in `lines` of the source."""
    where = _Lines(lines)
    opened: list[Span] = []
    address = False  # inside <https://...>, whose text is its target
    for token in PARSER.inline.parse(content, PARSER, env, []):
        start, end = token.meta.get(_AT, (0, 0))
        if token.nesting > 0:
            opened.append(where.mark(*_marks(token, start, end)))
            address = token.markup == "autolink"
        elif token.nesting < 0:
            if opened:
                prose.pair(opened.pop(), where.mark(*_marks(token, start, end)))
            address = False
        elif token.type in ("softbreak", "hardbreak"):
            prose.space(*where.line_break(start))
        elif token.type == "html_inline" and token.content.lower().startswith("<br"):
            prose.space(where.source(start), where.source_end(end))
        elif token.type == "code_inline":
            ticks = len(token.markup)
            where.literal(prose, start + ticks, end - ticks)
            prose.pair(where.mark(start, start + ticks), where.mark(end - ticks, end))
        elif token.type in ("text", "text_special") and token.content and not address:
            if token.content == content[start:end]:
                where.literal(prose, start, end)
            elif token.info == "escape":
                where.literal(prose, start + 1, end)
            else:
                prose.atom(token.content, where.source(start), where.source_end(end))


def _marks(token: Token, start: int, end: int) -> tuple[int, int]:
    """Where an opening or closing mark stands. `**` is two tokens, of which the outer one is left as empty text."""
    more = len(token.markup) - 1 if token.type in ("strong_open", "strong_close") else 0
    return (start - more, end) if token.nesting > 0 else (start, end + more)


class _Lines:
    """Content offsets to source offsets."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines

    def _index(self, offset: int) -> int:
        return max(bisect_right(self._lines, offset, key=lambda line: line.content_start) - 1, 0)

    def source(self, offset: int) -> int:
        line = self._lines[self._index(offset)]
        return line.source_start + min(max(offset - line.content_start, 0), line.length)

    def source_end(self, offset: int) -> int:
        """Where content that ends at `offset` ends in the source: on the line of its last code point."""
        line = self._lines[self._index(max(offset - 1, 0))]
        return line.source_start + min(max(offset - line.content_start, 0), line.length)

    def mark(self, start: int, end: int) -> Span:
        first = self.source(start)
        return Span(first, max(first, self.source_end(end)))

    def line_break(self, offset: int) -> tuple[int, int]:
        index = self._index(offset)
        after = self._lines[min(index + 1, len(self._lines) - 1)]
        return self._lines[index].source_end, max(after.source_start, self._lines[index].source_end)

    def literal(self, prose: Prose, start: int, end: int) -> None:
        first = self._index(start)
        for index in range(first, self._index(max(end - 1, start)) + 1):
            line = self._lines[index]
            if index > first:
                prose.space(*self.line_break(self._lines[index - 1].content_start))
            inside = max(start - line.content_start, 0), min(end - line.content_start, line.length)
            if inside[0] < inside[1]:
                prose.literal(line.source_start + inside[0], line.source_start + inside[1])
