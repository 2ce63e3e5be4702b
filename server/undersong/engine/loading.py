"""Put a model, its SAEs, their reference statistics and the catalogue together.

Either the default weights (a folder with a manifest: every file's hash is checked) or any transformers causal model
with SAEs given by path. Everything is loaded on the device thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import torch

from undersong import __version__
from undersong.catalogue.store import Catalogue
from undersong.engine import reference, weights
from undersong.engine.adapting import take_up
from undersong.engine.directions import STEERING, load_directions
from undersong.engine.folders import cache_folder
from undersong.engine.presence import DENSE, POSITION_BOUND, Reference, load_reference
from undersong.engine.self_check import check_once
from undersong.engine.subject import check_fits
from undersong.errors import BadWeights, WeightsFormat
from undersong.hook_points import HookPoint, order
from undersong.model.adapters import Adapter, find_adapter
from undersong.model.load import LanguageModel, load_model
from undersong.model.packing import pack
from undersong.model.tokens import encode
from undersong.sae.architectures.crosscoder import CrosscoderSAE
from undersong.sae.base import SAE
from undersong.sae.load import load_sae
from undersong.text.span import Span

logger = logging.getLogger(__name__)

REFERENCE = "reference.safetensors"
Say = Callable[[str, float], None]
"""Called with what is being done and the share done, 0 to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Dictionary:
    """One SAE in use. `shown`: [d_sae] bool, features that a writer may see unasked; `roles`: "read", "steer".

    `steering`: [d_sae, d_out], what is added for a feature, where that is not the decoder's row (directions.py).
    """

    sae: SAE
    roles: tuple[str, ...]
    reference: Reference
    shown: torch.Tensor
    steering: torch.Tensor | None = None

    @property
    def reads(self) -> HookPoint:
        return self.sae.config.point

    def directions(self, indices: Sequence[int] | torch.Tensor) -> torch.Tensor:
        """[k, d_out]: what is added where the SAE writes for one unit of each feature, times `SAE.unit`."""
        if self.steering is None:
            return self.sae.directions(indices)
        return self.steering[torch.as_tensor(indices, dtype=torch.long).reshape(-1)]


@dataclass(frozen=True, slots=True)
class Traceable:
    """An SAE of the manifest that is only there to trace circuits through: not loaded until somebody does."""

    path: Path
    id: str


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """All that reading and writing need. `fingerprint`: of model and SAEs, for caches on disk and in memory.

    `steers`: feature id -> whether raising it does anything, where that is known. `traceable`: what lies beside.
    `warnings`: what is likely wrong with an SAE, for a person. `adapter`: the digest of one merged into the model.
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
    warnings: tuple[str, ...] = ()
    adapter: str = ""
    traceable: tuple[Traceable, ...] = ()

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
    """One SAE to load, and the files that go with it. `known`: one of a manifest, whose weights are just what was
    tried when they were made; others are tried here (self_check.py)."""

    path: Path
    id: str | None
    roles: tuple[str, ...]
    reference: Path | None
    steering: Path | None
    known: bool


def load(
    model: str | None, saes: tuple[str, ...], device: str | None, say: Say, adapter: str | None = None
) -> Iterator[Loaded | None]:
    """Load step by step: yields None after each `say`, before what it says is done, and the result last.

    Raises BadWeights; BadInput for an adapter where peft is not installed.
    """
    put_on = None if adapter is None else find_adapter(adapter)
    if model is None and not saes:
        folder = weights.find_default()
        manifest = weights.read_manifest(folder)
        say("checking the weights", 0.1)
        yield None
        weights.verify(folder, manifest)
        sources = [_listed(folder, entry) for entry in manifest.saes if entry.is_loaded]
        beside = [Traceable(folder / entry.path, entry.id) for entry in manifest.saes if not entry.is_loaded]
        model_path, typography, paragraph_break = str(folder / manifest.model), manifest.typography, "\n"
        catalogue = Catalogue.open(folder / manifest.catalogue) if manifest.catalogue else Catalogue.empty()
    else:
        model_path, typography, paragraph_break = _needed(model, saes), "any", "\n\n"
        sources, beside = [_given(Path(path).expanduser()) for path in saes], []
        catalogue = _catalogue_beside(sources[0])
    if not any("read" in source.roles for source in sources):
        raise BadWeights(f"expected at least one SAE with the role read for {model_path}, found none")
    say("loading the language model", 0.3)
    yield None
    language_model = load_model(model_path, device)
    loaded: dict[str, tuple[_Source, SAE]] = {}
    for number, source in enumerate(sources):
        say(f"loading SAE {number + 1} of {len(sources)}", 0.4 + 0.2 * number / len(sources))
        yield None
        sae = _of_one_place(source, language_model)
        if sae.id in loaded:
            raise BadWeights(
                f"{source.path}: expected one SAE for each hook point and grain, found a second one with id {sae.id}"
            )
        loaded[sae.id] = source, sae
    dictionaries: dict[str, Dictionary] = {}
    warnings: list[str] = []
    fingerprint = _fingerprint(model_path, sources, put_on)
    if put_on is not None:
        say("putting the adapter on", 0.6)
        yield None
        readers = [sae for source, sae in loaded.values() if "read" in source.roles]
        kept_at = cache_folder() / "checks" / f"{fingerprint}-adapter.json"
        language_model, told = yield from take_up(language_model, put_on, readers, kept_at)
        warnings += told
        # What steering this model does is measured anew.
        catalogue = catalogue.without_effects()
    pack(language_model)
    for number, (source, sae) in enumerate(loaded.values()):
        if sae.grain == "token" and not source.known:
            kept_at = cache_folder() / "checks" / f"{fingerprint}-{sae.id}.json"
            if not kept_at.exists():
                say(f"trying {sae.id} on a little text", 0.6 + 0.3 * (number + 0.25) / len(sources))
                yield None
            checked = check_once(language_model, sae, kept_at)
            warnings += [f"SAE {sae.id} ({source.path}): {warning}" for warning in checked.warnings]
        if source.reference is not None:
            statistics = load_reference(source.reference, sae.d_sae)
        else:
            kept_at = cache_folder() / "references" / f"{fingerprint}-{sae.id}.safetensors"
            known = reference.kept(kept_at, sae.d_sae)
            if known is None:
                say(f"measuring reference statistics for {sae.id}", 0.6 + 0.3 * (number + 0.5) / len(sources))
                yield None
                known = yield from reference.measured(language_model, sae, kept_at)
            statistics = known
        steering = None if source.steering is None else load_directions(source.steering, sae)
        shown = _shown(sae, statistics, catalogue)
        dictionaries[sae.id] = Dictionary(sae, _roles(source, sae, language_model), statistics, shown, steering)
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
        warnings=tuple(warnings),
        adapter="" if put_on is None else put_on.digest,
        traceable=tuple(beside),
    )


def _of_one_place(source: _Source, model: LanguageModel) -> SAE:
    """The SAE, which fits the model. WeightsMissing, WeightsFormat."""
    sae = load_sae(source.path, device=str(model.device), id=source.id)
    if isinstance(sae, CrosscoderSAE):
        raise WeightsFormat(
            f"{source.path}: expected an SAE that reads one place of the model and writes one; "
            f"found a crosscoder of {len(sae.places)} places, which is for comparing layers or models"
        )
    check_fits(model, sae)
    reads, writes = sae.config.point, sae.config.point_out
    if order(writes) < order(reads):
        raise WeightsFormat(f"SAE {sae.id}: expected one that writes after it reads ({reads}); found {writes}")
    return sae


def _roles(source: _Source, sae: SAE, model: LanguageModel) -> tuple[str, ...]:
    """Those stated, but for steering where nothing can be added to the residual stream."""
    if "steer" not in source.roles or model.sites.stream(sae.config.point_out) is not None:
        return source.roles
    logger.warning("SAE %s reads, does not steer: %s is no part of the residual stream", sae.id, sae.config.point_out)
    return tuple(role for role in source.roles if role != "steer")


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
    return _Source(path, entry.id, entry.roles, reference, steering, known=True)


def _given(path: Path) -> _Source:
    """An SAE of the user's own, with what lies beside its weights."""
    reference, steering = (file if file.exists() else None for file in (path / REFERENCE, path / STEERING))
    return _Source(path, None, ("read", "steer"), reference, steering, known=False)


def _catalogue_beside(source: _Source) -> Catalogue:
    """A catalogue that lies with the first SAE, if there is one."""
    path = source.path / "catalogue.sqlite"
    return Catalogue.open(path) if path.exists() else Catalogue.empty()


def _shown(sae: SAE, statistics: Reference, catalogue: Catalogue) -> torch.Tensor:
    """[d_sae] bool: Dictionary.shown."""
    shown = torch.ones(sae.d_sae, dtype=torch.bool)
    # What was tried is shown if it has a name that holds; what nobody tried to name goes by its id.
    shown[_of(sae, catalogue.features())] = False
    shown[_of(sae, catalogue.names())] = True
    return shown & (statistics.frequency <= DENSE) & (statistics.position_bias <= POSITION_BOUND)


def _of(sae: SAE, features: Iterable[str]) -> list[int]:
    """Those of this SAE, by number. WeightsFormat where it has no such feature."""
    prefix = f"{sae.id}."
    found = [int(feature[len(prefix) :]) for feature in features if feature.startswith(prefix)]
    if found and max(found) >= sae.d_sae:
        raise WeightsFormat(
            f"SAE {sae.id}: expected a catalogue of its {sae.d_sae} features, found one with {prefix}{max(found)}"
        )
    return found


def _steers(dictionaries: dict[str, Dictionary], catalogue: Catalogue) -> dict[str, bool]:
    """What the catalogue knows, and that nothing is steered with an SAE that only reads."""
    known = dict(catalogue.steers())
    for name, dictionary in dictionaries.items():
        if "steer" not in dictionary.roles:
            known |= {f"{name}.{index}": False for index in range(dictionary.sae.d_sae)}
    return known


def _fingerprint(model_path: str, sources: list[_Source], adapter: Adapter | None = None) -> str:
    """Of names, sizes and times, and what an adapter holds: cheap, and different whenever a file, or how we measure,
    was replaced."""
    digest = blake2b(__version__.encode(), digest_size=12)
    for path in [Path(model_path).expanduser(), *(source.path for source in sources)]:
        # One file is one file, however its path was written; a name on the hub is no path here.
        digest.update(str(path.resolve() if path.exists() else path).encode())
        for file in sorted(_files_of(path)):
            state = file.stat()
            digest.update(f"{file.name} {state.st_size} {state.st_mtime_ns}".encode())
    if adapter is not None:
        digest.update(f"adapter {adapter.digest}".encode())
    return digest.hexdigest()


def _files_of(path: Path) -> list[Path]:
    """All files in a folder; a single file, and those beside it that may say what it is; none of a name on the hub."""
    if path.is_dir():
        return [file for file in path.rglob("*") if file.is_file()]
    return [path, *path.parent.glob("*.json"), *path.parent.glob("*.yaml")] if path.is_file() else []
