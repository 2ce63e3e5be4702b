"""Reading texts that are no drafts: samples of a voice, notes. Little is kept of it, so that no draft's readings go.

A long text is read in pieces of PIECE paragraphs, each from its own beginning, so that what is held stays small.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import torch

from undersong.engine.loading import Loaded
from undersong.engine.memory import Memory
from undersong.engine.outlines import Outliner
from undersong.engine.passages import PassageReader
from undersong.engine.ranking import Tally
from undersong.engine.reading import Reader
from undersong.engine.windows import Limits

PIECE = 100
MAX_ATOM_TOKENS = 128
_SAMPLED = 64


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """What one paragraph carries. `tallies`: by SAE, of those that read."""

    tallies: dict[str, Tally]
    n_tokens: int


class BulkReader:
    """Used on the device thread only."""

    def __init__(self, loaded: Loaded, memory: Memory | None = None) -> None:
        limits = Limits.of_context(loaded.model.context)
        passages = PassageReader(
            loaded.encode, loaded.typography, loaded.paragraph_break, min(MAX_ATOM_TOKENS, limits.body_max)
        )
        self._outliner = Outliner(passages, limits, b"")
        self._reader = Reader(loaded, memory)

    def read(self, proses: Sequence[str], wanted: Sequence[int] | None = None) -> Generator[Carried | None, None, None]:
        """Steps; yields what each paragraph carries, in order, and None in between. `wanted`: only these."""
        asked = range(len(proses)) if wanted is None else wanted
        for first in range(0, len(proses), PIECE):
            piece = proses[first : first + PIECE]
            here = [number for number in asked if first <= number < first + PIECE]
            if not here:
                continue
            passages = tuple(map(self._outliner.reader.read, piece))
            outline = self._outliner.outline(0, passages)
            yield None
            for number in here:
                tallies, n_tokens = yield from self._reader.tallies(outline, number - first)
                yield Carried(tallies, n_tokens)
            self._reader.forget()


@lru_cache(maxsize=2)
def weights_fingerprint(loaded: Loaded) -> str:
    """Of the model and the SAEs that read, by what is in them: the same wherever their files lie, on every device."""
    model = loaded.model
    digest = blake2b(f"{model.n_layers} {model.d_model} {model.vocab_size}".encode(), digest_size=12)
    # It changes none of what is looked at below.
    digest.update(loaded.adapter.encode())
    ends: tuple[Any, Any] = (model.network.get_input_embeddings(), model.network.get_output_embeddings())
    for rows in (end.weight for end in ends):
        _add(digest, rows[:: max(1, len(rows) // _SAMPLED)])
    for name in sorted(d.sae.id for d in loaded.reading):
        sae = loaded.dictionaries[name].sae
        digest.update(f"{name} {sae.d_sae} {sae.grain}".encode())
        _add(digest, sae.directions(range(0, sae.d_sae, max(1, sae.d_sae // _SAMPLED))))
    return digest.hexdigest()


def _add(digest: Any, rows: torch.Tensor) -> None:
    """In the coarsest of the types that weights are loaded in, so that it is the same for all of them."""
    digest.update(rows.detach().cpu().to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes())
