"""An outline that is made of the one before is the outline of the draft by itself."""

from __future__ import annotations

from dataclasses import fields

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.slow_outlines import outline, pending
from undersong.engine.drafts import Draft
from undersong.engine.outlines import NOTHING, Outliner
from undersong.engine.passages import PassageReader
from undersong.engine.windows import Limits
from undersong.text.span import Span
from undersong.wire import DraftUpdate, ParagraphReading, Splice

LIMITS = Limits(lead_in=12, body_min=16, body_max=40)


def by_letters(text: str) -> tuple[tuple[int, ...], tuple[Span, ...]]:
    """A token for each code point."""
    return tuple(map(ord, text)), tuple(Span(n, n + 1) for n in range(len(text)))


READER = PassageReader(by_letters, "any", "\n", max_atom=9)
WITHOUT_BREAKS = PassageReader(by_letters, "any", "", max_atom=9)

# Few letters and few paragraphs: many are alike.
proses = st.one_of(st.sampled_from(["", "a", "No.", "A b. C d."]), st.text("ab. ", max_size=60))
whole = st.lists(proses, max_size=40).map(tuple)
edits = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3), st.lists(proses, max_size=3).map(tuple)), max_size=12)


def same(a, b) -> bool:
    return all(getattr(a, field.name) == getattr(b, field.name) for field in fields(a))


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([READER, WITHOUT_BREAKS]), whole, edits)
def test_after_edits_it_is_as_from_scratch_and_no_other_key_changed(reader, opened, script):
    outliner = Outliner(reader, LIMITS, b"model")
    passages = tuple(map(reader.read, opened))
    now = outliner.outline(0, passages)
    assert same(now, outline(0, passages, LIMITS, b"model"))
    for version, (start, removed, proses) in enumerate(script, start=1):
        start = min(start, len(passages))
        removed = min(removed, len(passages) - start)
        inserted = tuple(map(reader.read, proses))
        before = [now.paragraph_key(p) for p in range(len(passages))]
        passages = passages[:start] + inserted + passages[start + removed :]
        now, changed = outliner.spliced(now, version, start, removed, inserted)
        assert same(now, outline(version, passages, LIMITS, b"model"))
        before[start : start + removed] = [now.paragraph_key(start + n) for n in range(len(inserted))]
        assert all(p in changed for p, key in enumerate(before) if key != now.paragraph_key(p))


@settings(deadline=None, max_examples=300)
@given(whole, st.data())
def test_what_is_pending_is_what_every_paragraph_looked_at_says(opened, data):
    draft = Draft(Outliner(READER, LIMITS, b"model"))
    draft.apply(DraftUpdate("d", 0, None, Splice(0, 0, opened)))
    sent: list[tuple[bytes, int] | None] = [None] * len(opened)
    serials = [0]
    for version in range(1, data.draw(st.integers(1, 12))):
        match data.draw(st.sampled_from(["edit", "reply", "reply", "lost", "whole"])):
            case "edit":
                start = data.draw(st.integers(0, len(sent)))
                removed = data.draw(st.integers(0, min(3, len(sent) - start)))
                inserted = data.draw(st.lists(proses, max_size=3).map(tuple))
                draft.apply(DraftUpdate("d", version, draft.outline.version, Splice(start, removed, inserted)))
                if removed or inserted:
                    sent[start : start + removed] = [None] * len(inserted)
            case "reply":
                wanted = data.draw(st.sets(st.integers(0, len(sent) - 1))) if sent else set()
                readings = tuple(ParagraphReading(p, "", (), ()) for p in sorted(wanted))
                serials.append(draft.reply(draft.outline, readings).serial)
                for p in wanted:
                    sent[p] = (draft.outline.paragraph_key(p), serials[-1])
            case "lost":
                serial = data.draw(st.sampled_from(serials))
                draft.received(serial)
                sent = [one if one is not None and one[1] <= serial else None for one in sent]
            case _:
                again = data.draw(whole)
                draft.apply(DraftUpdate("d", version, None, Splice(0, 0, again)))
                sent = [None] * len(again)
        keys = [None if one is None else one[0] for one in sent]
        assert draft.pending() == pending(draft.outline, keys)


def test_a_keystroke_in_a_long_draft_cuts_and_hashes_few_atoms_anew():
    opened = tuple(f"Number {n}. And so on, and on {n * n}." for n in range(400))
    outliner = Outliner(READER, LIMITS, b"model")
    before, _ = outliner.spliced(NOTHING, 0, 0, 0, tuple(map(READER.read, opened)))
    for at in range(10, 390, 37):
        after, changed = outliner.spliced(before, 1, at, 1, (READER.read(opened[at] + "x"),))
        assert len(changed) < 20
        hashed = {id(key) for key in before.keys}
        assert sum(id(key) not in hashed for key in after.keys) < 60
