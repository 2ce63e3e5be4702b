"""The agenda decides by itself; the scheduler runs it on one thread."""

from __future__ import annotations

import asyncio
import threading

import pytest

from undersong.engine.scheduler import Agenda, Job, Rank, Scheduler
from undersong.errors import Cancelled, EngineUnavailable, OutOfMemory, Superseded


def steps(log: list[str], name: str, count: int):
    for number in range(count):
        log.append(f"{name}{number}")
        yield name, number
    return f"{name} done"


def played(jobs: list[tuple[str, Rank, object, int]]) -> tuple[list[str], dict[str, object]]:
    """Play an agenda to its end, one step at a time; what ran, and how each job ended."""
    agenda, log, outcome = Agenda(), [], {}
    for name, rank, key, count in jobs:
        agenda.add(
            Job(
                steps(log, name, count),
                rank,
                key,
                tell=lambda event: None,
                finish=lambda value, name=name: outcome.__setitem__(name, value),
                fail=lambda error, name=name: outcome.__setitem__(name, type(error)),
            )
        )
    scheduler = Scheduler()
    while (job := agenda.take()) is not None:
        if scheduler._step(job):
            agenda.put_back(job)
        else:
            agenda.done(job)
    return log, outcome


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        pytest.param(
            [("b", Rank.BACKGROUND, None, 2), ("r", Rank.READ, None, 2)], "r0 r1 b0 b1", id="urgent work goes first"
        ),
        pytest.param([("x", Rank.WRITE, None, 2), ("y", Rank.WRITE, None, 2)], "x0 y0 x1 y1", id="equals take turns"),
        pytest.param(
            [("old", Rank.READ, "k", 3), ("new", Rank.READ, "k", 1)], "new0", id="a newer request replaces an older one"
        ),
        pytest.param(
            [("a", Rank.READ, "a", 1), ("b", Rank.READ, "b", 1)], "a0 b0", id="other documents are not replaced"
        ),
    ],
)
def test_the_order_of_steps(jobs, expected):
    log, outcome = played(jobs)
    assert log == expected.split()
    assert len(outcome) == len(jobs)


def test_the_replaced_request_is_answered():
    _, outcome = played([("old", Rank.READ, "k", 3), ("new", Rank.READ, "k", 1)])
    assert outcome == {"old": Superseded, "new": "new done"}


@pytest.fixture
def scheduler():
    made = Scheduler(lambda error: OutOfMemory("too large") if isinstance(error, MemoryError) else None)
    made.start()
    yield made
    made.close()


async def test_events_come_before_the_result(scheduler):
    ticket = scheduler.submit(steps([], "w", 3), Rank.WRITE)
    assert [event async for event in ticket.events()] == [("w", 0), ("w", 1), ("w", 2)]
    assert await ticket.result() == "w done"


async def test_cancelled_work_stops_within_the_step_that_is_running(scheduler):
    begun, go, log = threading.Event(), threading.Event(), []

    def gated():
        try:
            for number in range(100):
                log.append(number)
                begun.set()
                go.wait(5)
                yield number
        finally:
            log.append("closed")

    ticket = scheduler.submit(gated(), Rank.WRITE)
    await asyncio.to_thread(begun.wait, 5)
    ticket.cancel()
    go.set()
    with pytest.raises(Cancelled):
        await ticket.result()
    assert log == [0, "closed"]


async def test_an_interactive_request_passes_a_background_one_between_steps(scheduler):
    log: list[str] = []
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    go = threading.Event()

    def background():
        for number in range(3):
            log.append(f"b{number}")
            loop.call_soon_threadsafe(begun.set)
            go.wait(5)
            yield None

    slow = scheduler.submit(background(), Rank.BACKGROUND)
    await begun.wait()
    urgent = scheduler.submit(steps(log, "r", 1), Rank.READ)
    go.set()
    await urgent.result()
    await slow.result()
    assert log == ["b0", "r0", "b1", "b2"]


async def test_an_error_in_one_request_leaves_the_others(scheduler):
    def broken():
        raise MemoryError
        yield

    with pytest.raises(OutOfMemory):
        await scheduler.submit(broken(), Rank.READ).result()
    assert await scheduler.submit(steps([], "n", 1), Rank.READ).result() == "n done"


async def test_a_cancelled_waiter_cancels_the_work(scheduler):
    go, log = threading.Event(), []

    def gated():
        while True:
            log.append("step")
            go.wait(5)
            yield None

    ticket = scheduler.submit(gated(), Rank.READ)
    waiter = asyncio.create_task(ticket.result())
    await asyncio.sleep(0.05)
    waiter.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert await scheduler.submit(steps([], "n", 1), Rank.READ).result() == "n done"


async def test_what_comes_before_a_step_comes_before_each_on_the_device_thread():
    log: list[str] = []
    made = Scheduler(before=lambda: log.append(threading.current_thread().name))
    made.start()
    assert await made.submit(steps(log, "s", 2), Rank.READ).result() == "s done"
    made.close()
    assert log == ["device", "s0", "device", "s1", "device"]


async def test_a_closed_scheduler_refuses():
    made = Scheduler()
    made.start()
    made.close()
    with pytest.raises(EngineUnavailable):
        made.submit(steps([], "x", 1), Rank.READ)


class Pass:
    """What may be run together with others; it fails in every pass that the bad one has a part in."""

    kind = "a model"

    def __init__(self, is_bad: bool = False) -> None:
        self.is_bad, self.runs = is_bad, 0

    def run(self, others=()):
        for each in (self, *others):
            if each.is_bad:
                raise RuntimeError("bad")
        for each in (self, *others):
            each.runs += 1


def wanting(name: str, wanted: Pass):
    yield wanted
    return f"{name} done"


async def test_what_is_wrong_with_one_request_is_not_told_to_those_beside_it():
    passes = {"first": Pass(), "bad": Pass(is_bad=True), "third": Pass()}
    scheduler = Scheduler()
    tickets = [scheduler.submit(wanting(name, each), Rank.WRITE) for name, each in passes.items()]
    scheduler.start()
    try:
        found = await asyncio.gather(*(ticket.result() for ticket in tickets), return_exceptions=True)
    finally:
        scheduler.close()
    assert [str(each) for each in found] == ["first done", "bad", "third done"]
    assert [each.runs for each in passes.values()] == [1, 0, 1]
    assert [ticket._job.wants for ticket in tickets] == [None] * 3


async def test_a_cancelled_request_lets_go_of_what_it_wanted():
    scheduler = Scheduler()
    ticket = scheduler.submit(wanting("one", Pass()), Rank.WRITE)
    ticket._job.wants = Pass()
    ticket.cancel()
    scheduler.start()
    try:
        with pytest.raises(Cancelled):
            await ticket.result()
    finally:
        scheduler.close()
    assert ticket._job.wants is None
