"""Writing: candidates steered by the dials, each re-read with the unsteered model.

1. The place is found (places.py); its prompt's clean KV cache is forked and never written back.
2. Doses of the features asked for come from the catalogue, or the cache on disk, or are calibrated.
   Together the dials keep to one budget on the draft at hand (budget.py).
3. A continuation: candidates and one unsteered row are generated as one batch, a token of every row a step. A rewrite
   or a bridge is written sentence by sentence with look-ahead (sentences.py).
4. Everything is re-read unsteered in one batch: presence of every feature before and after, fluency against the
   unsteered row, and how well the text that follows goes on from it.
5. Candidates are ranked (choosing.py): with text before those without, then by what they lack of what must stay, then
   by what was asked for, fluency and fit.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import torch

from undersong.catalogue.doses import Doses
from undersong.engine.always_off import AlwaysOffFeatures
from undersong.engine.budget import Budget
from undersong.engine.calibration import calibrate
from undersong.engine.choosing import Qualities, gain, score
from undersong.engine.conditions import gates
from undersong.engine.drafts import Outline
from undersong.engine.loading import Loaded
from undersong.engine.measuring import Measured, measure, presence, receipt
from undersong.engine.passages import PassageReader
from undersong.engine.places import Place, Places
from undersong.engine.reading import Reader
from undersong.engine.remarks import SPOILED, of_always_off, of_dials, of_guards, of_lacking
from undersong.engine.rows import Drawn, Row
from undersong.engine.sentences import Line, Sentences
from undersong.engine.steering import Control, Turned, feature_id, hooks, turned
from undersong.engine.unfolding import Unfolding
from undersong.model.guarded import Guarded
from undersong.model.kv_cache import WindowCache
from undersong.model.sampling import Sampler
from undersong.model.steps import Wanted
from undersong.wire import Dial, Dose, Receipt, Stop, WriteChunk, WriteProgress, WriteRequest, WriteResult

SETTLED = 32
"""Tokens before the sentence at hand that are enough to try the dials on."""
UNSTEERED_TOKENS = 48
"""Of the unsteered text that a rewrite's fluency is measured against: its nats per token hardly change after these."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finished text and its ids. `lacking`: how much of what it must have it has not; `notes` for its receipt."""

    text: str
    ids: list[int]
    lacking: int = 0
    notes: tuple[str, ...] = ()


Steps = Generator[WriteProgress | WriteChunk | Wanted | None, None, list[Candidate]]


class Writer:
    """Used on the device thread only."""

    def __init__(self, loaded: Loaded, reader: Reader, passages: PassageReader, doses: Doses) -> None:
        self._loaded, self._reader, self._doses = loaded, reader, doses
        self._places = Places(loaded, reader, passages)
        self._budget = Budget(loaded, reader)
        self._always_off = AlwaysOffFeatures(loaded)

    def write(
        self, outline: Outline, request: WriteRequest
    ) -> Generator[WriteProgress | WriteChunk | Wanted | None, None, tuple[WriteResult, ...]]:
        """Steps; returns the finished candidates, best first."""
        place = self._places.find(outline, request)
        asked = self._controls(request.dials)
        shut = self._always_off.controls(request.always_off, [feature_id(control.feature) for control in asked])
        # What is always off is pushed away from only where it is, so that it takes no share.
        controls = [*(yield from self._dosed(asked, _away_share(asked))), *(yield from self._dosed(shut, 1.0))]
        by_sentence = request.kind != "continue" and request.stop in ("sentence", "paragraph")
        write = self._by_sentence if by_sentence else self._at_once
        # While the sentence at hand is typed the factor stays, and need not be found anew.
        settled = place.prompt[: place.settled if place.settled >= SETTLED else None]
        tried = place.asking if by_sentence and place.asking else settled
        factor = yield from self._budget.factor(tried, controls[: len(asked)])
        # What is always off is never raised.
        controls[len(asked) :] = [replace(one, target=one.target / max(1.0, factor)) for one in controls[len(asked) :]]
        candidates = yield from write(place, request, controls, factor)
        yield WriteProgress("measure", 0, 1)
        original = [place.replaced] if request.kind == "rewrite" and place.replaced else []
        texts = [*(candidate.ids for candidate in candidates), *original]
        window = yield from self._reader.window(place.prompt)
        measured = measure(self._loaded, window, len(place.prompt), texts, place.following)
        yield WriteProgress("measure", 1, 1)
        notes = (*of_dials(self._loaded, controls[: len(asked)], factor), *of_always_off(request.always_off, len(shut)))
        return self._results(request, controls[: len(asked)], candidates, measured, notes)

    def adapted(
        self, dials: Sequence[Dial], prompt: Sequence[int]
    ) -> Generator[WriteProgress | Wanted, None, tuple[list[Control], float]]:
        """Steps; returns the dials and by what all their doses are multiplied, as they act after `prompt`."""
        asked = self._controls(dials)
        controls = yield from self._dosed(asked, _away_share(asked))
        return controls, (yield from self._budget.factor(prompt, controls))

    def _dosed(self, controls: Sequence[Control], away: float) -> Generator[WriteProgress, None, list[Control]]:
        """Steps; returns them with their targets; doses away from a feature are multiplied by `away`."""
        dosed: list[Control] = []
        for control in controls:
            doses = control.feature.doses(control.dial.strength)
            if doses:
                dose = yield from self.dose(control.feature)
                control = replace(control, target=doses * dose.activation * (away if doses < 0 else 1.0))
            dosed.append(control)
        return dosed

    def dose(self, feature: Turned) -> Generator[WriteProgress, None, Dose]:
        """Steps; returns the dose of a feature, calibrated here where neither catalogue nor cache knows it."""
        name = feature_id(feature)
        known = self.known_dose(name)
        if known is None:
            known = yield from calibrate(self._loaded, feature.dictionary, feature.index)
            self._doses.put(self._loaded.fingerprint, name, known)
        return known

    def known_dose(self, feature: str) -> Dose | None:
        """The dose of a feature id, as its catalogue says or as it was calibrated here before. Any thread."""
        return self._loaded.catalogue.dose(feature) or self._doses.get(self._loaded.fingerprint, feature)

    def _controls(self, dials: Sequence[Dial]) -> list[Control]:
        """Each feature once, as it was first named: a dial given by id and again by name is not added up."""
        controls: dict[str, Control] = {}
        for dial in dials:
            feature = turned(self._loaded, dial)
            controls.setdefault(feature_id(feature), Control(dial, feature))
        return list(controls.values())

    def _at_once(self, place: Place, request: WriteRequest, controls: Sequence[Control], factor: float) -> Steps:
        """Steps; returns the candidates, and last the unsteered text."""
        tokenizer = self._loaded.model.tokenizer
        minimum = max(1, place.minimum)
        # The unsteered row draws as the first candidate does, so strength 0 repeats it.
        rows = [
            Row(self._sampler(request, row % request.candidates), Unfolding(tokenizer, request.stop, minimum))
            for row in range(request.candidates + 1)
        ]
        rows[-1].steered = False
        # It is compared with, whether it comes to an end or not.
        rows[-1].text = Unfolding(tokenizer, _uncut(request), minimum)
        window = yield from self._completed(place.prompt, place)
        drawn = self._generate(window, len(place.prompt), rows, place.max_tokens, controls, factor, request.always_off)
        done = 0
        for told in drawn:
            if isinstance(told, Wanted):
                yield told
                continue
            done += 1
            for number, text in enumerate(told[:-1]):
                if text:
                    yield WriteChunk(number, text)
            yield WriteProgress("write", min(done, place.max_tokens), place.max_tokens)
        return [
            Candidate("", [], notes=(SPOILED,))
            if row.spoiled
            else Candidate(row.text.text, row.text.kept, notes=of_guards(row.written, row.braked, row.held))
            for row in rows
        ]

    def _by_sentence(self, place: Place, request: WriteRequest, controls: Sequence[Control], factor: float) -> Steps:
        """Steps; returns the candidates, and last an unsteered text."""
        asking = place.asking or place.prompt
        window = (yield from self._completed(asking, place)).branch(len(asking))
        clean = window
        if place.asking is not None:
            clean = (yield from self._completed(place.prompt, place)).branch(len(place.prompt))

        def draw(after: WindowCache, n: int, rows: Sequence[Row], room: int) -> Drawn:
            return self._generate(
                after, n, rows, room, controls, factor, request.always_off, ends=place.asking is not None
            )

        unsteered = Row(self._sampler(request, 0), Unfolding(self._loaded.model.tokenizer, "length", 1), steered=False)
        for told in draw(window, window.length, [unsteered], min(place.max_tokens, UNSTEERED_TOKENS)):
            yield told if isinstance(told, Wanted) else None
        base_ids = self._reread(place, unsteered.text.text, unsteered.text.kept)
        base = measure(self._loaded, clean, len(place.prompt), [base_ids], ())[0].logprob or 0.0

        def judge(line: Line, texts: Sequence[Unfolding]) -> list[float]:
            if place.asking is None:
                found, after = [text.kept[len(line.ids) :] for text in texts], line.window
            else:
                found, after = [self._reread(place, text.text, text.kept) for text in texts], clean
            measured = measure(self._loaded, after, after.length, found, place.following)
            return [score(_qualities(controls, each, base)) for each in measured]

        sentences = Sentences(self._loaded, place, request, draw, judge)
        lines = yield from sentences.write(window)
        made: list[Candidate] = []
        for line in lines:
            ids, lacking = self._reread(place, line.text, line.ids), sentences.lacking(line)
            notes = list(of_guards(line.written, line.braked, line.held))
            if lacking and line.text:
                notes.append(of_lacking(lacking))
            is_short = request.length is not None and len(line.ids) < place.minimum
            if is_short and line.text:
                notes.append(f"shorter than asked: {len(line.ids)} tokens, expected {place.minimum} at least")
            made.append(Candidate(line.text, ids, 2 * len(lacking) + is_short, tuple(notes)))
        return [*made, Candidate(unsteered.text.text, base_ids)]

    def _reread(self, place: Place, text: str, ids: list[int]) -> list[int]:
        """What was written as it stands in the draft: an answer has no space before its first word."""
        if place.asking is None:
            return ids
        lead = " " if place.space and text[:1].strip() else ""
        return list(self._loaded.encode(lead + text)[0])[: max(place.max_tokens, len(place.replaced))]

    def _completed(self, ids: list[int], place: Place) -> Generator[WriteProgress | None, None, WindowCache]:
        """Steps; returns a window that begins with `ids`, to be forked before the next step."""
        steps = self._reader.complete(ids)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value
            yield WriteProgress("write", 0, place.max_tokens)

    def _generate(
        self,
        window: WindowCache,
        n_prompt: int,
        rows: Sequence[Row],
        max_tokens: int,
        controls: Sequence[Control],
        factor: float,
        always_off: Sequence[str],
        ends: bool = False,
    ) -> Drawn:
        """See rows.Draw. `factor`: of all doses; `ends`: end-of-text tokens end a row.

        A steered row with a word that is `always_off` ends there, and nothing of it is told.
        """
        model = self._loaded.model
        factors = torch.tensor([factor if row.steered else 0.0 for row in rows])
        banned = model.special_ids | self._loaded.line_break_ids
        generation = Guarded(
            model,
            window,
            n_prompt,
            [row.sampler for row in rows],
            max_tokens=max_tokens,
            interventions=hooks(controls, factors, gates(self._loaded, controls, window, n_prompt, len(rows))),
            banned=banned - model.eos_ids if ends else banned,
            before=rows[0].text.before,
        )
        told = [""] * len(rows)
        while True:
            for number, row in enumerate(rows):
                if row.text.ended or row.spoiled:
                    generation.finish(number)
            ids = yield from generation.advance()
            if ids is None:
                break
            new = [row.text.take(token) if token is not None else "" for row, token in zip(rows, ids, strict=True)]
            if always_off:
                # Nothing is told of a text that may still be left out. Its last word may grow into another.
                told = [earlier + more for earlier, more in zip(told, new, strict=True)]
                new = [""] * len(rows)
                for row in rows:
                    row.spoil(row.text.text.rpartition(" ")[0], always_off)
            yield new
        for number, row in enumerate(rows):
            row.written, row.braked, row.held = (
                len(generation.ids[number]), generation.braked[number], generation.held[number]
            )  # fmt: skip
        rest = [row.text.close() for row in rows]
        for row in rows:
            row.spoil(row.text.text, always_off)
        yield ["" if row.spoiled else held + text for row, held, text in zip(rows, told, rest, strict=True)]

    def _sampler(self, request: WriteRequest, row: int) -> Sampler:
        return Sampler(request.temperature, request.top_p, request.seed, row)

    def _results(
        self,
        request: WriteRequest,
        controls: Sequence[Control],
        candidates: Sequence[Candidate],
        measured: Sequence[Measured],
        notes: tuple[str, ...],
    ) -> tuple[WriteResult, ...]:
        """Of all candidates but the last, which is the unsteered text. `notes`: for every receipt."""
        base = measured[len(candidates) - 1]
        before = measured[-1]
        dials, features = [control.dial for control in controls], [control.feature for control in controls]
        ranked: list[tuple[tuple[bool, int, float], WriteResult]] = []
        for number, candidate in enumerate(candidates[:-1]):
            told = receipt(self._loaded, request.seed, dials, features, before, measured[number], base)
            told = replace(told, notes=(*notes, *candidate.notes))
            is_empty = not candidate.text.strip()
            order = (is_empty, candidate.lacking, -score(_of(told, features)))
            ranked.append((order, WriteResult(number, candidate.text, told)))
        ranked.sort(key=lambda pair: pair[0])
        return tuple(result for _, result in ranked)


def _of(told: Receipt, features: Sequence[Turned]) -> Qualities:
    return Qualities(gain(features, told.effects), math.log(max(told.fluency, 1e-9)), told.fit or 0.0)


def _qualities(controls: Sequence[Control], measured: Measured, base: float) -> Qualities:
    """Of one text among others at the same place. `base`: nats per token of an unsteered one."""
    won = sum(
        (-1.0 if control.feature.asked == "ablate" else 1.0) * presence(control.feature, measured)
        for control in controls
        if control.dial.strength
    )
    return Qualities(won, (measured.logprob or 0.0) - base, measured.following or 0.0)


def _uncut(request: WriteRequest) -> Stop:
    """How the unsteered row of a continuation ends: as the candidates, but with a sentence that is not whole."""
    return "fragment" if request.stop == "sentence" else "length" if request.stop == "paragraph" else request.stop


def _away_share(controls: Sequence[Control]) -> float:
    """What each dose away from a feature is cut to, so that together they are one dose at most.

    Whoever silences ten features wants to hear less of them, not a text pushed ten doses off.
    """
    away = sum(-min(0.0, control.feature.doses(control.dial.strength)) for control in controls)
    return 1.0 / max(1.0, away)
