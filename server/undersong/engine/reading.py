"""Reading: what each paragraph carries.

1. The paragraph's atoms (sentences) that have no codes yet are found; each belongs to one window (windows.py).
2. The window's KV cache is cropped to the common prefix and extended, chunk by chunk, up to the atom's end; only
   the blocks up to the highest in which an SAE reads are run, once for all SAEs.
3. Each reading SAE encodes what passed at its hook point; of an atom only the active features are kept (sum, peak,
   where). Passage-level dictionaries keep the sum of what passed instead, since they encode means.
4. Codes are summed over sentences and paragraphs, turned into presence (presence.py), and the most telling
   features are answered.

Codes are kept by the hash of all that the model saw (kept_codes.py), windows by their ids (kept_windows.py), both
within the engine's budget of memory (memory.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Sequence
from hashlib import blake2b

import torch

from undersong.engine.drafts import Outline
from undersong.engine.kept_codes import AtomCodes, KeptCodes
from undersong.engine.kept_windows import KeptWindows
from undersong.engine.loading import Dictionary, Loaded
from undersong.engine.memory import Memory
from undersong.engine.passages import Atom
from undersong.engine.presence import PSEUDO_TOKENS
from undersong.engine.ranking import Tally, ranked
from undersong.engine.summing import Entries
from undersong.model.kv_cache import WindowCache
from undersong.text.span import Span
from undersong.wire import FeatureReading, ParagraphReading, SentenceReading

FEATURES_PER_PARAGRAPH, FEATURES_PER_SENTENCE = 16, 6
SENTENCES_PER_STEP = 16
SENTENCES_TOLD = 1024
"""Sentences whose features are kept: where one word is typed, the paragraph's other sentences say what they said."""

Telling = tuple[tuple[tuple[Span, ...], ...], tuple[bytes, ...], tuple[str, ...]]
"""Where a sentence's tokens stand, what the model saw of it, what is watched."""


class Reader:
    """Owns the windows and the codes. Used on the device thread only."""

    def __init__(self, loaded: Loaded, memory: Memory | None = None) -> None:
        self.loaded = loaded
        self._memory = memory or Memory()
        self._taps = frozenset(d.reads for d in loaded.reading)
        self._windows = KeptWindows(self._memory, lambda: WindowCache(loaded.model, self._taps), self._count)
        self._codes = KeptCodes(self._memory)
        self._told: OrderedDict[Telling, tuple[FeatureReading, ...]] = OrderedDict()
        self._tokens_read = 0

    @property
    def tokens_read(self) -> int:
        """Tokens that the model was run on so far: the cost that tests and benchmarks compare."""
        return self._tokens_read

    @property
    def nbytes(self) -> int:
        return self._codes.nbytes + self._windows.nbytes

    def forget(self) -> None:
        """Nothing is kept of what was read so far."""
        self._windows.clear()
        self._codes.clear()
        self._told.clear()

    def _count(self, tokens: int) -> None:
        self._tokens_read += tokens

    def read(
        self, outline: Outline, wanted: Sequence[int], watch: Sequence[str]
    ) -> Generator[None, None, tuple[ParagraphReading, ...]]:
        """Steps; returns the readings of the paragraphs wanted."""
        readings: list[ParagraphReading] = []
        for paragraph in wanted:
            codes = yield from self._encode_paragraph(outline, paragraph)
            readings.append((yield from self._reading(outline, paragraph, codes, watch)))
            yield None
        return tuple(readings)

    def tallies(self, outline: Outline, paragraph: int) -> Generator[None, None, tuple[dict[str, Tally], int]]:
        """Steps; returns the strength of every feature of every reading SAE over a paragraph, and its tokens."""
        codes = yield from self._encode_paragraph(outline, paragraph)
        held = list(codes.values())
        return {d.sae.id: tally_of(d, held) for d in self.loaded.reading}, sum(code.n_tokens for code in held)

    def window(self, ids: Sequence[int]) -> Generator[None, None, WindowCache]:
        """Steps; returns a window whose first tokens are `ids`. Use it before the next step: others crop it."""
        return self._windows.reach(ids)

    def complete(self, ids: Sequence[int]) -> Generator[None, None, WindowCache]:
        """Steps; the same, with keys and values of all blocks for `ids`: to write after them."""
        return self._windows.reach(ids, whole=True)

    def prompt_ids(self, atoms: Sequence[Atom]) -> list[int]:
        """BOS and the ids of `atoms`, as every window begins."""
        bos = self.loaded.model.bos_id
        return [*([] if bos is None else [bos]), *(i for atom in atoms for i in atom.ids)]

    def _encode_paragraph(self, outline: Outline, paragraph: int) -> Generator[None, None, dict[int, AtomCodes]]:
        """Steps; returns the codes of the paragraph's atoms. Held here, so that no other job's reading drops them."""
        atoms = outline.paragraph_atoms(paragraph)
        codes = {a: known for a in atoms if (known := self._codes.get(outline.keys[a])) is not None}
        missing = [a for a in atoms if a not in codes]
        while missing:
            home = outline.windows[outline.homes[missing[0]]]
            here = [a for a in missing if outline.homes[a] == outline.homes[missing[0]]]
            seen = outline.atoms[home.lead : here[-1] + 1]
            window = yield from self.window(self.prompt_ids(seen))
            codes |= self._encode_atoms(outline, window, home.lead, here)
            missing = missing[len(here) :]
            if missing:
                yield None
        return codes

    def _encode_atoms(
        self, outline: Outline, window: WindowCache, lead: int, here: Sequence[int]
    ) -> dict[int, AtomCodes]:
        """Encode the run of atoms from the first to the last of `here`, and keep each one's codes."""
        position = len(self.prompt_ids(outline.atoms[lead : here[0]]))
        first = position
        ranges: list[tuple[int, range]] = []
        for a in range(here[0], here[-1] + 1):
            atom = outline.atoms[a]
            skipped = _break_tokens(atom)
            ranges.append((a, range(position + skipped, position + len(atom.ids))))
            position += len(atom.ids)
        wanted = set(here)
        encoded: dict[str, Entries] = {}
        passed = {point: window.read(point, first, position) for point in self._taps}
        for dictionary in self.loaded.reading:
            if dictionary.sae.grain == "token":
                encoded[dictionary.sae.id] = Entries(dictionary.sae.encode_sparse(passed[dictionary.reads]))
        pooled_points = {d.reads for d in self.loaded.reading if d.sae.grain == "passage"}
        found: dict[int, AtomCodes] = {}
        for a, tokens in ranges:
            if a not in wanted:
                continue
            rows = slice(tokens.start - first, tokens.stop - first)
            offset = len(outline.atoms[a].ids) - len(tokens)
            sparse = {name: entries.of(rows, offset) for name, entries in encoded.items()}
            pooled = {point: passed[point][rows].float().sum(dim=0).cpu() for point in pooled_points}
            found[a] = AtomCodes(sparse, pooled, len(tokens))
            self._codes.keep(outline.keys[a], found[a])
        self._memory.settle()
        return found

    def _reading(
        self, outline: Outline, paragraph: int, codes: dict[int, AtomCodes], watch: Sequence[str]
    ) -> Generator[None, None, ParagraphReading]:
        """Steps (a paragraph may have a thousand sentences); returns what the codes add up to."""
        numbers = outline.paragraph_atoms(paragraph)
        atoms = [(outline.atoms[a], codes[a]) for a in numbers]
        by_sentence: OrderedDict[Span, list[int]] = OrderedDict()
        for a in numbers:
            by_sentence.setdefault(outline.atoms[a].sentence, []).append(a)
        sentences: list[SentenceReading] = []
        for number, (span, group) in enumerate(by_sentence.items(), start=1):
            places = tuple(outline.atoms[a].token_spans for a in group)
            telling = (places, tuple(outline.keys[a] for a in group), tuple(watch))
            features = self._told.pop(telling, None)
            if features is None:
                features = self._features([(outline.atoms[a], codes[a]) for a in group], FEATURES_PER_SENTENCE, watch)
            self._told[telling] = features
            if len(self._told) > SENTENCES_TOLD:
                self._told.popitem(last=False)
            sentences.append(SentenceReading(span.start, span.end, features))
            if number % SENTENCES_PER_STEP == 0:
                yield None
        features = self._features(atoms, FEATURES_PER_PARAGRAPH, watch)
        key = outline.paragraph_key(paragraph)
        return ParagraphReading(paragraph, blake2b(key, digest_size=16).hexdigest(), features, tuple(sentences))

    def _features(
        self, atoms: Sequence[tuple[Atom, AtomCodes]], limit: int, watch: Sequence[str]
    ) -> tuple[FeatureReading, ...]:
        """The `limit` most telling features of a stretch, and those watched, over all reading dictionaries."""
        found: list[tuple[float, FeatureReading]] = []
        for dictionary in self.loaded.reading:
            tally = tally_of(dictionary, [codes for _, codes in atoms])
            watched = [int(f.rpartition(".")[2]) for f in watch if f.rpartition(".")[0] == dictionary.sae.id]
            for item in ranked(dictionary, tally, limit, watched):
                start, end = _peak_span(atoms, dictionary.sae.id, item.index)
                feature = f"{dictionary.sae.id}.{item.index}"
                found.append(
                    (
                        item.score,
                        FeatureReading(
                            feature,
                            self.loaded.name(feature),
                            item.presence,
                            item.value,
                            item.peak,
                            start,
                            end,
                            item.share,
                            self.loaded.steers.get(feature),
                        ),
                    )
                )
        found.sort(key=lambda scored: -scored[0])
        kept = found[:limit] + [scored for scored in found[limit:] if scored[1].feature in watch]
        return tuple(reading for _, reading in kept)


def tally_of(dictionary: Dictionary, codes: Sequence[AtomCodes]) -> Tally:
    """Strength of every feature of one dictionary over a stretch of atoms: [d_sae] values and peaks."""
    sae = dictionary.sae
    n_tokens = sum(code.n_tokens for code in codes)
    if sae.grain == "passage":
        if n_tokens == 0:
            return Tally(torch.zeros(sae.d_sae), torch.zeros(sae.d_sae))
        total = torch.stack([code.pooled[dictionary.reads] for code in codes]).sum(dim=0)
        values = sae.encode(sae.pool(total, n_tokens))[0].float().cpu()
        return Tally(values, values)
    values, peaks = torch.zeros(sae.d_sae), torch.zeros(sae.d_sae)
    for code in codes:
        sparse = code.sparse[sae.id]
        values[sparse.features] += sparse.sums
        peaks[sparse.features] = torch.maximum(peaks[sparse.features], sparse.peaks)
    return Tally(values / (n_tokens + PSEUDO_TOKENS), peaks)


def _break_tokens(atom: Atom) -> int:
    """How many first tokens are the paragraph break: they belong to no prose and count nowhere."""
    if not atom.opens_paragraph:
        return 0
    return next((n for n, span in enumerate(atom.token_spans) if len(span)), len(atom.ids))


def _peak_span(atoms: Sequence[tuple[Atom, AtomCodes]], sae: str, index: int) -> tuple[int, int]:
    """Where in the prose a feature is strongest; a passage-level feature holds the whole stretch."""
    best, place = 0.0, None
    for atom, codes in atoms:
        sparse = codes.sparse.get(sae)
        if sparse is None:
            continue
        at = int(torch.searchsorted(sparse.features, index))
        if at < len(sparse.features) and int(sparse.features[at]) == index and float(sparse.peaks[at]) > best:
            best, place = float(sparse.peaks[at]), atom.token_spans[int(sparse.where[at])]
    if place is not None:
        return place.start, place.end
    spans = [atom.sentence for atom, _ in atoms]
    return (spans[0].start, spans[-1].end) if spans else (0, 0)
