"""Passages in which features are strongest, with the books they come from."""

from __future__ import annotations

import numpy as np
from codes import Codes
from collect import SEGMENT

from undersong.wire import Passage

TOKEN_PASSAGES, TOKEN_CHARACTERS = 5, 76
SEGMENT_PASSAGES, SEGMENT_CHARACTERS = 6, 70


class Texts:
    """The windows as text. `vocabulary` [id] is each token's text; ASCII, so these concatenate."""

    def __init__(self, ids: np.ndarray, book: np.ndarray, titles: list[str], vocabulary: list[str]) -> None:
        self.ids, self.book, self.titles, self.vocabulary = ids, book, titles, vocabulary

    def between(self, window: int, start: int, stop: int) -> str:
        return "".join(self.vocabulary[i] for i in self.ids[window, max(start, 1) : stop])

    def title(self, window: int) -> str:
        return self.titles[self.book[window]]

    def passage(self, window: int, start: int, stop: int, characters: int, activation: float) -> Passage:
        """Tokens start:stop of the window (BOS is 0) with up to `characters` of running text on either side."""
        before = self.between(window, start - 40, start).replace("\n", " ")[-characters:]
        after = self.between(window, stop, stop + 40).replace("\n", " ")[:characters]
        # Words cut in two by the limit are dropped.
        if len(before) == characters and " " in before:
            before = before[before.index(" ") + 1 :]
        if len(after) == characters and " " in after:
            after = after[: after.rindex(" ")]
        token = self.between(window, start, stop)
        if stop - start > 1:
            token = token.replace("\n", " ")
        return Passage(before, token, after, round(float(activation), 2), self.title(window))


def spread(order: np.ndarray, books: np.ndarray, count: int) -> list[int]:
    """The first `count` of `order`, at most one from a book as long as there are books enough."""
    chosen: list[int] = []
    used: set[int] = set()
    for item, book in zip(order, books, strict=True):
        if len(chosen) < count and book not in used:
            chosen.append(int(item))
            used.add(int(book))
    for item in order:
        if len(chosen) < count and int(item) not in chosen:
            chosen.append(int(item))
    return chosen


def token_passages(texts: Texts, codes: Codes) -> list[tuple[Passage, ...]]:
    """For each feature its strongest tokens in the reference windows."""
    _, length, k = codes.values.shape
    width, used = codes.width, np.flatnonzero(codes.values)
    flat_value, flat_index = codes.values.ravel()[used].astype(np.float32), codes.indices.ravel()[used]
    order = np.lexsort((-flat_value, flat_index))
    bounds = np.searchsorted(flat_index[order], np.arange(width + 1))
    answers: list[tuple[Passage, ...]] = []
    for feature in range(width):
        top = order[bounds[feature] : bounds[feature + 1]][:40]
        places = used[top] // k
        chosen = spread(np.arange(len(top)), texts.book[places // length], TOKEN_PASSAGES)
        answers.append(
            tuple(
                texts.passage(
                    places[i] // length,
                    places[i] % length + 1,
                    places[i] % length + 2,
                    TOKEN_CHARACTERS,
                    flat_value[top[i]],
                )
                for i in sorted(chosen)
            )
        )
    return answers


def segment_passages(texts: Texts, codes: np.ndarray) -> list[tuple[Passage, ...]]:
    """codes [segments, features], segments as in segments.npy."""
    per_window = texts.ids.shape[1] // SEGMENT - 1  # The one with BOS is left out.
    answers: list[tuple[Passage, ...]] = []
    for feature in range(codes.shape[1]):
        column = codes[:, feature]
        top = np.argsort(-column)[:40]
        top = top[column[top] > 0]
        chosen = spread(np.arange(len(top)), texts.book[top // per_window], SEGMENT_PASSAGES)
        found: list[Passage] = []
        for i in sorted(chosen):
            window, segment = divmod(int(top[i]), per_window)
            start = (segment + 1) * SEGMENT
            found.append(texts.passage(window, start, start + SEGMENT, SEGMENT_CHARACTERS, column[top[i]]))
        answers.append(tuple(found))
    return answers
