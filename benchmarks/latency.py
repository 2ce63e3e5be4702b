"""How long a writer waits: the server and the engine over real stdio and a real socket, on the default model.

`make bench` runs it, prints a table and writes benchmarks/latency.json. Rows taken at the editor include the
protocol, the front end and the engine; rows marked "engine" are taken at the engine's socket.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lsprotocol import types

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.drafts import draft
from benchmarks.figures import Figure, figure, keep, machine, timed
from benchmarks.sessions import (
    PLACES,
    SETTINGS,
    EngineDraft,
    keystrokes,
    own_folders,
    paragraph_at,
    proses,
    ready,
    without_refresh,
)
from undersong.cli.editor import Editor
from undersong.client.http import HttpEngine
from undersong.client.launch import EngineChoice, connect
from undersong.text.span import Span
from undersong.wire import Dial, DraftUpdate, SearchRequest, Splice, WriteRequest

SIZES = (2_000, 20_000)
OUT = Path(__file__).with_name("latency.json")

Rows = dict[str, dict[str, Figure]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=30)
    arguments = parser.parse_args()
    with own_folders():
        rows, facts = asyncio.run(measure(arguments.samples))
    show(rows, facts)
    content = {name: {size: asdict(value) for size, value in row.items()} for name, row in rows.items()}
    keep(OUT, {"machine": machine(), "figures": content, "facts": facts})


async def measure(n: int) -> tuple[Rows, dict[str, Any]]:
    rows: Rows = {}
    facts: dict[str, Any] = {}
    rows["initialize (from spawn)"] = {"any": figure(await timed(10, _initialize, warm_up=1))}
    engine = await connect(EngineChoice(idle_minutes=5))
    await ready(engine)
    for size in SIZES:
        column = f"{size:,} words"
        for name, samples in (await at_the_editor(size, n, facts)).items():
            rows.setdefault(name, {})[column] = figure(samples)
        for name, samples in (await at_the_engine(engine, size, n)).items():
            rows.setdefault(name, {})[column] = figure(samples)
    await engine.aclose()
    _ratios(rows, facts)
    return rows, facts


async def _initialize(number: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "undersong", "serve", "--stdio", "--no-engine",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    body = (
        b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":null,"rootUri":null,"capabilities":{}}}'
    )
    process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    await process.stdout.readuntil(b"\r\n\r\n")
    process.kill()
    await process.wait()


async def at_the_editor(size: int, n: int, facts: dict[str, Any]) -> dict[str, list[float]]:
    """Everything that a writer notices, seconds."""
    uri = f"file:///bench/{size}.md"
    samples: dict[str, list[float]] = {}
    async with Editor(SETTINGS) as editor:
        editor.open(uri, draft(size))
        await _all_fresh(editor, uri)
        facts["torch in the front end"] = facts.get("torch in the front end", False) or _maps_torch(editor)
        middle = paragraph_at(editor, uri, 0.5)

        async def raw_hints(number: int) -> None:
            document = editor.document(uri)
            everywhere = editor.positions.range(document, Span(0, len(document.text)))
            params = types.InlayHintParams(types.TextDocumentIdentifier(uri), everywhere)
            answer = await editor.client.protocol.send_request_async("textDocument/inlayHint", params)
            assert len(answer) > size / 200

        async def hover(number: int) -> None:
            where = editor.positions.position(editor.document(uri), middle.start + 30)
            identifier = types.TextDocumentIdentifier(uri=uri)
            await editor.client.text_document_hover_async(types.HoverParams(identifier, where))

        async def actions(number: int) -> None:
            await editor.actions(uri, Span(middle.start, middle.start))

        async def change(number: int) -> None:
            # A notification has no answer: a request behind it, for nothing, is answered when it has been handled.
            end = paragraph_at(editor, uri, 0.5).end
            editor.change(uri, Span(end, end), "a")
            await editor.actions(uri, Span(0, 0), only=["quickfix"])

        # Until the reply has arrived: what a client makes of some hundred hints is its own affair.
        protocol = editor.client.protocol
        typed, protocol.get_result_type = protocol.get_result_type, lambda method: None  # type: ignore[method-assign]
        samples["hints from cache (all)"] = await timed(n, raw_hints)
        protocol.get_result_type = typed  # type: ignore[method-assign]
        samples["hover"] = await timed(n, hover)
        samples["code-action list"] = await timed(n, actions)
        samples["didChange"] = await timed(n, change)
    # A client that cannot refresh gets its hints when they are fresh: what it waits is what a keystroke costs.
    async with Editor(SETTINGS, capabilities=without_refresh()) as editor:
        editor.open(uri, draft(size))
        await editor.hints(uri)
        await asyncio.sleep(size / 1000)
        for name, where in PLACES.items():
            samples[f"fresh hints after a keystroke, {name}"] = await keystrokes(editor, uri, where, n)
    return samples


async def at_the_engine(engine: HttpEngine, size: int, n: int) -> dict[str, list[float]]:
    """The same work without the protocol around it, and what only the engine knows, seconds."""
    opened = EngineDraft(engine, f"engine-{size}", proses(draft(size, seed=1)))
    samples: dict[str, list[float]] = {}
    began = time.perf_counter()
    await opened.read(range(len(opened.proses)))
    samples["engine: read all"] = [time.perf_counter() - began]
    for place, at in (("end", len(opened.proses) - 1), ("middle", len(opened.proses) // 2)):
        samples[f"engine: keystroke, {place}"] = await timed(n, lambda number, at=at: opened.keystroke(at))
    feature = (await engine.search(SearchRequest("wind rain sea night", 1))).hits[0].feature
    first: list[float] = []
    steps: list[float] = []
    cancels: list[float] = []
    for number in range(n + 1):
        request = _continuation(opened, feature, seed=number)
        began = last = time.perf_counter()
        chunks = 0
        async with aclosing(engine.write(request)) as events:
            async for event in events:
                now = time.perf_counter()
                if event.event == "chunk":
                    chunks += 1
                    if number and chunks == 1:
                        first.append(now - began)
                    elif number:
                        steps.append(now - last)
                    last = now
                if chunks == 8:
                    break
        # The device is free as soon as another request is answered: one that needs no model.
        began = time.perf_counter()
        await opened.read((0,))
        if number:
            cancels.append(time.perf_counter() - began)
    samples["engine: first token, steered"] = first
    samples["engine: one decoding step, steered"] = steps
    samples["engine: device free after cancel"] = cancels
    return samples


def _continuation(opened: EngineDraft, feature: str, seed: int) -> WriteRequest:
    at = len(opened.proses) // 2
    update = DraftUpdate(opened.name, opened.version, opened.version, Splice(0, 0, ()))
    end = len(opened.proses[at])
    return WriteRequest(
        update, at, end, end, "continue",
        (Dial(feature, 0.7),), candidates=1, max_tokens=40, stop="length", seed=seed,
    )  # fmt: skip


async def _all_fresh(editor: Editor, uri: str) -> None:
    """Until the server has been silent for longer than it lets refreshes wait."""
    while True:
        try:
            await editor.refreshed(editor.log.refreshes, 1.5 if editor.log.refreshes else 120)
        except TimeoutError:
            return


def _maps_torch(editor: Editor) -> bool:
    """Whether the front end's process has torch loaded (Linux)."""
    server = editor.client._server
    try:
        return "libtorch" in Path(f"/proc/{server.pid if server else 0}/maps").read_text()
    except OSError:
        return False


def _ratios(rows: Rows, facts: dict[str, Any]) -> None:
    """What the issue asks for, as ratios of medians of this run."""
    small, large = (f"{size:,} words" for size in SIZES)
    for name in ("fresh hints after a keystroke, end", "fresh hints after a keystroke, middle"):
        facts[f"{name}: 20,000 over 2,000 words"] = round(rows[name][large].p50 / rows[name][small].p50, 2)
        facts[f"engine: read all of 2,000 words over {name}"] = round(
            rows["engine: read all"][small].p50 / rows[name][small].p50, 1
        )
    for place in ("end", "middle"):
        row = rows[f"engine: keystroke, {place}"]
        facts[f"engine: keystroke, {place}: 20,000 over 2,000 words"] = round(row[large].p50 / row[small].p50, 2)
        facts[f"engine: read all of 2,000 words over keystroke, {place}"] = round(
            rows["engine: read all"][small].p50 / row[small].p50, 1
        )
    for size in (small, large):
        step = rows["engine: one decoding step, steered"][size].p50
        facts[f"first token in decoding steps, {size}"] = round(
            rows["engine: first token, steered"][size].p50 / step, 2
        )
    plain = ("hints from cache (all)", "hover", "code-action list", "didChange")
    facts["slowest p95 of a non-model reply, ms"] = max(
        rows[name][size].p95 for name in plain for size in (small, large)
    )


def show(rows: Rows, facts: dict[str, Any]) -> None:
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    print(f"{'ms, p50 / p95':45}" + "".join(f"{column:>22}" for column in columns))
    for name, row in rows.items():
        cells = (f"{row[c].p50:9.1f} / {row[c].p95:.1f}" if c in row else "" for c in columns)
        print(f"{name:45}" + "".join(f"{cell:>22}" for cell in cells))
    print()
    for name, value in facts.items():
        print(f"{name:65} {value}")
    print(f"median of {statistics.median([f.n for row in rows.values() for f in row.values()]):.0f} samples a figure")


if __name__ == "__main__":
    main()
