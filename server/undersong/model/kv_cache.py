"""What one window of a draft has been read into: keys, values and activations, cropped and extended with the text.

Reading runs blocks 0..`top` only, the highest block in which anybody wants something. Writing needs all of them:
`complete` fills the keys and values of the blocks above from what left block `top`, which is kept for that, without
running the lower ones again.

All layers are kept whole, sliding-window ones too (the attention mask alone limits what they see). That costs memory
up to the context length and makes cropping exact: transformers' own sliding layer forgets what a crop would need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from undersong.errors import BadText
from undersong.hook_points import HookPoint
from undersong.model.blocks import skipped
from undersong.model.fork import growing_cache
from undersong.model.language_model import LanguageModel
from undersong.model.recurrent import Recurrent
from undersong.model.stored import Counted, Stored


class WindowCache:
    """One window: `ids` read so far, what passed at `taps`, keys and values.

    `taps` are the hook points whose activations are kept; `top` is the highest block with one. Either a method does
    all it says or, if it raises, the window is as it was. Only the thread that runs the model may use it.

    Raises WeightsFormat where the model lacks one of the hook points.
    """

    def __init__(self, model: LanguageModel, taps: Iterable[HookPoint]) -> None:
        self.model = model
        self.taps = tuple(dict.fromkeys(taps))
        if not self.taps:
            raise ValueError("taps: expected at least one hook point, found none")
        for point in self.taps:
            model.sites.place(point)
        self.top = max(point.layer for point in self.taps)
        self.ids: list[int] = []
        self._above = range(self.top + 1, model.n_layers)
        kind = Recurrent if model.recurs else Stored
        self._lower = kind(model.kept[: self.top + 1])
        self._upper = kind(model.kept[self.top + 1 :])
        self._seam = HookPoint(self.top)
        self._kept = {point: _Rows() for point in (*self.taps, self._seam)}

    @property
    def length(self) -> int:
        return len(self.ids)

    @property
    def completed(self) -> int:
        """How many tokens have keys and values in every block."""
        return self._upper.length if self._above else self.length

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self._lower.nbytes + self._upper.nbytes + sum(rows.nbytes for rows in self._kept.values())

    @torch.inference_mode()
    def crop(self, n: int) -> None:
        """Keep the first `n` tokens. ValueError unless 0 <= n <= length."""
        if not 0 <= n <= self.length:
            raise ValueError(f"crop: expected 0 to {self.length} tokens, found {n}")
        self._lower.shorten(n)
        self._upper.shorten(n)
        for rows in self._kept.values():
            rows.length = n
        del self.ids[n:]

    @torch.inference_mode()
    def extend(self, ids: Sequence[int]) -> dict[HookPoint, Tensor]:
        """Read `ids` after what is there: what passed at each tap, [len(ids), d], in fresh tensors.

        BadText if the window would be longer than the model's context.
        """
        before = self.length
        if before + len(ids) > self.model.context:
            raise BadText(f"window: {before + len(ids)} tokens do not fit the model's context of {self.model.context}")
        if not ids:
            return {point: self.read(point, before) for point in self.taps}
        self.ids.extend(ids)
        try:
            with self.model.sites.captured(self._kept) as found:
                self._lower.grow(self.length, self._run_lower)
            for point, rows in self._kept.items():
                rows.append(found[point][0], before, self.model.context)
        except BaseException:
            del self.ids[before:]
            self._lower.shorten(before)
            for rows in self._kept.values():
                rows.length = before
            raise
        return {point: found[point][0] for point in self.taps}

    def read(self, tap: HookPoint, start: int = 0, stop: int | None = None) -> Tensor:
        """[stop - start, d], what passed at a tap: a view that the next crop and extend may overwrite."""
        rows, stop = self._kept[tap], self.length if stop is None else stop
        if not 0 <= start <= stop <= rows.length:
            raise ValueError(f"{tap}: expected a part of {rows.length} tokens, found {start}..{stop}")
        if rows.held is None:
            shape = (0, self.model.sites.width(tap))
            return torch.empty(shape, device=self.model.device, dtype=self.model.dtype)
        return rows.held[start:stop]

    @torch.inference_mode()
    def complete(self, upto: int | None = None, limit: int | None = None) -> int:
        """Fill keys and values above `top` for the first `upto` tokens (all), for at most `limit` more of them now.

        Returns how many of the `upto` still lack them.
        """
        upto = self.length if upto is None else upto
        start = self.completed
        stop = upto if limit is None else min(upto, start + limit)
        if stop > start:
            self._upper.grow(stop, self._run_upper)
        return max(0, upto - max(start, stop))

    def _run_lower(self, layers: Sequence[Any], start: int, stop: int) -> None:
        cache = growing_cache([*layers, *(Counted(start) for _ in self._above)])
        with skipped(self.model.blocks, self._above):
            self._run(cache, start, stop)

    def _run_upper(self, layers: Sequence[Any], start: int, stop: int) -> None:
        below = range(self.top + 1)
        cache = growing_cache([*(Counted(start) for _ in below), *layers])
        with skipped(self.model.blocks, below, {self.top: self.read(self._seam, start, stop)[None]}):
            self._run(cache, start, stop)

    def _run(self, cache: DynamicCache, start: int, stop: int) -> None:
        self.model.body(input_ids=self.model.tensor([self.ids[start:stop]]), past_key_values=cache, use_cache=True)

    @torch.inference_mode()
    def fork(self, n: int, rows: int) -> DynamicCache:
        """A cache of the first `n` tokens for a batch of `rows`, all blocks; completes the window up to there first.

        It begins as views of the window's tensors and copies them when it is first extended. Neither ever sees what
        the other does afterwards: the window replaces its tensors, and never writes into them.
        """
        if not 0 <= n <= self.length:
            raise ValueError(f"fork: expected 0 to {self.length} tokens, found {n}")
        self.complete(n)
        lower, upper = self._lower.fork(n, rows, self._run_lower), self._upper.fork(n, rows, self._run_upper)
        return growing_cache([*lower, *upper])

    @torch.inference_mode()
    def held(self, n: int) -> list[tuple[Tensor, Tensor]]:
        """Of each block the keys and values [1, n_kv_heads, n or more, d_head] of the first `n` tokens, none if n is 0:
        what decoding goes on from, and never writes into."""
        if not 0 <= n <= self.length:
            raise ValueError(f"held: expected 0 to {self.length} tokens, found {n}")
        self.complete(n)
        found: list[tuple[Tensor, Tensor]] = []
        if n > 0:
            for layer in (*self._lower.layers, *self._upper.layers):
                assert layer.keys is not None and layer.values is not None
                found.append((layer.keys, layer.values))
        return found

    @torch.inference_mode()
    def branch(self, n: int) -> WindowCache:
        """Another window of the first `n` tokens, to be extended on its own; completes this one up to there first.

        Until either is extended they share their tensors, which neither writes into.
        """
        if not 0 <= n <= self.length:
            raise ValueError(f"branch: expected 0 to {self.length} tokens, found {n}")
        self.complete(n)
        made = WindowCache(self.model, self.taps)
        made.ids = self.ids[:n]
        made._lower = self._lower.branch(n)
        made._upper = self._upper.branch(n)
        made._kept = {point: rows.first(n) for point, rows in self._kept.items()}
        return made


class _Rows:
    """What passed at one hook point, one row a token, in a tensor with room to grow; None before the first."""

    def __init__(self) -> None:
        self.length = 0
        self.held: Tensor | None = None

    @property
    def nbytes(self) -> int:
        return 0 if self.held is None else self.held.untyped_storage().nbytes()

    def first(self, n: int) -> _Rows:
        """The first `n` on their own: full, so that more of them go into a tensor of their own."""
        made = _Rows()
        made.length, made.held = n, None if self.held is None else self.held[:n]
        return made

    def append(self, rows: Tensor, before: int, most: int) -> None:
        """Put `rows` [n, d] after the first `before`; `most` is how long this can ever get."""
        needed = before + len(rows)
        if self.held is None or needed > len(self.held):
            held = rows.new_empty((min(max(2 * needed, 64), most), rows.shape[1]))
            if self.held is not None:
                held[:before] = self.held[:before]
            self.held = held
        self.held[before:needed] = rows
        self.length = needed
