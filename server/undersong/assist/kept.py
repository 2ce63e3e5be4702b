"""Results kept by the identity of what they were computed from.

What is drawn again at every keystroke comes from immutable objects that are carried from version to version; to hash
or compare one by value costs as much as the result. An entry holds its arguments, so no other object can take their
identity while it is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar, cast

PARAGRAPHS = 4096
"""Enough for every paragraph of a long draft: one of 90,000 words has about a thousand."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def by_identity(size: int) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Keep the last `size` results of a function of immutable arguments, which are given by position."""

    def decorate(compute: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        entries: OrderedDict[tuple[int, ...], tuple[tuple[object, ...], object]] = OrderedDict()

        @wraps(compute)
        def kept(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
            assert not named, "arguments are given by position"
            key = tuple(map(id, arguments))
            entry = entries.get(key)
            if entry is not None:
                entries.move_to_end(key)
                return cast("Result", entry[1])
            result = compute(*arguments, **named)
            entries[key] = (arguments, result)
            if len(entries) > size:
                entries.popitem(last=False)
            return result

        return kept

    return decorate
