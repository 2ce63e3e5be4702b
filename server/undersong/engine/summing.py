"""What one atom carries, summed from the entries of its tokens: no array as wide as the SAE is made."""

from __future__ import annotations

import numpy as np
import torch

from undersong.engine.kept_codes import SparseCodes
from undersong.sae.active import Active


class Entries:
    """The active features of a run of tokens, on the CPU, to be summed atom by atom."""

    def __init__(self, active: Active) -> None:
        picks = active.picks
        self._rows, self._features = picks.rows.cpu().numpy(), picks.features.cpu().numpy()
        self._values = active.values.float().cpu().numpy()

    def of(self, rows: slice, offset: int) -> SparseCodes:
        """Of the tokens `rows` of the run, those of one atom that has `offset` tokens before them."""
        first, last = np.searchsorted(self._rows, (rows.start, rows.stop))
        # Stable: the entries of a feature stay in the order of tokens.
        order = np.argsort(self._features[first:last], kind="stable")
        features, values = self._features[first:last][order], self._values[first:last][order]
        tokens = self._rows[first:last][order] - rows.start + offset
        begins = np.flatnonzero(np.diff(features, prepend=-1))
        if not len(begins):
            empty = torch.zeros(0)
            return SparseCodes(empty.long(), empty, empty, empty.long())
        sums, peaks = np.add.reduceat(values, begins), np.maximum.reduceat(values, begins)
        lengths = np.diff(begins, append=len(features))
        # Of several tokens at the peak, the first.
        at_peak = np.flatnonzero(values == peaks.repeat(lengths))
        where = tokens[at_peak[np.searchsorted(at_peak, begins)]]
        return SparseCodes(*(torch.from_numpy(each) for each in (features[begins], sums, peaks, where)))
