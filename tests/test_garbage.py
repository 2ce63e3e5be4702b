"""What survived a collection is not looked at again until something large is let go of."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from undersong import garbage
from undersong.garbage import look_through_everything, look_through_what_was_let_go, set_aside_what_survives


class Ring:
    """Holds itself: only a collection finds that nobody else does."""

    def __init__(self) -> None:
        self.ring = self


@pytest.fixture
def set_aside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(garbage, "_count", 0)
    callbacks = list(gc.callbacks)
    set_aside_what_survives()
    yield
    gc.callbacks[:] = callbacks
    gc.unfreeze()


@pytest.mark.usefixtures("set_aside")
def test_what_survives_a_full_collection_is_found_when_everything_is_looked_through() -> None:
    ring = Ring()
    gone = weakref.ref(ring)
    gc.collect()
    del ring
    gc.collect()
    assert gone() is not None
    look_through_everything()
    assert gone() is None


@pytest.mark.usefixtures("set_aside")
def test_now_and_then_a_collection_goes_through_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "_EVERY", 5)
    ring = Ring()
    gone = weakref.ref(ring)
    gc.collect()
    del ring
    found = [gc.collect() and gone() is None for _ in range(4)]
    assert found[-1] and not any(found[:-1])


@pytest.mark.usefixtures("set_aside")
def test_what_is_new_is_collected_and_little_is_left_to_look_at() -> None:
    ring = Ring()
    gone = weakref.ref(ring)
    kept = [[number] for number in range(10_000)]
    del ring
    gc.collect()
    assert gone() is None
    assert sum(map(len, (gc.get_objects(generation) for generation in range(3)))) < len(kept)


async def test_where_nothing_is_set_aside_nothing_is_looked_through_when_a_draft_is_closed(set_aside: None) -> None:
    ring = Ring()
    gone = weakref.ref(ring)
    gc.collect()
    del ring
    callbacks, gc.callbacks[:] = list(gc.callbacks), []
    await look_through_what_was_let_go()
    assert gone() is not None
    gc.callbacks[:] = callbacks
    await look_through_what_was_let_go()
    assert gone() is None
