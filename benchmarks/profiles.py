"""Where the time of one keystroke and of one decoded token goes, inside the engine's process.

    python benchmarks/profiles.py [--words 20000] [--keystrokes 40] [--tokens 64] [--out FILE]

`make bench-profiles` runs it. Parts are functions (KEYSTROKE, TOKEN) that are timed where they are called; what one of
them spends in another counts for the other. A keystroke is a character typed in the middle of a draft that was read:
from the edit that arrives to the reading of its paragraph, without socket and editor (benchmarks/keystroke.py has
those). A token is a step of a steered continuation of 1 and 8 rows after 128 tokens, of the default model and of a
random one in GPT-2 small's shape, packed in float16. Means in microseconds. Writes benchmarks/profiles.json.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from benchmarks.decoding_peers.job import Job
from benchmarks.decoding_peers.models import SHAPES, prepare
from benchmarks.decoding_peers.ours import Model
from benchmarks.drafts import draft
from benchmarks.figures import keep, machine
from benchmarks.sessions import own_folders, proses
from undersong.client.endpoint import EngineChoice
from undersong.engine import parts, reading
from undersong.engine.drafts import Draft
from undersong.engine.folders import kernels_folder
from undersong.engine.reading import Reader
from undersong.model import generation, steps
from undersong.model.decoding import native
from undersong.model.interventions import Steering
from undersong.model.kv_cache import WindowCache
from undersong.sae.base import SAE
from undersong.wire import DraftUpdate, Splice

native.load(kernels_folder())

from undersong.model.decoding.native import decoder as native_decoder  # noqa: E402

OUT = Path(__file__).with_name("profiles.json")
WARM_UP = 5
Owner = Any
KEYSTROKE: dict[str, tuple[tuple[Owner, str], ...]] = {
    "the edit: paragraphs, tokens, windows": ((Draft, "apply"),),
    "the model, up to the SAE's layer": ((WindowCache, "extend"), (WindowCache, "crop")),
    "the SAE": ((SAE, "encode_sparse"),),
    "sums over the passage, what is told": ((Reader, "_features"), (reading, "tally_of")),
}
TOKEN: dict[str, tuple[tuple[Owner, str], ...]] = {
    "kernels": ((native_decoder, "_run"), (native_decoder.kernels, "finish")),
    "products by torch": ((native_decoder, "_products"),),
    "steering": ((Steering, "passes"),),
    "the head by torch, what surrounds the kernels": ((native_decoder.NativeDecoder, "step"),),
    "choosing the token": ((generation, "choose"),),
    "the step's own Python, log probability": ((steps.Wanted, "run"),),
}
OTHER = "all else"


class Stopwatch:
    """Seconds by part, each without what other parts took within it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside: list[list[Any]] = []

    def run(self, part: str, do: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        self._inside.append([time.perf_counter(), 0.0])
        try:
            return do(*arguments, **named)
        finally:
            began, within = self._inside.pop()
            took = time.perf_counter() - began
            self.seconds[part] = self.seconds.get(part, 0.0) + took - within
            if self._inside:
                self._inside[-1][1] += took

    @contextmanager
    def over(self, of: Mapping[str, tuple[tuple[Owner, str], ...]]) -> Iterator[None]:
        """While active those functions are timed."""
        before = [(owner, name, getattr(owner, name)) for places in of.values() for owner, name in places]
        for part, places in of.items():
            for owner, name in places:
                setattr(owner, name, self._timed(part, getattr(owner, name)))
        try:
            yield
        finally:
            for owner, name, function in before:
                setattr(owner, name, function)

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **named: self.run(part, function, *arguments, **named)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=20_000)
    parser.add_argument("--keystrokes", type=int, default=40)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=["default", "gpt2"])
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "undersong-decoding")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    settings = {"words": arguments.words, "keystrokes": arguments.keystrokes, "tokens": arguments.tokens}
    threads = torch.get_num_threads()
    with own_folders():
        content: dict[str, Any] = {"keystroke": keystrokes(arguments.words, arguments.keystrokes), "token": {}}
    # The engine took one for the default model.
    torch.set_num_threads(threads)
    for name in arguments.models:
        job = Job.read(prepare(name, arguments.work, threads, precisions=()))
        model = Model(job, "float16")
        content["token"][name] = {str(rows): tokens(model, rows, arguments.tokens) for rows in (1, 8)}
    for title, each in [("keystroke", content["keystroke"]), *(
        (f"token, {name}, {rows} rows", found) for name, row in content["token"].items() for rows, found in row.items()
    )]:  # fmt: skip
        print(title, *(f"  {part:50}{us:10,.0f} us" for part, us in each.items()), sep="\n")
    keep(arguments.out, {"machine": machine(), "settings": settings, **content})


def keystrokes(words: int, n: int) -> dict[str, float]:
    """Microseconds of one, by part."""
    made = play(parts.made(EngineChoice(), Path(tempfile.mkdtemp()) / "doses.sqlite"))
    made.threads.keep()
    open_draft = Draft(made.drafts._outliner)
    prose = proses(draft(words, seed=1))
    open_draft.apply(DraftUpdate("draft", 1, None, Splice(0, 0, tuple(prose))))
    at = len(prose) // 2
    play(made.reader.read(open_draft.outline, (at,), ()))
    watch, samples = Stopwatch(), []
    for number in range(n + WARM_UP):
        if number == WARM_UP:
            watch.seconds.clear()
        prose[at] += " and"[number % 4]
        update = DraftUpdate("draft", number + 2, number + 1, Splice(at, 1, (prose[at],)))

        def keystroke(update: DraftUpdate = update) -> None:
            open_draft.apply(update)
            play(made.reader.read(open_draft.outline, (at,), ()))

        with watch.over(KEYSTROKE):
            began = time.perf_counter()
            watch.run(OTHER, keystroke)
            samples.append(time.perf_counter() - began)
    return told(watch, n, samples[WARM_UP:])


def tokens(model: Model, rows: int, n: int) -> dict[str, float]:
    """Microseconds of one step, by part."""
    model.write(rows, 8, True)
    watch = Stopwatch()
    with watch.over(TOKEN):
        began = time.perf_counter()
        written = watch.run(OTHER, model.write, rows, n, True)
    gaps = [after - before for before, after in zip([began, *written.stamps], written.stamps, strict=False)]
    return told(watch, n, gaps)


def told(watch: Stopwatch, n: int, samples: list[float]) -> dict[str, float]:
    found = {part: round(1e6 * seconds / n, 1) for part, seconds in watch.seconds.items()}
    found["median of the whole"] = round(1e6 * statistics.median(samples), 1)
    return found


def play(generator: Any) -> Any:
    """What a generator of steps returns."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


if __name__ == "__main__":
    main()
