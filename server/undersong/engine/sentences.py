"""A rewrite, or a bridge, written sentence by sentence with look-ahead.

Each candidate is a line of its own. For its next sentence several are drawn as one batch after the line as it stands;
each is read again unsteered with the text that follows the place behind it, and the best goes on (choosing.py). The
line as it stands is clean text to the model, as the draft before it is: it was read unsteered, once, and its keys and
values are forked. So a sentence is steered as the first one was, and nothing builds up from one to the next.

What must stay of the original (text/keeping.py) is due where it stood there. A sentence that lacks what is due is cut
where the model finds it likeliest, it is put there, and the rest of the sentence is drawn anew.

What a line draws depends on the request and its own number alone, not on the other lines.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from undersong.engine.loading import Loaded
from undersong.engine.places import Due, Place
from undersong.engine.rows import Draw, Row
from undersong.engine.unfolding import Unfolding
from undersong.model.kv_cache import WindowCache
from undersong.model.sampling import Sampler
from undersong.model.scoring import chances
from undersong.model.steps import Wanted
from undersong.model.tokens import decode
from undersong.text.keeping import Kept, find, missing
from undersong.wire import WriteChunk, WriteProgress, WriteRequest

BRANCHES = 4
"""Sentences drawn for one. A row more costs little; from four on the best is seldom much better."""
ATTEMPTS = 3
"""How often a batch is drawn in which no sentence came to its end."""
LONGEST = 160
"""Tokens of a sentence, at most; of one that must be longer, more than it must have."""
_STREAMS = 64
"""Batches drawn for one sentence, at most: what is put in is drawn from streams behind those of ATTEMPTS."""

Steps = Generator[WriteProgress | WriteChunk | Wanted | None, None, None]


@dataclass(slots=True, eq=False)
class Line:
    """A candidate as far as it is written. `window`: what it is written after; read on when the next sentence is drawn.

    `lost`: what must stay and cannot be put in. `sentence`: how many there are. The rest as in Row, of what was taken.
    """

    number: int
    window: WindowCache
    ids: list[int] = field(default_factory=list[int])
    text: str = ""
    sentence: int = 0
    ended: bool = False
    lost: set[Due] = field(default_factory=set["Due"])
    written: int = 0
    braked: int = 0
    held: int = 0


Judge = Callable[[Line, Sequence[Unfolding]], list[float]]
"""How good each of several texts is that a line may go on as."""


class Sentences:
    """Writes the lines of one request. `draw`, `judge`: see Draw and Judge."""

    def __init__(self, loaded: Loaded, place: Place, request: WriteRequest, draw: Draw, judge: Judge) -> None:
        self._loaded, self._place, self._request = loaded, place, request
        self._draw, self._judge = draw, judge
        # Each branch, and each attempt, would be the same.
        self._branches = 1 if request.temperature == 0 else BRANCHES
        self._attempts = 1 if request.temperature == 0 else ATTEMPTS
        self._most_done = 0

    def write(self, window: WindowCache) -> Generator[WriteProgress | WriteChunk | Wanted | None, None, list[Line]]:
        """Steps; returns the lines. `window` holds just what they are written after, and is not changed."""
        self._base = window.length
        lines = [Line(number, window) for number in range(self._request.candidates)]
        yield from self._advance(lines)
        for line in lines:
            while not line.ended:
                yield from self._advance([line])
        return lines

    def lacking(self, line: Line) -> tuple[Kept, ...]:
        """What must stay and the finished line has not."""
        return missing([due.item for due in self._place.due], line.text)

    def _advance(self, lines: Sequence[Line]) -> Steps:
        """One sentence more for lines whose text is the same; those that get none have ended."""
        same = lines[0]
        room = self._room(len(same.ids))
        left = list(lines)
        if room > 0:
            self._read_on(same)
            yield None
        for attempt in range(self._attempts if room > 0 else 0):
            drawn = {line.number: self._rows(line, attempt, same.ids) for line in left}
            rows = [row for mine in drawn.values() for row in mine]
            yield from self._watched(same, same.window, rows, room)
            for line in list(left):
                whole = [row for row in drawn[line.number] if row.text.is_new and not row.spoiled]
                if whole:
                    left.remove(line)
                    line.window = same.window
                    best = self._best(line, whole)
                    yield None
                    best = yield from self._completed(line, best)
                    yield from self._taken(line, best)
            if not left:
                return
        for line in left:
            line.ended = True

    def _taken(self, line: Line, best: Row) -> Steps:
        new = best.text.text[len(line.text) :]
        line.ids, line.text = best.text.kept, best.text.text
        line.sentence += 1
        line.written += best.written
        line.braked += best.braked
        line.held += best.held
        line.ended = self._is_last(best.text)
        yield WriteChunk(line.number, new)

    def _is_last(self, text: Unfolding) -> bool:
        return self._request.stop == "sentence" or len(text.kept) >= max(1, self._place.minimum)

    def _room(self, written: int) -> int:
        """Tokens that the sentence may have which begins, or goes on, after so many."""
        must = self._place.minimum if self._request.stop == "sentence" else 0
        return min(self._place.max_tokens - written, must + LONGEST)

    def _rows(self, line: Line, stream: int, before: Sequence[int]) -> list[Row]:
        minimum = max(1, self._place.minimum) if self._request.stop == "sentence" else 1
        ends = self._loaded.model.eos_ids if self._place.asking is not None else ()
        place = (stream + _STREAMS * line.sentence) * 16 + line.number
        return [
            Row(
                Sampler(self._request.temperature, self._request.top_p, self._request.seed, place * BRANCHES + branch),
                Unfolding(self._loaded.model.tokenizer, "sentence", minimum, before, len(line.text), ends),
            )
            for branch in range(self._branches)
        ]

    def _watched(self, line: Line, window: WindowCache, rows: Sequence[Row], room: int) -> Steps:
        """Draw the rows, and tell how far it has come."""
        total = self._place.max_tokens * self._request.candidates
        begun = line.number * self._place.max_tokens + window.length - self._base
        # In the order of _rows: each line's branches together.
        lines = [rows[at : at + self._branches] for at in range(0, len(rows), self._branches)]
        done = 0
        for told in self._draw(window, window.length, rows, room):
            if isinstance(told, Wanted):
                yield told
                continue
            done += 1
            for mine in lines:
                _drop_stragglers([row.text for row in mine])
            self._most_done = max(self._most_done, min(total, begun + done))
            yield WriteProgress("write", self._most_done, total)

    def _read_on(self, line: Line) -> None:
        """Bring the window of a line up to what was written."""
        new = line.ids[line.window.length - self._base :]
        if new:
            line.window = line.window.branch(line.window.length)
            line.window.extend(new)

    def _best(self, line: Line, rows: Sequence[Row]) -> Row:
        """What is due comes before everything else."""
        fewest = min(len(self._missed(line, row.text)) for row in rows)
        left = [row for row in rows if len(self._missed(line, row.text)) == fewest]
        if len(left) == 1:
            return left[0]
        scores = self._judge(line, [row.text for row in left])
        return left[max(range(len(left)), key=lambda n: scores[n])]

    # --- what must stay ----------------------------------------------------------------------------------------

    def _missed(self, line: Line, text: Unfolding) -> list[Due]:
        """What is due by the end of `text`, can be put in, and is not there."""
        length = max(1, len(self._place.replaced))
        by = 1.0 if self._is_last(text) else len(text.kept) / length
        due = [each for each in self._place.due if each.share <= by and each not in line.lost]
        lacking = missing([each.item for each in due], text.text)
        return [each for each in due if each.item in lacking]

    def _completed(self, line: Line, best: Row) -> Generator[WriteProgress | WriteChunk | Wanted | None, None, Row]:
        """Steps; returns the sentence with what is due in it."""
        stream = ATTEMPTS
        while missed := self._missed(line, best.text):
            due = missed[0]
            begun = self._cut(line, best.text, due)
            room = self._room(len(begun or ()))
            found = None
            if begun is not None and room > 0:
                window = line.window.branch(line.window.length)
                window.extend(begun[len(line.ids) :])
                yield None
                for _ in range(self._attempts):
                    if stream >= _STREAMS:
                        break
                    rows = self._rows(line, stream, begun)
                    stream += 1
                    yield from self._watched(line, window, rows, room)
                    whole = [
                        row
                        for row in rows
                        if row.text.is_new and not row.spoiled and find(due.item, row.text.text) >= 0
                    ]
                    if whole:
                        found = self._best(line, whole)
                        yield None
                        break
            if found is None:
                line.lost.add(due)
            else:
                best = found
        return best

    def _cut(self, line: Line, text: Unfolding, due: Due) -> list[int] | None:
        """The line with the new sentence up to where `due` is likeliest, and that put in; None if it has no place."""
        tokenizer = self._loaded.model.tokenizer
        low, high = self._between(text.text, due)
        first = len(line.ids)
        new = text.kept[first:]
        places = [0]
        lengths = [len(decode(tokenizer, text.kept[: first + n])) for n in range(len(new) + 1)]
        for n in range(1, len(new)):
            if text.text[lengths[n] : lengths[n] + 1].isspace():
                places.append(n)
        places = [n for n in places if low <= lengths[n] < high]
        if not places or not due.ids:
            return None
        window = line.window
        likely = chances(self._loaded.model, window, window.length, new, due.ids[0])
        at = max(places, key=lambda n: float(likely[n]))
        spaced = self._place.space or first + at > 0
        return [*line.ids, *new[:at], *(due.ids if spaced else due.bare)]

    def _between(self, text: str, due: Due) -> tuple[int, int]:
        """Where it may be put: after what comes before it in the original, and before what comes after it."""
        low, at, is_before = 0, 0, True
        for each in self._place.due:
            if each == due:
                low, is_before = at, False
                continue
            found = find(each.item, text, at)
            if found >= 0 and not is_before:
                return low, found
            if found >= 0:
                at = found + len(each.item.text)
        return low, len(text) + 1


def _drop_stragglers(texts: Sequence[Unfolding]) -> None:
    """Once half of the branches are whole, the others have as many tokens again: a batch lasts as long as its longest.

    A line's own branches decide, so that it is written alone as it is beside others.
    """
    whole = sorted(text.written for text in texts if text.ended)
    half = (len(texts) + 1) // 2
    if len(whole) >= half:
        for text in texts:
            if not text.ended and text.written >= 2 * whole[half - 1]:
                text.ended = True
