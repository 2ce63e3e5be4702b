"""The paragraphs of one chunk of Markdown: markdown-it finds the blocks, and this finds them again in the source.

markdown-it gives a block its lines and its content without indentation and quote marks. Each line of the content
is the end of a source line (but for white space), which gives the exact offset of every code point of it.
"""

from __future__ import annotations

from typing import Any

from markdown_it.token import Token

from undersong.text.document import LINE_END
from undersong.text.markups.base import Definitions, Prose
from undersong.text.markups.markdown_inline import PARSER, Line, add_inline
from undersong.text.paragraph import Kind, Paragraph
from undersong.text.span import Span

_MASKED = {"table_open": "table_close"}
_KINDS: dict[str, Kind] = {
    "heading": "heading",
    "blockquote": "quote",
    "list_item": "item",
    "footnote_reference": "note",
}
# Of several blocks around a text, the one that says most about it.
_RANK: dict[Kind, int] = {"heading": 4, "note": 3, "quote": 2, "item": 1, "prose": 0}


def paragraphs(chunk: str, definitions: Definitions) -> tuple[Paragraph, ...]:
    tokens: list[Token] = []
    references = {label: {"href": "", "title": "", "map": [0, 0]} for label in definitions}
    env: dict[str, Any] = {"references": references}
    PARSER.block.parse(LINE_END.sub("\n", chunk), PARSER, env, tokens)
    lines = _lines(chunk)
    found: list[Paragraph] = []
    around: list[Kind] = []
    masked_until = ""
    for token in tokens:
        name = token.type.removesuffix("_open").removesuffix("_close")
        if masked_until:
            masked_until = "" if token.type == masked_until else masked_until
        elif token.type in _MASKED:
            masked_until = _MASKED[token.type]
        elif name in _KINDS and token.nesting == 1:
            around.append(_KINDS[name])
        elif name in _KINDS and token.nesting == -1:
            around.pop()
        elif token.type == "inline" and token.map:
            kind = max(around, key=_RANK.__getitem__) if around else "prose"
            if paragraph := _paragraph(chunk, lines, token, kind, env):
                found.append(paragraph)
    return tuple(found)


def _paragraph(chunk: str, lines: list[Span], token: Token, kind: Kind, env: dict[str, Any]) -> Paragraph | None:
    content = token.content
    if not content or not token.map:
        return None
    aligned = _align(chunk, lines[token.map[0] : token.map[1]], content)
    if aligned is None:
        return None
    prose = Prose(chunk)
    add_inline(prose, content, aligned, env)
    last = aligned[-1]
    return prose.build(kind, Span(aligned[0].source_start, last.source_start + last.length))


def _lines(chunk: str) -> list[Span]:
    """The chunk's lines without their ends."""
    lines: list[Span] = []
    at = 0
    for found in LINE_END.finditer(chunk):
        lines.append(Span(at, found.start()))
        at = found.end()
    return [*lines, Span(at, len(chunk))]


def _align(chunk: str, lines: list[Span], content: str) -> list[Line] | None:
    """Where each line of `content` stands in the source; None where one is not found, and the block is masked."""
    aligned: list[Line] = []
    at, candidates = 0, iter(lines)
    for text in content.split("\n"):
        bare = text.strip(" \t")
        offset = at + len(text) - len(text.lstrip(" \t")) if bare else at
        for line in candidates:
            # White space may be gone from both ends; a closing run of a heading follows its text.
            place = chunk.rfind(bare, line.start, line.end)
            if place >= 0:
                aligned.append(Line(offset, place, len(bare)))
                break
        else:
            return None
        at += len(text) + 1
    return aligned
