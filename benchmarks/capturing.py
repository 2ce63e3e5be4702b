"""interp-engine reading a draft as Undersong does: the same windows, captured where the default SAEs read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from benchmarks.sessions import proses
from benchmarks.steering.texts import load_weights
from undersong.engine import weights
from undersong.engine.bulk import MAX_ATOM_TOKENS
from undersong.engine.drafts import Draft, Outliner
from undersong.engine.passages import PassageReader
from undersong.engine.windows import Limits
from undersong.wire import DraftUpdate, Splice


class Capturing:
    """interp-engine with the default model. It runs a window from its beginning each time: nothing is kept."""

    def __init__(self, threads: int) -> None:
        from interp_engine import Address, EagerModel

        torch.set_num_threads(threads)
        folder = weights.find_default()
        self._loaded = loaded = load_weights(folder)
        self._model: Any = EagerModel(str(folder / "model"), device="cpu", dtype="float32")
        layers = sorted({dictionary.reads.layer for dictionary in loaded.reading})
        self._points = [Address("resid_post", layer) for layer in layers]

    @staticmethod
    def load(threads: int) -> Capturing | str:
        """A string says why there is none."""
        try:
            return Capturing(threads)
        except ImportError as error:
            return f"not measured: {error}"

    def windows(self, text: str) -> list[list[int]]:
        """Token ids of each window that Undersong's engine reads of a Markdown draft."""
        loaded = self._loaded
        limits = Limits.of_context(loaded.model.context)
        reader = PassageReader(
            loaded.encode, loaded.typography, loaded.paragraph_break, min(MAX_ATOM_TOKENS, limits.body_max)
        )
        draft = Draft(Outliner(reader, limits, loaded.fingerprint.encode()))
        draft.apply(DraftUpdate("b", 1, None, Splice(0, 0, tuple(proses(text)))))
        atoms, first = draft.outline.atoms, [] if loaded.model.bos_id is None else [loaded.model.bos_id]
        return [
            [*first, *(i for atom in atoms[window.lead : window.end] for i in atom.ids)]
            for window in draft.outline.windows
        ]

    async def read(self, windows: Sequence[Sequence[int]]) -> None:
        """Capture every one of them."""
        from interp_engine import capture

        for ids in windows:
            capture(self._model, torch.tensor([list(ids)]), self._points)
