"""Several requests write at the same time: a token of each in one pass of the model."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.conftest import play
from tests.engine.test_writing import PARAGRAPHS, request
from tests.support.decoders import change_step
from undersong.engine.scheduler import Rank, Scheduler
from undersong.errors import Cancelled
from undersong.wire import Dial

REQUESTS = [
    request(seed=1, max_tokens=12, stop="length"),
    request(seed=2, max_tokens=20, stop="length", dials=(Dial("1.0", 0.8),)),
    request(seed=3, max_tokens=16, stop="length", candidates=1),
]


@pytest.fixture
def passes(monkeypatch) -> list[int]:
    """How many requests had a part in each pass of the decoder."""
    seen: list[int] = []

    def counted(step):
        def run(self, parts):
            seen.append(len(parts))
            return step(self, parts)

        return run

    change_step(monkeypatch, counted)
    return seen


def told(results):
    return [(result.text, result.receipt.tokens) for result in results]


async def test_requests_written_together_are_written_as_alone_in_fewer_passes(bench, passes):
    draft = bench.draft(*PARAGRAPHS)
    for each in REQUESTS:
        play(bench.writer.write(draft.outline, each))  # doses and budgets are found
    passes.clear()
    alone = [told(play(bench.writer.write(draft.outline, each))) for each in REQUESTS]
    assert set(passes) == {1}
    n_alone = len(passes)
    passes.clear()
    scheduler = Scheduler()
    tickets = [scheduler.submit(bench.writer.write(draft.outline, each), Rank.WRITE) for each in REQUESTS]
    scheduler.start()
    try:
        together = await asyncio.gather(*(ticket.result() for ticket in tickets))
    finally:
        scheduler.close()
    assert [told(results) for results in together] == alone
    assert sum(passes) == n_alone and len(passes) < 0.5 * n_alone and max(passes) == 3


async def test_one_that_is_cancelled_does_not_stop_the_others(bench, passes):
    draft = bench.draft(*PARAGRAPHS)
    alone = told(play(bench.writer.write(draft.outline, REQUESTS[2])))
    scheduler = Scheduler()
    first, second = (scheduler.submit(bench.writer.write(draft.outline, REQUESTS[n]), Rank.WRITE) for n in (1, 2))
    scheduler.start()
    try:
        async for _ in first.events():
            if max(passes) > 1:
                first.cancel()
    except Cancelled:
        pass
    finally:
        assert told(await second.result()) == alone
        scheduler.close()


async def test_what_is_more_urgent_goes_between_two_passes(bench, passes):
    draft = bench.draft(*PARAGRAPHS)
    scheduler = Scheduler()
    at: list[int] = []

    def quick():
        at.append(len(passes))
        yield None
        return "read"

    tickets = [scheduler.submit(bench.writer.write(draft.outline, each), Rank.WRITE) for each in REQUESTS]
    scheduler.start()
    try:
        async for _ in tickets[0].events():
            if len(passes) > 3 and not at:
                assert await scheduler.submit(quick(), Rank.READ).result() == "read"
        await asyncio.gather(*(ticket.result() for ticket in tickets))
    finally:
        scheduler.close()
    assert at[0] < len(passes)
