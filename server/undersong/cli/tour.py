"""The steps of the demo, in the order of a first session; what they found is a `Report`."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsprotocol import types

from undersong.assist.actions.base import MORE
from undersong.cli.editor import Editor
from undersong.errors import EngineFailure, UnknownFeature
from undersong.text.segments import Paragraph, segment
from undersong.text.span import Span

WIDTH = 100
SOUGHT = "food and drink"
TYPED = " There was bread on the table, and wine, and they ate their supper and drank by the fire."
SETTLED_SECONDS = 2.0
"""The server tells of fresh hints at most twice a second: when it has been silent for longer, all are in."""
PATIENCE_SECONDS = 90.0
SETTINGS: dict[str, Any] = {"hints": {"pause_seconds": 0.2}}


@dataclass(slots=True)
class HintedParagraph:
    text: str
    hint: str


@dataclass(slots=True)
class Steer:
    action: str
    effect: str
    before: str
    after: str


@dataclass(slots=True)
class ChangedHint:
    paragraph: str
    before: str
    after: str


@dataclass(slots=True)
class Report:
    """What the demo found; `restored`: the text after undoing is the text that was opened."""

    file: str
    server: str = ""
    paragraphs: list[HintedParagraph] = field(default_factory=list)
    evidence: str = ""
    actions: list[str] = field(default_factory=list)
    steer: Steer | None = None
    typed: str = TYPED.strip()
    changed: list[ChangedHint] = field(default_factory=list)
    restored: bool = False
    seconds: float = 0.0


class Tour:
    """One demo. `toward`: a feature's name and a strength; None takes what the search for SOUGHT finds, if anything."""

    def __init__(
        self, path: Path, text: str, language: str, toward: tuple[str, float] | None, tell: Callable[[str], None]
    ) -> None:
        self._uri, self._text, self._language, self._toward, self._tell = path.as_uri(), text, language, toward, tell
        self._report = Report(str(path))

    async def run(self) -> Report:
        """Raises EngineFailure with what the server said when something does not come."""
        began = time.monotonic()
        async with Editor(SETTINGS) as editor:
            self._editor = editor
            await self._read()
            at = self._longest()
            await self._steer(at, await self._sought())
            await self._type(at)
            self._undo()
        self._report.seconds = round(time.monotonic() - began, 1)
        self._tell(f"\nDone in {self._report.seconds} s; the draft is as it was.")
        return self._report

    async def _read(self) -> None:
        self._tell(f"Opening {self._report.file}\n")
        self._editor.open(self._uri, self._text, self._language)
        hints = await self._settled(0)
        if not hints and self._editor.log.messages:
            raise EngineFailure(self._editor.log.messages[-1])
        for paragraph in self._paragraphs():
            hint = self._hint_of(paragraph, hints)
            self._report.paragraphs.append(HintedParagraph(paragraph.prose, hint))
            self._tell(textwrap.fill(paragraph.prose, WIDTH))
            self._tell(f"    {hint}\n" if hint else "")
        if hints:
            resolved = await self._editor.client.inlay_hint_resolve_async(hints[0])
            self._report.evidence = _tooltip(resolved)
            self._tell(f"What stands behind the first hint ({_label(hints[0])}):\n")
            self._tell(textwrap.indent(self._report.evidence, "    "))

    async def _sought(self) -> tuple[str, float] | None:
        """What to steer toward: what was asked, or else the first that the search for SOUGHT finds and that steers."""
        if self._toward is not None:
            return self._toward
        found = await self._editor.run("undersong.search", [{"query": SOUGHT, "quiet": True}])
        hits = [hit for hit in found["hits"] if hit["steers"] is not False]
        self._tell(f"\nSearching for “{SOUGHT}”: {', '.join(hit['name'] for hit in hits[:4]) or 'nothing'}")
        return (str(hits[0]["name"]), MORE) if hits else None

    async def _steer(self, at: int, toward: tuple[str, float] | None) -> None:
        span = self._paragraphs()[at].span
        actions = await self._editor.actions(self._uri, Span(span.start, span.start))
        self._report.actions = [action.title for action in actions]
        self._tell("\nCode actions at the longest paragraph:\n")
        for action in actions:
            self._tell(f"    {action.title}")
        command = self._chosen(actions, toward)
        self._tell(f"\nRunning “{command.title}” …\n")
        await self._editor.run(command.command, command.arguments or [])
        log = self._editor.log
        said = len(log.messages)
        await self._until(lambda: bool(log.edits) or len(log.messages) > said, "the steered paragraph")
        if not log.edits:
            raise EngineFailure(f"no suggestion came; the server said: {log.messages[-1]}")
        edit = log.edits[-1]
        before, after = _difference(edit.before, edit.after)
        self._report.steer = Steer(command.title, edit.note or edit.label, before, after)
        for title, text in (("before", before), ("after", after)):
            self._tell(textwrap.fill(text, WIDTH, initial_indent=f"  {title:>6}  ", subsequent_indent=" " * 10))
        self._tell(f"\n  effect  {self._report.steer.effect}")

    def _chosen(self, actions: list[types.CodeAction], toward: tuple[str, float] | None) -> types.Command:
        """The first action that steers, turned to the feature and strength asked for."""
        steers = _steers(actions)
        if not steers:
            raise EngineFailure(f"no steering action was offered here; offered: {', '.join(self._report.actions)}")
        if toward is None:
            return steers[0]
        name, strength = toward
        arguments = [{**_arguments(steers[0]), "feature": name, "name": name, "strength": strength}]
        return types.Command(f"Steer this paragraph: ‹{name}› at {strength:g}", steers[0].command, arguments=arguments)

    async def _type(self, at: int) -> None:
        since = self._editor.log.refreshes
        before = {p.prose: self._hint_of(p, h) for h in [await self._settled(since)] for p in self._paragraphs()}
        old = list(before.items())
        end = self._paragraphs()[at].span.end
        self._tell(f"\nTyping “{TYPED.strip()}” at the end of that paragraph …\n")
        for word in TYPED.replace(" ", "\0 ").split("\0"):
            if word:
                self._editor.change(self._uri, Span(end, end), word)
                end += len(word)
        hints = await self._settled(self._editor.log.refreshes)
        for number, paragraph in enumerate(self._paragraphs()):
            hint = self._hint_of(paragraph, hints)
            was = old[number][1] if number < len(old) else ""
            if hint != was:
                self._report.changed.append(ChangedHint(paragraph.prose, was, hint))
                self._tell(f"    {textwrap.shorten(paragraph.prose, 60, placeholder=' …')}")
                self._tell(f"        {was or '(none)'}  →  {hint or '(none)'}")

    def _undo(self) -> None:
        while self._editor.can_undo(self._uri):
            self._editor.undo(self._uri)
        self._report.restored = self._editor.document(self._uri).text == self._text
        if not self._report.restored:
            raise EngineFailure("undoing did not bring the text back")

    async def _settled(self, since: int) -> list[types.InlayHint]:
        """The hints once the server has nothing more to tell."""
        log = self._editor.log
        if log.refreshes <= since:
            await self._until(lambda: log.refreshes > since or bool(log.messages), "hints")
        while True:
            seen = log.refreshes
            try:
                await self._editor.refreshed(seen, SETTLED_SECONDS)
            except TimeoutError:
                return await self._editor.hints(self._uri)

    async def _until(self, ready: Callable[[], bool], what: str) -> None:
        try:
            await self._editor.wait(ready, PATIENCE_SECONDS)
        except TimeoutError as error:
            said = "; ".join(self._editor.log.messages) or "nothing"
            raise EngineFailure(
                f"{what} did not come within {PATIENCE_SECONDS:.0f} s; the server said: {said}"
            ) from error
        unknown = [message for message in self._editor.log.messages if "no feature" in message]
        if unknown:
            raise UnknownFeature(unknown[-1])

    def _paragraphs(self) -> tuple[Paragraph, ...]:
        return segment(self._editor.document(self._uri)).paragraphs[:]

    def _longest(self) -> int:
        paragraphs = self._paragraphs()
        return max(range(len(paragraphs)), key=lambda index: len(paragraphs[index].prose))

    def _hint_of(self, paragraph: Paragraph, hints: list[types.InlayHint]) -> str:
        document = self._editor.document(self._uri)
        offsets = [(self._editor.positions.offset(document, hint.position), hint) for hint in hints]
        line_end = document.line_span(document.line_of(paragraph.span.end)).end
        return " ".join(_label(hint) for at, hint in offsets if paragraph.span.start < at <= line_end)


def _steers(actions: list[types.CodeAction]) -> list[types.Command]:
    commands = [action.command for action in actions if action.command and not action.disabled]
    return [
        command for command in commands if command.command == "undersong.steer" and "feature" in _arguments(command)
    ]


def _arguments(command: types.Command) -> dict[str, Any]:
    return dict((command.arguments or [{}])[0])  # type: ignore[call-overload]


def _label(hint: types.InlayHint) -> str:
    return hint.label if isinstance(hint.label, str) else "".join(part.value for part in hint.label)


def _tooltip(hint: types.InlayHint) -> str:
    """The first tooltip of a resolved hint, of its own or of a part."""
    parts = [] if isinstance(hint.label, str) else [part.tooltip for part in hint.label]
    for tooltip in [*parts, hint.tooltip]:
        if tooltip is not None:
            return tooltip if isinstance(tooltip, str) else tooltip.value
    return ""


def _difference(before: str, after: str) -> tuple[str, str]:
    """The whole lines that differ between two texts."""
    old, new = before.splitlines(), after.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return "\n".join(old), "\n".join(new)
