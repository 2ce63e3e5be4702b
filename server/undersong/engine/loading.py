"""Put a model, its SAEs, their reference statistics and the catalogue together.

Either the default weights (a folder with a manifest: every file's hash is checked) or any transformers causal model
with SAEs given by path. Everything is loaded on the device thread.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import torch

from undersong import __version__
from undersong.catalogue.store import Catalogue
from undersong.engine import reference, weights
from undersong.engine.directions import STEERING, load_directions
from undersong.engine.folders import cache_folder
from undersong.engine.presence import DENSE, POSITION_BOUND, Reference, load_reference
from undersong.errors import BadWeights
from undersong.model.load import LanguageModel, load_model
from undersong.model.tokens import encode
from undersong.sae.base import SAE, check_fits
from undersong.sae.load import load_sae
from undersong.text.span import Span

REFERENCE = "reference.safetensors"
Say = Callable[[str, float], None]
"""Called with what is being done and the share done, 0 to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Dictionary:
    """One SAE in use. `shown`: [d_sae] bool, features that a writer may see unasked; `roles`: "read", "steer".

    `steering`: [d_sae, d_in], what is added for a feature, where that is not the decoder's row (directions.py).
    """

    sae: SAE
    roles: tuple[str, ...]
    reference: Reference
    shown: torch.Tensor
    steering: torch.Tensor | None = None

    def directions(self, indices: Sequence[int] | torch.Tensor) -> torch.Tensor:
        """[k, d_in]: what is added to the residual stream for one unit of each feature."""
        if self.steering is None:
            return self.sae.directions(indices)
        return self.steering[torch.as_tensor(indices, dtype=torch.long).reshape(-1)]


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """All that reading and writing need. `fingerprint`: of model and SAEs, for caches on disk and in memory.

    `steers`: feature id -> whether raising it does anything, where that is known.
    """

    model: LanguageModel
    dictionaries: dict[str, Dictionary]
    catalogue: Catalogue
    names: dict[str, str]
    steers: dict[str, bool]
    fingerprint: str
    typography: str
    paragraph_break: str
    line_break_ids: frozenset[int]

    @property
    def reading(self) -> tuple[Dictionary, ...]:
        return tuple(d for d in self.dictionaries.values() if "read" in d.roles)

    def name(self, feature: str) -> str:
        return self.names.get(feature, feature)

    def encode(self, text: str) -> tuple[tuple[int, ...], tuple[Span, ...]]:
        tokens = encode(self.model.tokenizer, text)
        return tokens.ids, tokens.spans


@dataclass(frozen=True, slots=True)
class _Source:
    """One SAE to load, and the files that go with it."""

    path: Path
    id: str | None
    roles: tuple[str, ...]
    reference: Path | None
    steering: Path | None


def load(model: str | None, saes: tuple[str, ...], device: str | None, say: Say) -> Iterator[Loaded | None]:
    """Load step by step: yields None after each `say`, before what it says is done, and the result last.

    Raises BadWeights.
    """
    if model is None and not saes:
        folder = weights.find_default()
        manifest = weights.read_manifest(folder)
        say("checking the weights", 0.1)
        yield None
        weights.verify(folder, manifest)
        sources = [_listed(folder, entry) for entry in manifest.saes if entry.is_loaded]
        model_path, typography, paragraph_break = str(folder / manifest.model), manifest.typography, "\n"
        catalogue = Catalogue.open(folder / manifest.catalogue) if manifest.catalogue else Catalogue.empty()
    else:
        model_path, typography, paragraph_break = _needed(model, saes), "any", "\n\n"
        sources = [_given(Path(path)) for path in saes]
        catalogue = _catalogue_beside(saes)
    if not any("read" in source.roles for source in sources):
        raise BadWeights(f"expected at least one SAE with the role read for {model_path}, found none")
    say("loading the language model", 0.3)
    yield None
    language_model = load_model(model_path, device)
    dictionaries: dict[str, Dictionary] = {}
    fingerprint = _fingerprint(model_path, sources)
    for number, source in enumerate(sources):
        say(f"loading SAE {number + 1} of {len(sources)}", 0.5 + 0.4 * number / len(sources))
        yield None
        sae = load_sae(source.path, device=str(language_model.device), id=source.id)
        check_fits(sae, language_model.d_model, language_model.n_layers)
        if sae.id in dictionaries:
            raise BadWeights(
                f"{source.path}: expected one SAE for each layer and grain, found a second one with id {sae.id}"
            )
        if source.reference is None:
            say(f"measuring reference statistics for {sae.id}", 0.5 + 0.4 * (number + 0.5) / len(sources))
            yield None
            statistics = yield from _measured_reference(language_model, sae, fingerprint)
        else:
            statistics = load_reference(source.reference, sae.d_sae)
        steering = None if source.steering is None else load_directions(source.steering, sae)
        shown = _shown(sae, statistics, catalogue)
        dictionaries[sae.id] = Dictionary(sae, source.roles, statistics, shown, steering)
    yield Loaded(
        model=language_model,
        dictionaries=dictionaries,
        catalogue=catalogue,
        names=dict(catalogue.names()),
        steers=_steers(dictionaries, catalogue),
        fingerprint=fingerprint,
        typography=typography,
        paragraph_break=paragraph_break,
        line_break_ids=_line_break_ids(language_model),
    )


def _line_break_ids(model: LanguageModel) -> frozenset[int]:
    """Tokens that hold a line break, as byte-level and SentencePiece vocabularies spell it."""
    vocabulary = model.tokenizer.get_vocab()
    return frozenset(n for token, n in vocabulary.items() if any(mark in token for mark in ("Ċ", "\n", "<0x0A>")))


def _needed(model: str | None, saes: tuple[str, ...]) -> str:
    if model is None:
        raise BadWeights("expected a model for the SAEs given (engine.model or --model), found none")
    if not saes:
        raise BadWeights(f"expected at least one SAE for {model} (engine.saes or --sae), found none")
    return model


def _listed(folder: Path, entry: weights.SAEEntry) -> _Source:
    """An SAE of a manifest."""
    path = folder / entry.path
    reference, steering = (None if name is None else path / name for name in (entry.reference, entry.steering))
    return _Source(path, entry.id, entry.roles, reference, steering)


def _given(path: Path) -> _Source:
    """An SAE of the user's own, with what lies beside its weights."""
    reference, steering = (file if file.exists() else None for file in (path / REFERENCE, path / STEERING))
    return _Source(path, None, ("read", "steer"), reference, steering)


def _catalogue_beside(saes: tuple[str, ...]) -> Catalogue:
    """A catalogue that lies with the first SAE, if there is one."""
    path = Path(saes[0]) / "catalogue.sqlite"
    return Catalogue.open(path) if path.exists() else Catalogue.empty()


def _measured_reference(model: LanguageModel, sae: SAE, fingerprint: str) -> Generator[None, None, Reference]:
    """Steps; returns the reference of an SAE that came without one, from the cache where it was measured before."""
    path = cache_folder() / "references" / f"{fingerprint}-{sae.id}.safetensors"
    known = reference.kept(path, sae.d_sae)
    if known is not None:
        return known
    for step in reference.measure(model, sae, reference.reference_passages()):
        known = step
        yield None
    assert known is not None
    reference.keep(path, known)
    return known


def _shown(sae: SAE, statistics: Reference, catalogue: Catalogue) -> torch.Tensor:
    """[d_sae] bool: Dictionary.shown."""
    prefix = f"{sae.id}."
    named = [int(feature[len(prefix) :]) for feature in catalogue.names() if feature.startswith(prefix)]
    if named:
        shown = torch.zeros(sae.d_sae, dtype=torch.bool)
        shown[named] = True
    else:
        # Nobody has named these: show all of them by number, but for those that are on everywhere.
        shown = torch.ones(sae.d_sae, dtype=torch.bool)
    return shown & (statistics.frequency <= DENSE) & (statistics.position_bias <= POSITION_BOUND)


def _steers(dictionaries: dict[str, Dictionary], catalogue: Catalogue) -> dict[str, bool]:
    """What the catalogue knows, and that nothing is steered with an SAE that only reads."""
    known = dict(catalogue.steers())
    for name, dictionary in dictionaries.items():
        if "steer" not in dictionary.roles:
            known |= {f"{name}.{index}": False for index in range(dictionary.sae.d_sae)}
    return known


def _fingerprint(model_path: str, sources: list[_Source]) -> str:
    """Of names, sizes and times: cheap, and different whenever a file, or how we measure, was replaced."""
    digest = blake2b(__version__.encode(), digest_size=12)
    for path in [Path(model_path), *(source.path for source in sources)]:
        digest.update(str(path).encode())
        for file in sorted(path.rglob("*")) if path.is_dir() else []:
            if file.is_file():
                digest.update(f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}".encode())
    return digest.hexdigest()
