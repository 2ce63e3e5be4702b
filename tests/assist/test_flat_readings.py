"""What is kept up to date from keystroke to keystroke is what looking at the whole draft gives."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undersong import wire
from undersong.assist.anchors import Anchor, anchor, brief_anchor
from undersong.assist.background import Background
from undersong.assist.draft import Draft
from undersong.assist.hints import hints
from undersong.assist.indices import Indices
from undersong.assist.readings import DraftReadings
from undersong.assist.settings import HintSettings, Settings
from undersong.text.document import Document
from undersong.text.edits import Edit
from undersong.text.segments import Segments, segment
from undersong.text.span import Span

from . import slow_readings
from .drafts import URI, feature

proses = st.sampled_from(["a", "No.", "*No.*", "_No._", "She rowed. It rained.", "| one | two three |", ""])
drafts = st.lists(proses, max_size=12).map("\n\n".join)
SETTINGS = Settings(hints=HintSettings(minimum_words=1, minimum_presence=0.5))


@st.composite
def readings(draw: st.DrawFn, index: int) -> wire.ParagraphReading:
    rows = draw(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.0, 0.3, 0.9, 0.999, 1.0])), max_size=4))
    features = tuple(feature(f"3.{number}", f"name {number}", presence) for number, presence in rows)
    return wire.ParagraphReading(index, f"key {index}", features, ())


@st.composite
def replies(draw: st.DrawFn, n_paragraphs: int) -> wire.ReadReply:
    numbers = st.sets(st.integers(0, n_paragraphs + 1), max_size=6)
    told = tuple(draw(readings(index)) for index in sorted(draw(numbers)))
    return wire.ReadReply(1, told, tuple(sorted(draw(numbers))), 1)


def edited(data: st.DataObject, document: Document) -> Document:
    start = data.draw(st.integers(0, len(document)))
    end = data.draw(st.integers(start, min(len(document), start + 12)))
    text = data.draw(st.sampled_from(["", "x", " ", "\n\n", "\n", "No.\n\nNo.", "*"]))
    return document.apply([Edit(Span(start, end), text)], document.version + 1)


@settings(deadline=None, max_examples=400)
@given(drafts, st.data())
def test_readings_through_edits_and_replies(text: str, data: st.DataObject) -> None:
    versions = [segment(Document.open(URI, "markdown", 1, text))]
    found = DraftReadings.empty(versions[0])
    slow: slow_readings.Row = (None,) * len(versions[0].paragraphs)
    for _ in range(data.draw(st.integers(1, 10))):
        now, before = versions[-1], found
        match data.draw(st.sampled_from(["edit", "reply", "late reply", "doubt"])):
            case "edit":
                versions.append(segment(edited(data, now.document), now))
                found, slow = found.rebased(now, versions[-1]), slow_readings.rebased(slow, now, versions[-1])
            case "doubt":
                found, slow = found.doubted(), tuple(one and slow_readings.Held(one.reading, False) for one in slow)
            case kind:
                read = data.draw(st.sampled_from(versions)) if kind == "late reply" else now
                reply = data.draw(replies(len(read.paragraphs)))
                found, slow = found.merged(reply, read, now), slow_readings.merged(slow, reply, read, now)
                other = any(
                    (a and a.reading.features) != (b and b.reading.features)
                    for a, b in zip(before.paragraphs, slow, strict=True)
                )
                assert found.carries_other(before) == other
        assert found.paragraphs == slow
        assert tuple(found.stale) == slow_readings.stale(slow)
        assert [id(r) for r in found.fresh_first()] == _fresh_first(found, slow)
        _check_background(found, slow)
        _check_hints(versions[-1], found, data)


def _fresh_first(found: DraftReadings, slow: slow_readings.Row) -> list[int]:
    order = sorted((n for n, one in enumerate(slow) if one is not None), key=lambda n: n in found.stale)
    return [id(found.said[n]) for n in order]


def _check_background(found: DraftReadings, slow: slow_readings.Row) -> None:
    background = Background.of(found)
    anew = Background.of(DraftReadings(slow))
    totals, paragraphs = slow_readings.totals(slow)
    assert background.paragraphs == anew.paragraphs == paragraphs
    assert {k: v for k, v in background.totals.items() if v} == {k: v for k, v in anew.totals.items() if v}
    assert [background.mean(name) for name in totals] == pytest.approx(
        [total / paragraphs for total in totals.values()]
    )


def _check_hints(segments: Segments, found: DraftReadings, data: st.DataObject) -> None:
    draft = Draft(segments.document, segments, found, SETTINGS)
    everywhere = hints(draft)
    start = data.draw(st.integers(0, len(segments.document)))
    span = Span(start, data.draw(st.integers(start, len(segments.document))))
    assert hints(draft, span) == tuple(hint for hint in everywhere if span.start <= hint.offset <= span.end)
    places = [paragraph.span for paragraph in segments.paragraphs]
    touching = [n for n, place in enumerate(places) if place.start <= span.end and span.start <= place.end]
    assert list(segments.paragraphs.touching(span)) == touching


@settings(deadline=None, max_examples=200)
@given(drafts, st.data())
def test_anchors_through_edits_are_those_of_the_draft_by_itself(text: str, data: st.DataObject) -> None:
    now = segment(Document.open(URI, "markdown", 1, text))
    for _ in range(data.draw(st.integers(1, 8))):
        now = segment(edited(data, now.document), now)
        sources = [now.document.slice(one.span) for one in now.paragraphs]
        anchors = [anchor(now.document, now, index) for index in range(len(sources))]
        assert [brief_anchor(now.document, now, n).brief() for n in range(len(sources))] == [a.brief() for a in anchors]
        for index, found in enumerate(anchors):
            twins = [n for n, source in enumerate(sources) if source == sources[index]]
            assert (found.nth, found.twins) == (twins.index(index), len(twins))
            assert (found.before, found.after) == (_hash(anchors, index - 1), _hash(anchors, index + 1))


def _hash(anchors: list[Anchor], index: int) -> str:
    return anchors[index].text_hash if 0 <= index < len(anchors) else ""


numbers = st.frozensets(st.integers(0, 20))


@given(numbers, numbers, st.integers(0, 20), st.integers(0, 5), st.integers(0, 5))
def test_indices_are_a_set(a: frozenset[int], b: frozenset[int], start: int, removed: int, inserted: int) -> None:
    x, y = Indices.of(a), Indices.of(b)
    assert (list(x), bool(x)) == (sorted(a), bool(a))
    assert [n in x for n in range(22)] == [n in a for n in range(22)]
    assert (x | y, x - y, x & y) == (Indices.of(a | b), Indices.of(a - b), Indices.of(a & b))
    kept = {n if n < start else n + inserted - removed for n in a if not start <= n < start + removed}
    assert x.spliced(start, removed, inserted) == Indices.of(kept)
    assert Indices.between(start, start + removed) == Indices.of(range(start, start + removed))
