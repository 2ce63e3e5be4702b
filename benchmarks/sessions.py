"""A real server and a real engine to measure on: their folders, an editor that waits for fresh hints, keystrokes."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import attrs
from lsprotocol import types

from undersong.cli.editor import CAPABILITIES, Editor
from undersong.client.http import HttpEngine
from undersong.text.document import Document
from undersong.text.segments import segment
from undersong.text.span import Span
from undersong.wire import DraftUpdate, ReadRequest, Splice

# Hints at once: the pause before the paragraph typed in is shown again is a choice of comfort, not a cost.
SETTINGS: dict[str, Any] = {"hints": {"pause_seconds": 0.0}, "engine": {"idle_minutes": 5}}
REST = 0.6
"""Seconds between keystrokes: the paragraphs behind the edited one are read meanwhile."""
WARM_UP = 2
PLACES = {"end": 1.0, "middle": 0.5}
"""Where in a draft a writer types: as a share of its paragraphs."""


@contextmanager
def own_folders() -> Iterator[None]:
    """Undersong's folders, empty, for this process and those it starts."""
    with tempfile.TemporaryDirectory(prefix="us") as folder:
        for name in ("RUNTIME", "CACHE", "LOG", "STATE", "DATA"):
            (Path(folder) / name).mkdir(mode=0o700)
            os.environ[f"UNDERSONG_{name}_DIR"] = str(Path(folder) / name)
        yield


async def ready(engine: HttpEngine) -> None:
    """Until the engine has loaded its model."""
    async with aclosing(engine.status()) as changes:
        async for health in changes:
            if health.state == "failed":
                raise SystemExit(health.message)
            if health.state == "ready":
                return


def without_refresh() -> types.ClientCapabilities:
    """Of a client that cannot refresh: it gets its hints when they are fresh, so it waits what a keystroke costs."""
    assert CAPABILITIES.workspace is not None
    workspace = attrs.evolve(CAPABILITIES.workspace, inlay_hint=None, code_lens=None)
    return attrs.evolve(CAPABILITIES, workspace=workspace)


def paragraph_at(editor: Editor, uri: str, where: float) -> Span:
    spans = [paragraph.span for paragraph in segment(editor.document(uri)).paragraphs]
    return spans[min(len(spans) - 1, int(where * len(spans)))]


async def keystrokes(editor: Editor, uri: str, where: float, n: int) -> list[float]:
    """Seconds from `didChange` to the fresh hint of the edited paragraph."""
    samples: list[float] = []
    for number in range(n + WARM_UP):
        await asyncio.sleep(REST)
        paragraph = paragraph_at(editor, uri, where)
        began = time.perf_counter()
        editor.change(uri, Span(paragraph.end, paragraph.end), "and"[number % 3])
        hints = await editor.hints(uri, Span(paragraph.start, paragraph.end + 1))
        if number >= WARM_UP:
            samples.append(time.perf_counter() - began)
        assert len(hints) == 1
    return samples


def proses(text: str) -> list[str]:
    """The prose of a Markdown draft, a string a paragraph, as the engine is given it."""
    return list(segment(Document.open("b", "markdown", 1, text)).proses)


class EngineDraft:
    """A draft at the engine's socket, `proses` as they stand there now; nothing is read of it yet."""

    def __init__(self, engine: HttpEngine, name: str, paragraphs: Sequence[str]) -> None:
        self.name, self.proses, self.version = name, list(paragraphs), 0
        self._engine = engine

    async def read(self, wanted: Sequence[int]) -> None:
        """Until these paragraphs are read."""
        if self.version == 0:
            self.version = 1
            update = DraftUpdate(self.name, 1, None, Splice(0, 0, tuple(self.proses)))
        else:
            update = DraftUpdate(self.name, self.version, self.version, Splice(0, 0, ()))
        await self._engine.read(ReadRequest(update, tuple(wanted)))

    async def keystroke(self, at: int) -> None:
        """Until the paragraph is read with one character more."""
        self.proses[at] += " and"[self.version % 4]
        self.version += 1
        update = DraftUpdate(self.name, self.version, self.version - 1, Splice(at, 1, (self.proses[at],)))
        await self._engine.read(ReadRequest(update, (at,)))
