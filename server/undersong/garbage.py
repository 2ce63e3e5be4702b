"""How these processes look for garbage: what was looked at once and is in use is not looked at again.

A long draft is hundreds of thousands of small objects. Python's collector goes through all of them every now and then,
a tenth of a second or more, in the middle of somebody's typing; what a draft is made of holds no cycles and goes
without it. So what survives a full collection is set aside: the next goes through what is new alone, and only one of
many through everything, for the cycles that were in use when they were set aside and are no longer.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Any

_FULL = 2
"""The generation that a collection of everything is called after."""
_EVERY = 32
"""Full collections: one of so many goes through what was set aside, too."""

_count = 0


def set_aside_what_survives() -> None:
    """From now on, and what there is now. For the whole process."""
    gc.freeze()
    if _set_aside not in gc.callbacks:
        gc.callbacks.append(_set_aside)


def look_through_everything() -> None:
    """Also what was set aside: memory is short. Takes as long as it takes."""
    gc.unfreeze()
    gc.collect()


async def look_through_what_was_let_go() -> None:
    """Something large is gone, maybe as part of a cycle that was set aside. When what held it has ended."""
    await asyncio.sleep(0)
    if _set_aside in gc.callbacks:
        look_through_everything()


def _set_aside(phase: str, info: dict[str, Any]) -> None:
    global _count
    if info["generation"] != _FULL:
        return
    if phase == "stop":
        gc.freeze()
        return
    _count += 1
    if _count % _EVERY == 0:
        gc.unfreeze()
