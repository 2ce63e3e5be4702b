"""The paragraphs of one chunk of LaTeX: pylatexenc finds the nodes with their places, and this reads them in order.

1. Masked environments are found first, and marks without their twins in the chunk (a brace, a `\\begin`): to the parser
   they are shown as spaces, so that it never has to guess where they end.
2. The nodes are read into paragraphs. Blank lines, `\\par`, headings, items and environments end a paragraph.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pylatexenc import latexwalker, macrospec  # pyright: ignore[reportMissingTypeStubs]

from undersong.text.markups import latex_tables as tables
from undersong.text.markups.base import Prose
from undersong.text.paragraph import Kind, Paragraph
from undersong.text.span import Span

# The library has no types.
nodes: Any = latexwalker
_macro_spec: Any = macrospec.MacroSpec

_PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*")
_MARKUP = re.compile(r"[\\{}$%~&#^_]")
_TOKEN = re.compile(
    r"\\(?P<verb>verb\*?)(?P<tick>[^\sA-Za-z*])[^\r\n]*?(?P=tick)"
    r"|(?P<bare>\\verb\*?(?![A-Za-z]))"
    r"|\\(?P<mark>begin|end)[ \t]*\{(?P<name>[^{}\n]*)\}"
    r"|\\.|(?P<comment>%[^\n]*)|(?P<brace>[{}])",
    re.DOTALL,
)
_ARGUMENTS = re.compile(r"(?:[ \t]*(?:\[[^\[\]\n]*\]|\{[^{}\n]*\}))*")
# Groups in groups, past which the parser's recursion is not trusted.
_DEEPEST = 40


def _context() -> Any:
    context = nodes.get_default_latex_context_db()
    texts = [_macro_spec(name, spec) for name, (spec, _) in tables.TEXT_MACROS.items()]
    masked = [_macro_spec(name, spec) for name, spec in tables.MASKED_MACROS.items()]
    context.add_context_category("undersong", macros=[*texts, *masked], prepend=True)
    return context


_CONTEXT = _context()


def paragraphs(chunk: str) -> tuple[Paragraph, ...]:
    # One code point for one: the parser sees LF alone, and offsets stay.
    shown = chunk.replace("\r\n", " \n").replace("\r", "\n")
    if not _MARKUP.search(shown):
        reader = _Reader(chunk, shown, ())
        reader.text(0, len(shown))
        return reader.paragraphs()
    masked, deepest = _masked(shown)
    if deepest > _DEEPEST:
        return ()
    for mask in masked:
        filler = "\n\n" if mask.breaks else ""
        shown = shown[: mask.span.start] + filler.ljust(len(mask.span)) + shown[mask.span.end :]
    walker = nodes.LatexWalker(shown, latex_context=_CONTEXT, tolerant_parsing=True)
    reader = _Reader(chunk, shown, masked)
    try:
        reader.read(walker.get_latex_nodes()[0])
    except (IndexError, RecursionError, nodes.LatexWalkerError):
        # The parser is tolerant but does raise, on a macro cut short at the very end for one: what was read before
        # it counts.
        return reader.paragraphs()
    return reader.paragraphs()


@dataclass(frozen=True, slots=True)
class _Mask:
    """Source that the parser is not shown. `breaks`: it ends the paragraph before it."""

    span: Span
    breaks: bool


def _masked(shown: str) -> tuple[list[_Mask], int]:
    """What to mask, in order, and how deeply groups and environments are nested."""
    found: list[_Mask] = []
    opened: list[tuple[str, Span]] = []
    deepest = at = 0
    while token := _TOKEN.search(shown, at):
        at = token.end()
        name, brace = token["name"], token["brace"]
        if token["verb"] or token["bare"]:
            found.append(_Mask(Span(*token.span()), breaks=False))
        elif token["mark"] == "begin" and name in tables.MASKED_ENVIRONMENTS:
            closing = shown.find(f"\\end{{{name}}}", at)
            at = closing + len(name) + 6 if closing >= 0 else len(shown)
            found.append(_Mask(Span(token.start(), at), breaks=False))
        elif token["mark"] and name not in tables.KINDS:
            # Its arguments too: an environment nobody told us about is transparent.
            arguments = _ARGUMENTS.match(shown, at) if token["mark"] == "begin" else None
            at = arguments.end() if arguments else at
            found.append(_Mask(Span(token.start(), at), breaks=True))
        elif brace == "{" or token["mark"] == "begin":
            opened.append((name or "{", Span(*token.span())))
            deepest = max(deepest, len(opened))
        elif brace or token["mark"]:
            twin = next((i for i in reversed(range(len(opened))) if opened[i][0] == (name or "{")), None)
            if twin is None or (brace and twin != len(opened) - 1):
                found.append(_Mask(Span(*token.span()), breaks=not brace))
            else:
                found.extend(_Mask(span, breaks=kind != "{") for kind, span in opened[twin + 1 :])
                del opened[twin:]
    found.extend(_Mask(span, breaks=kind != "{") for kind, span in opened)
    return sorted(found, key=lambda mask: mask.span), deepest


class _Reader:
    def __init__(self, source: str, shown: str, masked: Sequence[_Mask]) -> None:
        self._source = source
        self._shown = shown
        self._masked = masked
        self._prose = Prose(source)
        self._kind: Kind = "prose"
        self._found: list[Paragraph] = []

    def paragraphs(self) -> tuple[Paragraph, ...]:
        self._flush()
        return tuple(self._found)

    def text(self, start: int, end: int) -> None:
        """Characters; blank lines among them end the paragraph."""
        at = start
        for found in _PARAGRAPH_END.finditer(self._shown, start, end):
            self._unmasked(at, found.start())
            self._flush()
            at = found.end()
        self._unmasked(at, end)

    def read(self, children: Sequence[Any]) -> None:
        macro: Any = None  # one that ends where the next node begins: `\\thought` before its group
        for node in children:
            if node is None:
                continue
            start, end = node.pos, node.pos + node.len
            lead = macro.pos if macro is not None and macro.pos + macro.len == start else start
            macro = node if isinstance(node, nodes.LatexMacroNode) else None
            if isinstance(node, nodes.LatexCharsNode):
                self.text(start, end)
            elif isinstance(node, nodes.LatexGroupNode):
                self._styled(node.nodelist, Span(lead, start + 1), Span(max(end - 1, start + 1), end))
            elif isinstance(node, nodes.LatexSpecialsNode):
                self._special(node.specials_chars, start, end)
            elif isinstance(node, nodes.LatexEnvironmentNode):
                self._block(node.nodelist, tables.KINDS.get(node.environmentname, self._kind))
            elif isinstance(node, nodes.LatexMacroNode):
                self._macro(node, start, end)

    def _macro(self, node: Any, start: int, end: int) -> None:
        name: str = node.macroname
        arguments: list[Any] = list(node.nodeargd.argnlist or ()) if node.nodeargd else []
        if name in tables.HEADINGS:
            self._block(arguments[-1:], "heading")
        elif name in tables.TEXT_MACROS and arguments:
            self._text_macro(name, arguments, start)
        elif name in tables.ACCENTS:
            self._prose.atom(_accented(name, arguments), start, end)
        elif name in tables.SYMBOLS:
            self._prose.atom(tables.SYMBOLS[name], start, end - len(node.macro_post_space or ""))
        elif name in tables.ESCAPED:
            self._prose.literal(start + 1, start + 2)
        elif name in tables.SPACES:
            self._prose.space(start, end)
        elif name in tables.BREAKS:
            self._flush()

    def _text_macro(self, name: str, arguments: Sequence[Any], start: int) -> None:
        read = [arguments[index] for index in tables.TEXT_MACROS[name][1] if index < len(arguments)]
        for node in read:
            if node is None:
                continue
            stop = node.pos + node.len
            if not isinstance(node, nodes.LatexGroupNode):
                self.read([node])
            elif name == "enquote":
                self._prose.atom("“", start, node.pos + 1)
                self.read(node.nodelist)
                self._prose.atom("”", stop - 1, stop)
            else:
                self._styled(node.nodelist, Span(start, node.pos + 1), Span(stop - 1, stop))
            start = stop

    def _styled(self, children: Sequence[Any], opening: Span, closing: Span) -> None:
        before = self._prose
        self.read(children)
        if self._prose is before:
            self._prose.pair(opening, closing)

    def _block(self, children: Sequence[Any], kind: Kind) -> None:
        self._flush()
        outer, self._kind = self._kind, kind
        for child in children:
            self.read(child.nodelist if isinstance(child, nodes.LatexGroupNode) else [child])
        self._flush()
        self._kind = outer

    def _special(self, chars: str, start: int, end: int) -> None:
        if chars == "~" or chars == "&":
            self._prose.space(start, end)
        elif not chars.strip():
            self._flush()
        else:
            self.text(start, end)

    def _unmasked(self, start: int, end: int) -> None:
        index = max(bisect_right(self._masked, start, key=lambda mask: mask.span.start) - 1, 0)
        for mask in self._masked[index:]:
            if mask.span.start >= end:
                break
            if start < mask.span.start:
                self._prose.literal(start, mask.span.start)
            start = max(start, mask.span.end)
        if start < end:
            self._prose.literal(start, end)

    def _flush(self) -> None:
        if paragraph := self._prose.build(self._kind):
            self._found.append(paragraph)
        self._prose = Prose(self._source)


def _accented(accent: str, arguments: Sequence[Any]) -> str:
    base = "".join(map(_letters, arguments))
    return unicodedata.normalize("NFC", base[:1] + tables.ACCENTS[accent]) + base[1:] if base else ""


def _letters(node: Any) -> str:
    """The letters of an accent's argument: `e`, `{e}`, `\\i`, `{\\i}`."""
    if isinstance(node, nodes.LatexGroupNode):
        return "".join(map(_letters, node.nodelist))
    if isinstance(node, nodes.LatexCharsNode):
        return str(node.chars)
    if isinstance(node, nodes.LatexMacroNode):
        return {"i": "i", "j": "j"}.get(node.macroname, tables.SYMBOLS.get(node.macroname, ""))
    return ""
