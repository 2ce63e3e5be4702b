"""What strength 1.0 is for a feature, and what it does.

1. Output score (Arad et al. 2025): the feature's direction, as long as the residual, is added to neutral openings;
   (1 - best rank / V) x the largest probability among the WORDS tokens that the direction promotes most through the
   final norm's gain and the unembedding. High: raising it brings out its own words.
2. Dose: engine/calibration.py, as for any feature that a writer turns.
3. Outcome: texts of N_TOKENS tokens after the calibration's openings at strength 0 and 1, the same seeds, read again by
   the unsteered model: presence of the feature, perplexity.
4. Steers: what the encoder reads there rises by more than chance explains (paired over texts, z > SURE), and by at
   least LEAST of the largest reading of a paragraph in the reference. Read before the selection: presence is 0 wherever
   the feature is not among the k strongest, so that it tells 40 texts apart only where the effect is large.

On the CPU, whatever there is: a dose measured in bfloat16 is another dose.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import root  # noqa: F401
import torch
from benchmarks.steering.texts import (
    Desk,
    Written,
    desk,
    load_weights,
    nats_per_token,
    played,
    presences,
    turned_to,
    unsteered,
)
from manifest import SAES

from undersong.catalogue.doses import Doses
from undersong.engine.calibration import calibrate
from undersong.engine.openings import OPENINGS
from undersong.engine.steering import Turned, find
from undersong.model.blocks import hidden_of, with_hidden
from undersong.model.scoring import score
from undersong.wire import Dose, Outcome

WORDS = 20
SAMPLES, N_TOKENS = 5, 40
SURE, LEAST = 2.6, 0.05
TOGETHER = 6


@dataclass(frozen=True, slots=True)
class Measured:
    """`z`, `rise`: of the paired differences of what the encoder reads; `rise` as a share of the largest reading of a
    paragraph in the reference, 0 for a feature that has none.
    """

    feature: str
    dose: Dose
    output_score: float
    outcome: Outcome
    z: float
    rise: float

    @property
    def steers(self) -> bool:
        return self.z > SURE and self.rise >= LEAST


def measure_features(out: Path, features: Iterable[str], work: Path) -> None:
    """Adds a line to doses.jsonl for each feature that has none yet. A process for each thread: one text is too small
    a thing for several."""
    known = load_measured(out, work)
    missing = [feature for feature in features if feature not in known]
    groups = _groups(missing)
    if not groups:
        return
    with (
        TemporaryDirectory(prefix="us") as kept,
        ProcessPoolExecutor(
            torch.get_num_threads(), mp_context=get_context("spawn"), initializer=_begin, initargs=(out, Path(kept))
        ) as pool,
    ):
        done = 0
        for found in pool.map(_measure_group, groups):
            _append(found, out, work)
            done += len(found)
            print(f"{done} of {len(missing)} doses", flush=True)


def _groups(features: Iterable[str]) -> list[list[str]]:
    """At most TOGETHER of one dictionary each."""
    of_one = [list(same) for _, same in groupby(features, _sae)]
    return [same[at : at + TOGETHER] for same in of_one for at in range(0, len(same), TOGETHER)]


@dataclass(frozen=True, slots=True)
class _Place:
    """What a process measures at."""

    desk: Desk
    base: list[Written]


_places: list[_Place] = []


def _begin(out: Path, kept: Path) -> None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    place = desk(load_weights(out), Doses.open(kept / f"{os.getpid()}.sqlite"), OPENINGS)
    _places.append(_Place(place, unsteered(place, SAMPLES, N_TOKENS)))


def _measure_group(features: list[str]) -> list[Measured]:
    (place,) = _places
    return measure(place.desk, features, place.base)


def _append(found: Iterable[Measured], out: Path, work: Path) -> None:
    weights = {sae: _weights(out, sae) for sae in {_sae(one.feature) for one in found}}
    with (work / "doses.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(one) | {"weights": weights[_sae(one.feature)]}) + "\n" for one in found)


def _sae(feature: str) -> str:
    return feature.rpartition(".")[0]


def _weights(out: Path, sae: str) -> str:
    """Of all that a dose is measured with: another model or dictionary has other doses."""
    digest = hashlib.sha256()
    for file in (
        out / "model/model.safetensors",
        *(out / SAES[sae].path / name for name in ("sae_weights.safetensors", "steering.safetensors")),
    ):
        digest.update(file.read_bytes() if file.exists() else b"")
    return digest.hexdigest()[:16]


def measure(place: Desk, features: Sequence[str], base: list[Written]) -> list[Measured]:
    """Of features of one dictionary."""
    turned = [find(place.loaded, feature) for feature in features]
    largest = turned[0].dictionary.reference.quantiles[:, -1]
    read_before = _readings(place, turned, base)
    # Not `writer.dose`: a catalogue that is there may be of earlier weights.
    doses = [played(calibrate(place.loaded, one.dictionary, one.index)) for one in turned]
    found: list[Measured] = []
    written = turned_to(place, turned, doses, 1.0, SAMPLES, N_TOKENS)
    for number, (feature, one, dose, texts) in enumerate(zip(features, turned, doses, written, strict=True)):
        before, after = (float(presences(one, each).mean()) for each in (base, texts))
        ratio = math.exp(nats_per_token(texts) - nats_per_token(base))
        change = _readings(place, [one], texts)[:, 0] - read_before[:, number]
        spread = float(change.std()) / math.sqrt(len(change))
        found.append(
            Measured(
                feature,
                dose,
                output_score(place, one),
                Outcome(round(before, 4), round(after, 4), round(ratio, 4)),
                z=round(float(change.mean()) / spread, 2) if spread > 0 else 0.0,
                rise=round(float(change.mean() / most), 4) if (most := float(largest[one.index])) > 0 else 0.0,
            )
        )
    return found


def _readings(place: Desk, features: Sequence[Turned], texts: Sequence[Written]) -> torch.Tensor:
    """[n_texts, n_features]: of each text's passage, or the mean over its tokens, before the selection."""
    sae = features[0].dictionary.sae
    indices = [one.index for one in features]
    weight, bias = sae.W_enc[:, indices].float(), sae.b_enc[indices].float()
    origin = sae.b_dec.float() if sae.config.apply_b_dec_to_input else torch.zeros(sae.d_in)
    means: list[torch.Tensor] = []
    for opening, window in enumerate(place.windows):
        ids = [text.ids for text in texts if text.opening == opening]
        rows = score(place.loaded.model, window, window.length, ids, [sae.config.point])
        for row, text in zip(rows, ids, strict=True):
            residual = row.read[sae.config.point][: len(text)].float()
            pooled = sae.pool(residual.sum(0), len(text))[0] if sae.grain == "passage" else residual.mean(0)
            means.append(pooled)
    return (torch.stack(means) - origin) @ weight + bias


@torch.inference_mode()
def output_score(place: Desk, turned: Turned) -> float:
    """Mean over the openings, 0 to 1."""
    model, layer = place.loaded.model, turned.dictionary.sae.hook_layer
    direction = turned.direction[0].float()
    gain = next(module for name, module in model.network.named_modules() if name.endswith("model.norm")).weight
    head = model.network.get_output_embeddings().weight.float() * gain.float()
    own = (head @ direction).topk(WORDS).indices

    def push(_module: object, _inputs: object, output: Any) -> Any:
        hidden = hidden_of(output).clone()
        # As the engine steers: never the start token.
        hidden[:, 1:] += hidden[:, 1:].norm(dim=-1, keepdim=True) * torch.nn.functional.normalize(direction, dim=0)
        return with_hidden(output, hidden)

    scores: list[float] = []
    handle = model.blocks.modules[layer].register_forward_hook(push)
    try:
        for window in place.windows:
            logits = model.network(input_ids=model.tensor([list(window.ids)]), use_cache=False).logits[0, -1].float()
            rank = int((logits > logits[own].max()).sum())
            scores.append((1 - rank / len(logits)) * float(logits.softmax(-1)[own].max()))
    finally:
        handle.remove()
    return round(sum(scores) / len(scores), 4)


def load_measured(out: Path, work: Path) -> dict[str, Measured]:
    """What was measured with the weights in `out`."""
    file = work / "doses.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    weights = {sae: _weights(out, sae) for sae in {_sae(row["feature"]) for row in rows}}
    return {
        row["feature"]: Measured(
            row["feature"], Dose(**row["dose"]), row["output_score"], Outcome(**row["outcome"]), row["z"], row["rise"]
        )
        for row in rows
        if row["weights"] == weights[_sae(row["feature"])]
    }
