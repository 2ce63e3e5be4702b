"""Which features are active, and how much: the few entries of activations [n, d_sae] that are above 0.

On the CPU they are found by numpy, whose comparisons, partitions and searches are many times faster than torch's; on
other devices by torch, waiting for the device once a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from undersong.sae.sparse import Picks

# Features are looked at by groups: the largest of each says which groups to look into.
_GROUP = 32
# Below so many features a row, finding the groups costs more than it saves.
_FEW = 8192


@dataclass(frozen=True, slots=True, eq=False)
class Active:
    """`values` [m] of the entries `picks` [m] of activations [n, d_sae]; the others are 0.

    Entries are in order of rows, and of features within a row.
    """

    picks: Picks
    values: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def dense(self) -> Tensor:
        """[n, d_sae]"""
        return self.picks.dense(self.values)

    def kept(self, which: Tensor) -> Active:
        """Only the entries where `which` [m] bool."""
        return Active(self.picks.kept(which), self.values[which])

    def times(self, rows: Tensor) -> Tensor:
        """[n, d]: the activations times `rows` [d_sae, d], of which only those of active features are read.

        `rows` may be of a narrower dtype than the values; it is widened.
        """
        features = self.picks.features
        if rows.dtype != self.values.dtype:
            used, features = torch.unique(features, return_inverse=True)
            rows = rows[used].to(self.values.dtype)
        if not len(features):
            return rows.new_zeros(self.picks.n, rows.shape[1], dtype=self.values.dtype)
        return F.embedding_bag(features, rows, self.picks.offsets, mode="sum", per_sample_weights=self.values)


def joined(parts: Sequence[Active]) -> Active:
    """One after the other, of successive rows."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(part.picks.n for part in parts)])
    rows = torch.cat([part.picks.rows + int(start) for part, start in zip(parts, starts[:-1], strict=True)])
    features = torch.cat([part.picks.features for part in parts])
    picks = Picks(rows, features, int(starts[-1]), parts[0].picks.d_sae)
    return Active(picks, torch.cat([part.values for part in parts]))


def above(pre: Tensor, bar: Tensor | float = 0.0) -> Active:
    """The entries of pre [n, d_sae] above `bar`, a number for each feature or for all, nowhere below 0."""
    picks = _above(pre, bar)
    return Active(picks, pre[picks.rows, picks.features])


def nonzero(acts: Tensor) -> Active:
    """The entries of acts [n, d_sae] that are not 0."""
    rows, features = acts.nonzero().unbind(dim=1)
    return Active(Picks(rows, features, *acts.shape), acts[rows, features])


def top(pre: Tensor, k: int) -> Active:
    """The k largest of each row of pre [n, d_sae], as far as they are above 0; of equal ones the first.

    (On other devices than the CPU, of equal ones any.)
    """
    fast = _viewed(pre)
    if fast is None:
        rows, features = _top_by_torch(pre, k)
    else:
        rows, features = (torch.from_numpy(each) for each in _top(fast, k))
    return Active(Picks(rows, features, *pre.shape), pre[rows, features])


def _above(pre: Tensor, bar: Tensor | float) -> Picks:
    fast = _viewed(pre)
    if fast is None:
        rows, features = (pre > bar).nonzero().unbind(dim=1)
        return Picks(rows, features, *pre.shape)
    places = _places(fast > (bar.numpy() if isinstance(bar, Tensor) else bar))
    rows, features = np.divmod(places, pre.shape[1])
    return Picks(torch.from_numpy(rows), torch.from_numpy(features), *pre.shape)


def _viewed(pre: Tensor) -> NDArray[np.floating] | None:
    """The same numbers for numpy; None where it cannot see them, or knows no such numbers."""
    if pre.device.type != "cpu" or pre.dtype not in (torch.float32, torch.float64):
        return None
    return pre.detach().contiguous().numpy()


def _places(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where flags [n, d_sae] are set, counted through all rows. Few are: eight at a time are looked at."""
    flat = flags.reshape(-1)
    if len(flat) % 8:
        return np.flatnonzero(flat)
    words = np.flatnonzero(flat.view(np.uint64))
    which, bits = np.nonzero(flat.reshape(-1, 8)[words])
    return words[which] * 8 + bits


def _top_by_torch(pre: Tensor, k: int) -> tuple[Tensor, Tensor]:
    largest = pre.detach().topk(k, dim=1, sorted=False)
    features, order = largest.indices.sort(dim=1)
    rows, places = (largest.values.gather(1, order) > 0).nonzero().unbind(dim=1)
    return rows, features[rows, places]


def _top(pre: NDArray[np.floating], k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(rows, features) of `top`, exactly, from a bound that the k-th largest of a row is not below.

    k groups have a largest entry that is not below the k-th largest of these: so has the row k entries.
    """
    n, d_sae = pre.shape
    n_groups = d_sae // _GROUP
    if d_sae % _GROUP or d_sae < _FEW or k > n_groups // 2:
        bound = np.partition(pre, d_sae - k, axis=1)[:, d_sae - k]
        rows, features = np.divmod(_places(_reach(pre, bound[:, None])), d_sae)
    else:
        # Group g is of the features g, g + n_groups, g + 2 n_groups, ...: their maximum goes along the rows.
        grouped = pre.reshape(n, _GROUP, n_groups)
        best = grouped.max(axis=1)
        bound = np.partition(best, n_groups - k, axis=1)[:, n_groups - k]
        rows, groups = np.divmod(_places(_reach(best, bound[:, None])), n_groups)
        inside = grouped[rows, :, groups]  # [groups looked into, _GROUP]
        which, place = np.nonzero(_reach(inside, bound[rows, None]))
        rows, features = rows[which], place * n_groups + groups[which]
        order = np.lexsort((features, rows))
        rows, features = rows[order], features[order]
    return _cut(rows, features, pre[rows, features], n, k)


def _reach(values: NDArray[np.floating], bound: NDArray[np.floating]) -> NDArray[np.bool_]:
    return (values >= bound) & (values > 0)


def _cut(
    rows: NDArray[np.int64], features: NDArray[np.int64], values: NDArray[np.floating], n: int, k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The k largest of each row of entries that are in order; of equal ones the first."""
    counts = np.bincount(rows, minlength=n)
    if not len(rows) or counts.max() <= k:
        return rows, features
    starts = np.cumsum(counts) - counts
    padded = np.zeros((n, counts.max()), dtype=values.dtype)
    padded[rows, np.arange(len(rows)) - starts[rows]] = values
    least = np.partition(padded, padded.shape[1] - k, axis=1)[:, padded.shape[1] - k]
    larger = values > least[rows]
    room = k - np.bincount(rows[larger], minlength=n)
    equal = values == least[rows]
    # How many of a row's equals stand before each.
    before = np.cumsum(equal) - equal
    before -= before[starts.clip(max=len(rows) - 1)][rows]
    kept = larger | (equal & (before < room[rows]))
    return rows[kept], features[kept]
