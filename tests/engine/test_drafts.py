"""Drafts kept in step by splices, whatever order requests come in."""

from __future__ import annotations

import asyncio

import pytest

from undersong.engine import drafts as drafts_module
from undersong.engine.drafts import Drafts
from undersong.errors import BadText, Resync
from undersong.wire import DraftUpdate, Splice


def whole(name: str, version: int, *proses: str) -> DraftUpdate:
    return DraftUpdate(name, version, None, Splice(0, 0, proses))


def proses(draft) -> list[str]:
    return [passage.prose for passage in draft.outline.passages]


@pytest.fixture
def drafts(bench) -> Drafts:
    return Drafts(bench.outliner)


@pytest.mark.parametrize(
    ("splice", "expected"),
    [
        (Splice(0, 0, ("x",)), ["x", "a", "b"]),
        (Splice(2, 0, ("x", "y")), ["a", "b", "x", "y"]),
        (Splice(0, 2, ()), []),
        (Splice(1, 1, ("x",)), ["a", "x"]),
        (Splice(0, 0, ()), ["a", "b"]),
    ],
)
async def test_a_splice_is_applied(drafts, splice, expected):
    await drafts.update(whole("d", 1, "a", "b"))
    draft = await drafts.update(DraftUpdate("d", 2, 1, splice))
    assert proses(draft) == expected
    assert draft.outline.version == 2


@pytest.mark.parametrize("splice", [Splice(-1, 0, ("x",)), Splice(1, 2, ()), Splice(3, 0, ()), Splice(2, -1, ("x",))])
async def test_a_splice_that_does_not_fit_leaves_the_draft_as_it_was(drafts, splice):
    draft = await drafts.update(whole("d", 1, "a", "b"))
    with pytest.raises(BadText, match="does not fit a draft of 2 paragraphs"):
        await drafts.update(DraftUpdate("d", 2, 1, splice))
    assert (proses(draft), draft.outline.version) == (["a", "b"], 1)


async def test_a_whole_draft_that_does_not_fit_leaves_the_one_before(drafts):
    draft = await drafts.update(whole("d", 1, "a", "b"))
    with pytest.raises(BadText):
        await drafts.update(DraftUpdate("d", 2, None, Splice(0, 2, ("x",))))
    assert (proses(draft), draft.outline.version) == (["a", "b"], 1)


async def test_another_base_is_refused_and_the_whole_draft_taken(drafts):
    await drafts.update(whole("d", 1, "a"))
    with pytest.raises(Resync, match="expected base version 1, found 5"):
        await drafts.update(DraftUpdate("d", 6, 5, Splice(0, 1, ("x",))))
    assert proses(await drafts.update(whole("d", 6, "x"))) == ["x"]


async def test_updates_of_one_document_are_applied_in_the_order_they_came(drafts):
    first = whole("d", 1, *(f"Number {n}." for n in range(200)))
    later = [DraftUpdate("d", n, n - 1, Splice(0, 1, ())) for n in range(2, 20)]
    await asyncio.gather(*(drafts.update(each) for each in (first, *later)))
    assert len((await drafts.update(DraftUpdate("d", 20, 19, Splice(0, 0, ())))).outline.passages) == 182


async def test_a_draft_that_is_closed_while_it_is_sent_is_gone(drafts):
    opening = asyncio.create_task(drafts.update(whole("d", 1, *(f"Number {n}." for n in range(200)))))
    await asyncio.sleep(0)
    await drafts.close("d")
    await opening
    with pytest.raises(Resync, match="no draft named d is open"):
        await drafts.update(DraftUpdate("d", 2, 1, Splice(0, 0, ())))
    assert not drafts._turns


async def test_drafts_of_editors_that_never_closed_them_give_way(drafts, monkeypatch):
    monkeypatch.setattr(drafts_module, "MAX_DRAFTS", 3)
    for name in "abc":
        await drafts.update(whole(name, 1, "x"))
    await drafts.update(DraftUpdate("a", 2, 1, Splice(0, 0, ())))
    await drafts.update(whole("d", 1, "x"))
    await drafts.update(DraftUpdate("a", 3, 2, Splice(0, 0, ())))
    with pytest.raises(Resync):
        await drafts.update(DraftUpdate("b", 2, 1, Splice(0, 0, ())))
