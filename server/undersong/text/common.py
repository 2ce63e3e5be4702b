"""How far two texts, or two rows of tokens, are the same.

By halves: slices are compared at the speed of memory, items are not.
"""

from __future__ import annotations

from collections.abc import Sequence


def common_prefix(a: Sequence[object], b: Sequence[object]) -> int:
    """How many first items are equal in both."""
    if type(a) is not type(b):
        a, b = tuple(a), tuple(b)
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_suffix(a: Sequence[object], b: Sequence[object], a_end: int, b_end: int) -> int:
    """Items before `a_end` of a and `b_end` of b that are the same. Both of one type."""
    low, high = 0, min(a_end, b_end)
    while low < high:
        middle = (low + high + 1) // 2
        if a[a_end - middle : a_end - low] == b[b_end - middle : b_end - low]:
            low = middle
        else:
            high = middle - 1
    return low
