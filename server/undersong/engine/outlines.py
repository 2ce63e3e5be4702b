"""One version of a draft as the model will read it, made of the version before. Plain Python: no tensor is touched.

After an edit only the windows around it are cut and hashed. Where a cut depends on the text from the cut before it up
to its own place and on nothing else, the windows that end before the edit stay; behind it, as soon as a body begins
where one began before, so does every one after it, and what those see is the same but for a lead-in that reaches back
into the edit. All the rest is carried over in rows of pointers, which are copied at the speed of memory.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from undersong.engine.passages import Atom, Passage, PassageReader
from undersong.engine.windows import Limits, Window, keys, window_from


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """One version of a draft as the model will read it. Immutable: a running job keeps the version it began with.

    `firsts[p]:firsts[p + 1]` are the atoms of paragraph p; `homes[a]` is the window whose body holds atom a;
    `keys[a]` the hash of all that the model sees up to the end of atom a.
    """

    version: int
    passages: tuple[Passage, ...]
    atoms: tuple[Atom, ...]
    firsts: tuple[int, ...]
    windows: tuple[Window, ...]
    homes: tuple[int, ...]
    keys: tuple[bytes, ...]

    def paragraph_atoms(self, paragraph: int) -> range:
        return range(self.firsts[paragraph], self.firsts[paragraph + 1])

    def paragraph_key(self, paragraph: int) -> bytes:
        return b"".join(self.keys[self.firsts[paragraph] : self.firsts[paragraph + 1]])


NOTHING = Outline(-1, (), (), (0,), (), (), ())


class Outliner:
    """Makes outlines of passages, as one model reads them."""

    def __init__(self, reader: PassageReader, limits: Limits, fingerprint: bytes) -> None:
        self.reader, self._limits, self._fingerprint = reader, limits, fingerprint

    def outline(self, version: int, passages: tuple[Passage, ...]) -> Outline:
        """Of a whole draft."""
        return self.spliced(NOTHING, version, 0, 0, passages)[0]

    def spliced(
        self, old: Outline, version: int, start: int, removed: int, inserted: tuple[Passage, ...]
    ) -> tuple[Outline, range]:
        """`old` with the paragraphs start ..< start + removed replaced; and the paragraphs whose keys may be others."""
        begin, end = old.firsts[start], old.firsts[start + removed]
        new = tuple(atom for passage in inserted for atom in passage.atoms)
        atoms = old.atoms[:begin] + new + old.atoms[end:]
        firsts = _firsts(old.firsts, start, removed, inserted)
        moved = len(new) - (end - begin)

        # A window that ends where the edit begins ended before what stands there: that may be another place now.
        head = bisect_left(old.windows, begin, key=_end)
        cut, tail = self._cut(atoms, old.windows, head, end, moved)
        found = [key for window in cut for key in keys(atoms, window, self._fingerprint)]
        first = cut[0].start if cut else old.windows[head].start if head < len(old.windows) else len(atoms)
        last = cut[-1].end if cut else first
        kept = old.windows[tail:]
        if moved:
            kept = tuple(Window(w.lead + moved, w.start + moved, w.end + moved) for w in kept)
        homes = [number for number, window in enumerate(cut, start=head) for _ in range(window.start, window.end)]
        more = head + len(cut) - tail
        behind = old.homes[last - moved :]
        outline = Outline(
            version,
            old.passages[:start] + inserted + old.passages[start + removed :],
            atoms,
            firsts,
            old.windows[:head] + tuple(cut) + kept,
            old.homes[:first] + tuple(homes) + (tuple(home + more for home in behind) if more else behind),
            old.keys[:first] + tuple(found) + old.keys[last - moved :],
        )
        return outline, _holding(firsts, first, last)

    def _cut(
        self, atoms: tuple[Atom, ...], old: tuple[Window, ...], head: int, end: int, moved: int
    ) -> tuple[list[Window], int]:
        """The windows cut anew from that of number `head` on, and the first of `old` that stands, `moved` on.

        end: where the edit ended, in the old atoms; from there on they are the same.
        """
        cut: list[Window] = []
        tail = head
        at = old[head].start if head < len(old) else old[-1].end if old else 0
        while at < len(atoms):
            tail = bisect_left(old, max(at - moved, end), lo=tail, key=_start)
            if tail < len(old) and old[tail].start == at - moved and old[tail].lead > end:
                return cut, tail
            cut.append(window_from(atoms, at, self._limits))
            at = cut[-1].end
        return cut, len(old)


def _start(window: Window) -> int:
    return window.start


def _end(window: Window) -> int:
    return window.end


def _firsts(old: tuple[int, ...], start: int, removed: int, inserted: tuple[Passage, ...]) -> tuple[int, ...]:
    here = [old[start]]
    for passage in inserted:
        here.append(here[-1] + len(passage.atoms))
    moved = here[-1] - old[start + removed]
    after = old[start + removed + 1 :]
    return old[:start] + tuple(here) + (tuple(first + moved for first in after) if moved else after)


def _holding(firsts: tuple[int, ...], first: int, last: int) -> range:
    """The paragraphs that hold any of the atoms first ..< last."""
    if first >= last:
        return range(0)
    return range(bisect_right(firsts, first) - 1, bisect_left(firsts, last))
