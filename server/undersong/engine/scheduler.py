"""One device thread, many requests. The policy is plain Python: no tensor is touched here.

A request's work is an iterator of small steps (a prefill chunk, one token). The device thread asks the agenda for
the next step to run, so between any two steps
- a more urgent request goes first (`Rank`), equals take turns;
- a cancelled one is closed and answered: the device is idle within the step that was running;
- a newer request with the same key (client, kind, document) has replaced an older one, which is answered Superseded.

What a step yields is an event for the requester (None: nothing to tell); what the iterator returns is the result.

A step may also yield a pass of the model that it wants (Joint) instead of running it. When its turn comes it is run,
and with it, in the same pass, what every other queued job of its rank wants of the same kind: a token for several
requests costs hardly more than for one.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Hashable, Sequence
from enum import IntEnum
from typing import Any, Protocol, runtime_checkable

from undersong.errors import Cancelled, EngineUnavailable, Superseded, UndersongError

Steps = Generator[Any, None, Any]


@runtime_checkable
class Joint(Protocol):
    """A pass of the model that can be run together with others of its kind."""

    @property
    def kind(self) -> Hashable: ...

    def run(self, others: Sequence[Any] = ()) -> None:
        """Run it, and `others`, in one pass."""
        ...


logger = logging.getLogger(__name__)


class Rank(IntEnum):
    """Smaller is more urgent."""

    READ = 0
    WRITE = 1
    GHOST = 2
    BACKGROUND = 3


class Job:
    """One request's work and where its outcome goes. `tell`, `finish` and `fail` are called on the device thread."""

    def __init__(
        self,
        steps: Steps,
        rank: Rank,
        key: Hashable | None,
        tell: Callable[[Any], None],
        finish: Callable[[Any], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        self.steps, self.rank, self.key = steps, rank, key
        self.tell, self.finish, self.fail = tell, finish, fail
        self.stopped: UndersongError | None = None
        self.wants: Joint | None = None
        """A pass that the next step waits for."""
        self.had = False
        """Whether that was run, and the job not resumed since."""

    def stop(self, reason: UndersongError) -> None:
        """Any thread. Takes effect before the next step."""
        if self.stopped is None:
            self.stopped = reason


class Agenda:
    """Which job takes the next step. Not thread safe: the scheduler holds its lock."""

    def __init__(self) -> None:
        self._queues: dict[Rank, deque[Job]] = {rank: deque() for rank in Rank}
        self._by_key: dict[Hashable, Job] = {}

    def add(self, job: Job) -> None:
        if job.key is not None:
            older = self._by_key.get(job.key)
            if older is not None:
                older.stop(Superseded("a newer request for this document took its place"))
            self._by_key[job.key] = job
        self._queues[job.rank].append(job)

    def take(self) -> Job | None:
        """The job to step now: a stopped one first (so that it is answered), else the most urgent."""
        for queue in self._queues.values():
            for job in queue:
                if job.stopped is not None:
                    queue.remove(job)
                    return job
        for queue in self._queues.values():
            if queue:
                return queue.popleft()
        return None

    def beside(self, job: Job) -> list[Job]:
        """The queued jobs of its rank that want a pass of the same kind as `job`."""
        if job.wants is None:
            return []
        queue = self._queues[job.rank]
        return [other for other in queue if other.wants is not None and other.wants.kind is job.wants.kind]

    def put_back(self, job: Job) -> None:
        self._queues[job.rank].append(job)

    def done(self, job: Job) -> None:
        if job.key is not None and self._by_key.get(job.key) is job:
            del self._by_key[job.key]

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))


class Scheduler:
    """Runs an agenda on one thread. `translate` turns foreign exceptions (out of memory) into ours; `before` is called
    before each step, on that thread, and raises nothing."""

    def __init__(
        self,
        translate: Callable[[BaseException], UndersongError | None] = lambda error: None,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self._agenda = Agenda()
        self._condition = threading.Condition()
        self._translate, self._before = translate, before
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, wait: bool = True) -> None:
        """Answer what is queued with EngineUnavailable and end the thread; `wait` for the step that is running."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        if wait:
            self._thread.join()

    def add(self, job: Job) -> None:
        with self._condition:
            if self._closed:
                raise EngineUnavailable("the engine is shutting down")
            self._agenda.add(job)
            self._condition.notify()

    def submit(self, steps: Steps, rank: Rank, key: Hashable | None = None) -> Ticket:
        """From the event loop: queue work and get a ticket to follow or cancel it."""
        return Ticket(self, steps, rank, key)

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._closed and not len(self._agenda):
                    self._condition.wait()
                job = self._agenda.take()
                if job is None:
                    return
                if self._closed:
                    job.stop(EngineUnavailable("the engine is shutting down"))
                # What they want is run now; their own turns come.
                beside = [] if job.stopped is not None else self._agenda.beside(job)
            going_on = self._step(job, beside)
            with self._condition:
                if going_on:
                    self._agenda.put_back(job)
                else:
                    self._agenda.done(job)

    def _step(self, job: Job, beside: Sequence[Job] = ()) -> bool:
        """Run one step, first the pass that it waits for and what those `beside` it want; True while there is more."""
        if job.stopped is not None:
            job.wants = None
            job.steps.close()
            job.fail(job.stopped)
            return False
        self._before()
        try:
            if job.wants is not None:
                for each in _had(job, beside):
                    each.wants, each.had = None, True
            # After a pass up to what it wants next: those who had a part in it are ready for the next one together.
            while self._advance(job) and job.had and job.stopped is None:
                pass
            job.had = False
        except StopIteration as end:
            job.finish(end.value)
            return False
        except BaseException as error:
            # What it wanted holds the draft's keys and values.
            job.wants = None
            job.fail(self._translate(error) or error)
            return False
        return True

    def _advance(self, job: Job) -> bool:
        """Resume it; whether what it gave was only something to tell."""
        event = next(job.steps)
        if isinstance(event, Joint):
            job.wants = event
        elif event is not None:
            job.tell(event)
            return True
        return False


def _had(job: Job, beside: Sequence[Job]) -> tuple[Job, ...]:
    """Run what `job` wants and what those beside it want; who got it. Where that fails together it is tried alone: what
    is wrong with another request, or with so many, is not its fault."""
    assert job.wants is not None
    if beside:
        try:
            job.wants.run([other.wants for other in beside if other.wants is not None])
            return (job, *beside)
        except Exception as error:
            logger.warning("%d requests in one pass: %s: %s; alone", 1 + len(beside), type(error).__name__, error)
    job.wants.run(())
    return (job,)


class Ticket:
    """A request in flight, seen from the event loop."""

    def __init__(self, scheduler: Scheduler, steps: Steps, rank: Rank, key: Hashable | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Any] = asyncio.Queue()
        self._outcome: asyncio.Future[Any] = self._loop.create_future()
        self._job = Job(
            steps,
            rank,
            key,
            tell=lambda event: self._on_loop(self._events.put_nowait, event),
            finish=lambda value: self._on_loop(self._settle, value, None),
            fail=lambda error: self._on_loop(self._settle, None, error),
        )
        scheduler.add(self._job)

    async def result(self) -> Any:
        """Wait for the result. Cancelling the waiting task cancels the work."""
        try:
            return await asyncio.shield(self._outcome)
        except asyncio.CancelledError:
            self.cancel()
            raise

    async def events(self) -> AsyncIterator[Any]:
        """Events as they come; raises what the work raised. Read `result()` after it for the return value."""
        while True:
            event = await self._events.get()
            if event is _END:
                break
            yield event
        await self.result()

    def cancel(self) -> None:
        self._job.stop(Cancelled("cancelled"))

    def _on_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def _settle(self, value: Any, error: BaseException | None) -> None:
        if error is None:
            self._outcome.set_result(value)
        else:
            self._outcome.set_exception(error)
            self._outcome.exception()  # the requester may be gone: that is no warning
        self._events.put_nowait(_END)


_END = object()
