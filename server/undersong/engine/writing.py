"""Writing: candidates steered by the dials, each re-read with the unsteered model.

1. The prompt is what the model sees before the place to write (its window, as for reading), so its clean KV cache is
   there already; suggestions fork it and never write back.
2. Doses of the features asked for come from the catalogue, or the cache on disk, or are calibrated.
3. Candidates and one unsteered row are generated as one batch: a token of every row is one step.
4. Everything is re-read unsteered in one batch: presence of every feature before and after, fluency against the
   unsteered row, and how well the text that follows goes on from it.
5. Candidates are ranked: what was asked for first, then fluency and fit.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import torch

from undersong.catalogue.doses import Doses
from undersong.engine.calibration import calibrate
from undersong.engine.drafts import Outline
from undersong.engine.loading import Loaded
from undersong.engine.measuring import Measured, measure, receipt
from undersong.engine.passages import PassageReader
from undersong.engine.reading import CHUNK, Reader
from undersong.engine.steering import Turned, feature_id, interventions, turned
from undersong.engine.unfolding import Unfolding
from undersong.errors import BadInput, BadText
from undersong.model.generation import generate
from undersong.model.sampling import Sampler
from undersong.wire import Dial, Dose, Stop, WriteChunk, WriteProgress, WriteRequest, WriteResult

MAX_CANDIDATES = 16
FOLLOWING_TOKENS = 48
"""How much of the text that follows is asked whether it still goes on from the suggestion."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where to write. `prompt`: ids before it; `replaced`, `following`: of the text replaced and after it.

    A suggestion has at most `max_tokens`; with all of these the model's context is not exceeded.
    """

    prompt: list[int]
    replaced: list[int]
    following: list[int]
    max_tokens: int


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """A dial and the feature that it turns. `target`: activation to reach, or to add; ablation has none."""

    dial: Dial
    feature: Turned
    target: float = 0.0


class Writer:
    """Used on the device thread only."""

    def __init__(self, loaded: Loaded, reader: Reader, passages: PassageReader, doses: Doses) -> None:
        self._loaded, self._reader, self._passages, self._doses = loaded, reader, passages, doses

    def write(
        self, outline: Outline, request: WriteRequest
    ) -> Generator[WriteProgress | WriteChunk | None, None, tuple[WriteResult, ...]]:
        """Steps; returns the finished candidates, best first."""
        _check(request, outline)
        place = self._place(outline, request)
        controls: list[Control] = []
        chosen = self._controls(request.dials)
        share = _away_share(chosen)
        for control in chosen:
            doses = control.feature.doses(control.dial.strength)
            if doses:
                dose = yield from self.dose(control.feature)
                control = replace(control, target=doses * dose.activation * (share if doses < 0 else 1.0))
            controls.append(control)
        rows = yield from self._generate(place, request, controls)
        yield WriteProgress("measure", 0, 1)
        texts = [place.replaced] if request.kind == "rewrite" and place.replaced else []
        window = yield from self._reader.window(place.prompt)
        measured = measure(
            self._loaded, window, len(place.prompt), [*(row.kept for row in rows), *texts], place.following
        )
        yield WriteProgress("measure", 1, 1)
        return self._results(request, controls, rows, measured)

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

    def _place(self, outline: Outline, request: WriteRequest) -> Place:
        passage = outline.passages[request.paragraph]
        first = outline.firsts[request.paragraph]
        here = outline.paragraph_atoms(request.paragraph)
        text = passage.plain.text
        start = passage.plain.to_plain_offset(request.start)
        end = passage.plain.to_plain_offset(request.end)
        # The sentence at hand begins where the one before it ended; its window is what the model sees.
        sentence = next((a for a in here if outline.atoms[a].sentence.end >= request.start), here.stop)
        while sentence > first and outline.atoms[sentence - 1].sentence.end >= request.start:
            sentence -= 1
        home = min(sentence, len(outline.atoms) - 1)
        lead = outline.windows[outline.homes[home]].lead if outline.windows else 0
        # Where a window begins its lead-in may be short, or none after a very long sentence.
        length = sum(len(atom.ids) for atom in outline.atoms[lead:sentence])
        while lead > 0 and length < self._loaded.model.context // 8:
            lead -= 1
            length += len(outline.atoms[lead].ids)
        prompt = self._reader.prompt_ids(outline.atoms[lead:sentence])
        begun = 0 if sentence == first else passage.plain.to_plain_offset(outline.atoms[sentence - 1].sentence.end)
        if sentence == first:
            prompt += self._passages.break_ids
        # Tokens hold the white space before a word: what is written begins with it, the prompt does not end in it.
        prompt += self._ids(text[begun:start].rstrip())
        space = "" if not text[:start].strip() else " "
        replaced = self._ids(space + text[start:end].strip()) if text[start:end].strip() else []
        following = self._ids(" " + text[end:].strip()) if text[end:].strip() else []
        for later in range(request.paragraph + 1, len(outline.passages)):
            if len(following) >= FOLLOWING_TOKENS:
                break
            following += [i for atom in outline.passages[later].atoms for i in atom.ids]
        return self._fitted(prompt or list(self._passages.break_ids), replaced, following, request.max_tokens)

    def _fitted(self, prompt: list[int], replaced: list[int], following: list[int], max_tokens: int) -> Place:
        """Within the context: an eighth is kept for the prompt, and one for what follows. Raises BadText."""
        context = self._loaded.model.context
        following = following[: min(FOLLOWING_TOKENS, context // 8)]
        most = context - context // 8 - len(following)
        if len(replaced) > most:
            raise BadText(
                f"too long to rewrite in one piece: expected at most {most} tokens (the model's context is {context}), "
                f"found {len(replaced)}"
            )
        max_tokens = min(max_tokens, most)
        room = context - max(max_tokens, len(replaced)) - len(following)
        if len(prompt) > room:
            bos = self._reader.prompt_ids(())
            prompt = bos + prompt[len(prompt) - room + len(bos) :]
        return Place(prompt, replaced, following, max_tokens)

    def _ids(self, text: str) -> list[int]:
        return list(self._loaded.encode(text)[0]) if text else []

    def _generate(
        self, place: Place, request: WriteRequest, controls: Sequence[Control]
    ) -> Generator[WriteProgress | WriteChunk | None, None, list[Unfolding]]:
        """Steps; returns the candidates' texts and last the unsteered row's."""
        n_rows = request.candidates + 1
        turning = [control for control in controls if control.dial.strength != 0 and control.feature.share > 0]
        targets = torch.tensor([[control.target for control in turning]] * n_rows)
        steered = torch.tensor([1.0] * request.candidates + [0.0])
        hooks = interventions([control.feature for control in turning], targets, steered) if turning else []
        # Row r draws from (seed, r); the unsteered row draws as the first candidate does, so strength 0 repeats it.
        samplers = [
            Sampler(request.temperature, request.top_p, request.seed, row % request.candidates) for row in range(n_rows)
        ]
        model = self._loaded.model
        n_prompt = len(place.prompt)
        window = yield from self._reader.window(place.prompt)
        while window.completed < n_prompt:
            window.complete(upto=n_prompt, limit=CHUNK)
            yield WriteProgress("write", 0, place.max_tokens)
            window = yield from self._reader.window(place.prompt)
        generation = generate(
            model,
            window,
            n_prompt,
            samplers,
            max_tokens=place.max_tokens,
            interventions=hooks,
            banned=model.special_ids | self._loaded.line_break_ids,
        )
        minimum = _minimum(request.stop, place)
        rows = [Unfolding(model.tokenizer, request.stop, minimum) for _ in range(n_rows)]
        for done, ids in enumerate(generation, start=1):
            for number, (row, new) in enumerate(zip(rows, ids, strict=True)):
                text = row.take(new) if new is not None else ""
                if row.ended:
                    generation.finish(number)
                if text and number < request.candidates:
                    yield WriteChunk(number, text)
            yield WriteProgress("write", done, place.max_tokens)
        for number, row in enumerate(rows[:-1]):
            rest = row.close()
            if rest:
                yield WriteChunk(number, rest)
        rows[-1].close()
        return rows

    def _results(
        self,
        request: WriteRequest,
        controls: Sequence[Control],
        rows: Sequence[Unfolding],
        measured: Sequence[Measured],
    ) -> tuple[WriteResult, ...]:
        base = measured[len(rows) - 1]
        before = measured[-1]
        dials, features = [control.dial for control in controls], [control.feature for control in controls]
        scored: list[tuple[float, WriteResult]] = []
        for number, row in enumerate(rows[:-1]):
            after = measured[number]
            told = receipt(self._loaded, request.seed, dials, features, before, after, base)
            gain = sum(
                (-1.0 if feature.asked == "ablate" else 1.0) * (effect.after - effect.before)
                for feature, effect in zip(features, told.effects, strict=True)
                if effect.strength
            )
            score = gain + 0.5 * min(0.0, math.log(max(told.fluency, 1e-9))) + 0.25 * (told.fit or 0.0)
            # An empty candidate is never the best, whatever it scores.
            scored.append((score if row.text.strip() else -math.inf, WriteResult(number, row.text, told)))
        scored.sort(key=lambda pair: -pair[0])
        return tuple(result for _, result in scored)


def _away_share(controls: Sequence[Control]) -> float:
    """What each dose away from a feature is cut to, so that together they are one dose at most.

    Whoever silences ten features wants to hear less of them, not a text pushed ten doses off.
    """
    away = sum(-min(0.0, control.feature.doses(control.dial.strength)) for control in controls)
    return 1.0 / max(1.0, away)


def _minimum(stop: Stop, place: Place) -> int:
    """Tokens before which a sentence end does not end the candidate: a rewrite is about as long as what it replaces."""
    if stop == "sentence":
        return 1
    usual = round(0.8 * len(place.replaced)) if place.replaced else place.max_tokens * 2 // 3
    return min(usual, place.max_tokens)


def _check(request: WriteRequest, outline: Outline) -> None:
    if not 0 <= request.paragraph < len(outline.passages):
        raise BadText(f"expected a paragraph from 0 to {len(outline.passages) - 1}, found {request.paragraph}")
    length = len(outline.passages[request.paragraph].prose)
    if not 0 <= request.start <= request.end <= length:
        raise BadText(f"expected a span within 0:{length}, found {request.start}:{request.end}")
    if not 1 <= request.candidates <= MAX_CANDIDATES:
        raise BadInput(f"candidates: expected 1 to {MAX_CANDIDATES}, found {request.candidates}")
    if request.max_tokens < 1:
        raise BadInput(f"max_tokens: expected 1 or more, found {request.max_tokens}")
    if not 0 <= request.temperature < math.inf or not 0 < request.top_p <= 1:
        raise BadInput(
            f"expected a temperature of 0 or more and top_p in (0, 1], found {request.temperature} and {request.top_p}"
        )
