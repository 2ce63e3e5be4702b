"""How many threads compute, from what the processor was doing between two looks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
import torch

from undersong.model.threads import SECONDS_BETWEEN_LOOKS, Look, Threads, count, idle_cores, look, one_thread, own_cores


@pytest.mark.parametrize(
    ("cores", "before", "now", "expected"),
    [
        pytest.param(2, Look(10, 50, 5), Look(11, 50, 5), 2, id="nothing runs"),
        pytest.param(2, Look(10, 50, 5), Look(11, 52, 7), 2, id="what this process spent is its own"),
        pytest.param(2, Look(10, 50, 5), Look(11, 51, 5), 1, id="another program has one core"),
        pytest.param(2, Look(10, 50, 5), Look(12, 53, 6), 1, id="both ran, for two seconds"),
        pytest.param(8, Look(0, 0, 0), Look(0.5, 1.25, 0.25), 6, id="two of eight"),
        pytest.param(2, Look(10, 50, 5), Look(11, 50.5, 6), 2, id="the machine counted less than this process did"),
        pytest.param(2, Look(10, 50, 5), Look(11, 54, 5), 0, id="the machine counted more than there is"),
        pytest.param(2, Look(10, 50, 5), Look(11, 40, 5), 2, id="the machine's count went back"),
        pytest.param(2, Look(10, 50, 5), Look(10, 51, 5), 2, id="no time has passed"),
    ],
)
def test_the_cores_that_nobody_else_uses(cores, before, now, expected):
    assert idle_cores(cores, before, now) == expected


@pytest.mark.parametrize(
    ("most", "idle", "expected"),
    [
        pytest.param(2, 2.0, 2, id="all are idle"),
        pytest.param(2, 1.5, 2, id="half a core more is one"),
        pytest.param(2, 1.49, 1, id="less than half of one is none"),
        pytest.param(2, 0.0, 1, id="one computes in any case"),
        pytest.param(4, 8.0, 4, id="no more than at the start"),
        pytest.param(4, 2.2, 2, id="as many as are idle"),
        pytest.param(1, 8.0, 1, id="the user wants one"),
    ],
)
def test_the_count_of_threads(most, idle, expected):
    assert count(most, idle) == expected


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The time, to be set."""
    now = [100.0]
    monkeypatch.setattr("undersong.model.threads.time.monotonic", lambda: now[0])
    return now


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_threads_give_way_to_other_programs_and_come_back(clock):
    busy = [0.0]
    threads = Threads(3, 4, lambda: Look(clock[0], busy[0], 0.0))
    found = [torch.get_num_threads()]
    for seconds, elsewhere in ((1, 2), (SECONDS_BETWEEN_LOOKS / 2, 0), (SECONDS_BETWEEN_LOOKS / 2, 0), (1, 9), (1, 1)):
        clock[0] += seconds
        busy[0] += elsewhere * seconds
        threads.keep()
        found.append(torch.get_num_threads())
    # The third is too soon after the second to be looked at.
    assert found == [3, 2, 2, 3, 1, 3]


def test_what_already_computes_so_is_not_told_again(clock, monkeypatch):
    torch.set_num_threads(2)
    threads = Threads(2, 2, lambda: Look(clock[0], 0.0, 0.0))
    monkeypatch.setattr(torch, "set_num_threads", pytest.fail)
    clock[0] += 1
    threads.keep()


def test_one_thread_looks_at_nothing_after_the_start(clock):
    seen: list[float] = []
    threads = Threads(1, 8, lambda: seen.append(clock[0]) or Look(clock[0], 0.0, 0.0))
    seen.clear()
    clock[0] += 9
    threads.keep()
    assert torch.get_num_threads() == 1 and not seen


@pytest.mark.parametrize("error", [PermissionError("/proc/stat"), psutil.AccessDenied()])
def test_where_the_system_does_not_tell_all_threads_compute(error, clock, caplog):
    def refused() -> Look:
        raise error

    threads = Threads(2, 2, refused)
    clock[0] += 1
    threads.keep()
    assert torch.get_num_threads() == 2
    assert len(caplog.records) == 1 and "cannot be told" in caplog.text


def test_this_machine_tells():
    before = look()
    busy = subprocess.run([sys.executable, "-c", "sum(range(20_000_000))"], check=True)
    now = look()
    assert busy.returncode == 0 and before.at < now.at and before.own <= now.own
    assert now.busy - before.busy > now.own - before.own
    assert idle_cores(len(own_cores()), before, now) < len(own_cores())


def test_one_thread_for_a_while():
    torch.set_num_threads(2)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
