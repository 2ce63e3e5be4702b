"""One budget for all caches: what was used longest ago gives way, and what does not fit even so is refused."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.conftest import Bench, play
from tests.engine.test_reading import close
from undersong.engine.memory import MB, ROOM, Memory, budget
from undersong.errors import OutOfMemory

GB = 1000 * MB
NAMES = ("Anna", "Boris", "Clara")
DRAFTS = tuple(
    tuple(f"{name} went out into the rain {n} times, and came home wet. Nothing was said. " * (n + 1) for n in range(4))
    for name in NAMES
)


class Shelf:
    """A cache of numbered things, a byte each."""

    def __init__(self, memory: Memory) -> None:
        self.memory, self.things = memory, {}
        memory.watch(self)

    @property
    def nbytes(self) -> int:
        return len(self.things)

    @property
    def last_used(self) -> int | None:
        return min(self.things.values(), default=None)

    def give_way(self) -> None:
        del self.things[min(self.things, key=self.things.__getitem__)]

    def use(self, thing: str) -> None:
        self.things[thing] = self.memory.now()
        self.memory.settle()


def test_what_was_used_longest_ago_gives_way_whichever_cache_has_it():
    memory = Memory(most=3)
    one, other = Shelf(memory), Shelf(memory)
    one.use("a"), other.use("b"), one.use("c"), one.use("a"), other.use("d")
    assert (set(one.things), set(other.things)) == ({"a", "c"}, {"d"})
    other.use("e")
    assert (set(one.things), set(other.things)) == ({"a"}, {"d", "e"})
    assert memory.in_caches == 3


def test_weights_do_not_give_way():
    memory = Memory(most=5 * MB, fixed=6 * MB)
    shelf = Shelf(memory)
    shelf.things["a"] = memory.now()
    assert not memory.settle() and not shelf.things
    assert "budget is 5 MB (engine.memory_mb), 6 MB of them are the weights" in memory.refusal().message


def test_a_cache_that_nobody_has_any_more_holds_nothing():
    memory = Memory(most=3)
    Shelf(memory).use("a")
    assert memory.held == 0


@pytest.mark.parametrize(
    ("asked", "machine", "window", "expected"),
    [
        (700, 16 * GB, 7 * MB, 700 * MB),
        (0, 16 * GB, 7 * MB, 400 * MB + ROOM),
        (0, 1 * GB, 7 * MB, 650 * MB),
        (0, 64 * GB, 600 * MB, 400 * MB + 4800 * MB),
        (0, 16 * GB, 600 * MB, 4400 * MB),
    ],
    ids=["what is asked for", "a small model", "a small machine", "a large model", "a large model on a small machine"],
)
def test_the_budget_is_what_is_asked_for_or_leaves_a_sane_room_for_caches(asked, machine, window, expected):
    assert budget(asked, 400 * MB, machine, window) == expected


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=8),
    share=st.floats(0.02, 1.0),
)
def test_reads_of_several_drafts_stay_within_a_tiny_budget_and_give_the_same_answers(
    loaded, tmp_path, fresh, asked, share
):
    roomy = fresh()
    drafts = [roomy.draft(*text) for text in DRAFTS]
    everything = [roomy.read(draft) for draft in drafts]
    least = max(window.nbytes for window in _windows(roomy)) + roomy.reader._codes.nbytes
    memory = Memory(most=least + int(share * roomy.reader.nbytes), fixed=0)
    bench = Bench(loaded, tmp_path, memory)
    drafts = [bench.draft(*text) for text in DRAFTS]
    for draft, paragraph in asked:
        steps = bench.reader.read(drafts[draft].outline, (paragraph,), ())
        while True:
            try:
                next(steps)
            except StopIteration as end:
                close(end.value, everything[draft][paragraph : paragraph + 1])
                break
            assert memory.held <= memory.most
        assert bench.reader.nbytes == memory.held <= memory.most


def test_what_does_not_fit_is_refused_and_the_next_request_is_answered(loaded, tmp_path, fresh):
    roomy = fresh()
    small = roomy.read(roomy.draft("She went home."))
    memory = Memory(most=2 * roomy.reader.nbytes)
    bench = Bench(loaded, tmp_path, memory)
    with pytest.raises(OutOfMemory, match=r"engine\.memory_mb"):
        bench.read(bench.draft("The rain fell and fell and fell, and nobody came. " * 40))
    assert memory.held <= memory.most
    close(bench.read(bench.draft("She went home.")), small)


def test_requests_that_take_turns_in_room_for_one_both_come_to_their_end(loaded, tmp_path, fresh):
    texts = [f"{name} looked at the sea, and at the boats that were far out. " * 20 for name in NAMES[:2]]
    roomy = [fresh() for _ in texts]
    expected = [one.read(one.draft(text)) for one, text in zip(roomy, texts, strict=True)]
    most = max(max(w.nbytes for w in _windows(one)) + one.reader._codes.nbytes for one in roomy)
    bench = Bench(loaded, tmp_path, Memory(most=int(1.3 * most)))
    jobs = {n: bench.reader.read(bench.draft(text).outline, (0,), ()) for n, text in enumerate(texts)}
    found = {}
    for _ in range(1000):
        for n, job in list(jobs.items()):
            try:
                next(job)
            except StopIteration as end:
                found[n] = end.value
                del jobs[n]
    for ours, theirs in zip((found[n] for n in range(2)), expected, strict=True):
        close(ours, theirs)


def test_a_request_that_waits_gives_way_to_a_more_urgent_one(loaded, tmp_path, fresh):
    texts = [f"{name} looked at the sea, and at the boats that were far out. " * 20 for name in NAMES[:2]]
    roomy = [fresh() for _ in texts]
    expected = [one.read(one.draft(text)) for one, text in zip(roomy, texts, strict=True)]
    most = max(max(w.nbytes for w in _windows(one)) + one.reader._codes.nbytes for one in roomy)
    bench = Bench(loaded, tmp_path, Memory(most=int(1.3 * most)))
    background, urgent = (bench.reader.read(bench.draft(text).outline, (0,), ()) for text in texts)
    next(background), next(background)
    close(play(urgent), expected[1])
    close(play(background), expected[0])


def _windows(bench: Bench):
    return [kept.window for kept in bench.reader._windows._kept]
