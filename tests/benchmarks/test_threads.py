"""The table of what threads bring, and the programs that it is measured beside."""

from __future__ import annotations

from benchmarks.threads import WAITS, WAYS, others, table


def test_the_table_has_a_line_for_each_way_of_each_policy_alone_and_beside_another_program():
    ways = {way: {"read 64 tokens": float(number)} for number, way in enumerate(WAYS, 1)}
    lines = table("m", {busy: dict.fromkeys(WAITS, ways) for busy in ("0", "1")}).splitlines()
    assert lines[0].split() == ["m,", "ms", "read", "64", "tokens"]
    assert lines[1].split() == ["0", "busy,", "default,", "one", "thread", "1.0"]
    assert lines[-1].split() == ["1", "busy,", "PASSIVE,", "the", "policy", "3.0"]
    assert len(lines) == 1 + 2 * len(WAITS) * len(WAYS)


def test_no_other_program_is_left_behind():
    with others(2) as running:
        assert [process.poll() for process in running] == [None, None]
    assert all(process.poll() is not None for process in running)
