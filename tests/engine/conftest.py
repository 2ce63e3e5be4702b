"""A tiny random model with its SAEs, loaded as a user's own would be, once for the session."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import cache
from typing import Any

import pytest
import torch

from tests.engine.plain_hooks import SAES, opening, saes_of, written
from tests.support.decoders import change_step
from tests.support.tiny_models import TinyWeights, write_model, write_weights
from undersong.catalogue.doses import Doses
from undersong.engine.drafts import Draft, Outliner
from undersong.engine.loading import Loaded, load
from undersong.engine.memory import Memory
from undersong.engine.passages import PassageReader
from undersong.engine.reading import Reader
from undersong.engine.windows import Limits
from undersong.engine.writing import Writer
from undersong.model.language_model import LanguageModel
from undersong.model.tokens import encode
from undersong.wire import DraftUpdate, Splice

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> TinyWeights:
    return write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def loaded(weights, tmp_path_factory) -> Loaded:
    patch = pytest.MonkeyPatch()
    patch.setenv("UNDERSONG_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    paths = tuple(map(str, weights.saes.values()))
    steps = list(load(str(weights.model), paths, "cpu", lambda *said: None))
    patch.undo()
    assert steps[-1] is not None
    return steps[-1]


class Bench:
    """A reader, a writer and drafts on one loaded model, driven by hand."""

    def __init__(self, loaded: Loaded, folder, memory: Memory | None = None) -> None:
        self.loaded = loaded
        passages = PassageReader(loaded.encode, loaded.typography, loaded.paragraph_break, max_atom=40)
        self.reader = Reader(loaded, memory)
        self.doses = Doses.open(folder / "doses.sqlite")
        self.writer = Writer(loaded, self.reader, passages, self.doses)
        self.outliner = Outliner(passages, Limits.of_context(loaded.model.context), b"tiny")

    def draft(self, *paragraphs: str) -> Draft:
        draft = Draft(self.outliner)
        draft.apply(update(1, None, Splice(0, 0, paragraphs)))
        return draft

    def read(self, draft: Draft, wanted=None):
        numbers = range(len(draft.outline.passages)) if wanted is None else wanted
        return play(self.reader.read(draft.outline, tuple(numbers), ()))


def update(version: int, base: int | None, splice: Splice) -> DraftUpdate:
    return DraftUpdate("draft", version, base, splice)


def play(steps: Generator[Any, None, Any]) -> Any:
    """Run steps to their end; what they return."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@pytest.fixture
def bench(loaded, tmp_path) -> Bench:
    return Bench(loaded, tmp_path)


@pytest.fixture
def fresh(loaded, tmp_path):
    """Another one with cold caches, each time it is called."""
    return lambda: Bench(loaded, tmp_path)


@pytest.fixture(scope="session")
def opened(tmp_path_factory) -> Iterator[Callable[[str], Loaded]]:
    """The tiny model of an architecture with all SAEs whose site it has, loaded as a user's own would be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNDERSONG_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("undersong.engine.reference.reference_passages", lambda: ["The sea was gray.", "It rained."])

        @cache
        def of(architecture: str) -> Loaded:
            folder = tmp_path_factory.mktemp(architecture)
            model = write_model(folder / "model", architecture)
            paths = [written(folder / name, SAES[name], seed) for seed, name in enumerate(saes_of(architecture))]
            return opening(model, *paths)

        yield of


@pytest.fixture
def habit(loaded, monkeypatch):
    """Sentences end: a table is added to the logits.

    After a full stop comes a space, after a space a capital letter or a small one, now and then a full stop.
    """
    ids = {text: encode(loaded.model.tokenizer, text).ids[0] for text in [". ", " ", "a", *"ABCDaeiou"]}
    dot, space = ids[". "], ids[" "]
    table = torch.zeros((loaded.model.vocab_size, loaded.model.vocab_size))
    table[:, dot] += 4.0
    table[:, space] += 2.0
    table[dot] = 0
    table[dot, space] = 30.0
    for letter in "ABCD":
        table[space, ids[letter]] = 8.0
    for letter in "aeiou":
        table[:, ids[letter]] += 3.0
    plain = LanguageModel.logits
    monkeypatch.setattr(LanguageModel, "logits", lambda self, fed, cache: plain(self, fed, cache) + table[fed])

    def stepped(step):
        def run(self, parts):
            return [logits + table[part.ids] for part, logits in zip(parts, step(self, parts), strict=True)]

        return run

    change_step(monkeypatch, stepped)
