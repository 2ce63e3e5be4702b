"""Figures of weights, each against a plain and slow way to get the same number."""

from __future__ import annotations

import json
import math

import pytest
import torch
from corpus import read_heldout_books
from heldout import Text, ordinary, spread, tokens_of, typographic, whole, windows
from hypothesis import given, settings
from hypothesis import strategies as st
from model_figures import distinct, predicted, variety, write_samples
from numpy import arange, array
from sae_figures import measure_saes, segment_means

import figures
from figures import Budget, Parts, measure, measure_catalogue, numbers, parts, ship, tables
from tests.catalogue.rows import changed, row
from tests.support.tiny_models import write_sae
from undersong.assist.settings import WritingSettings
from undersong.catalogue.build import write_catalogue
from undersong.engine.loading import load
from undersong.engine.openings import OPENINGS
from undersong.engine.passages import PassageReader
from undersong.engine.reading import Reader
from undersong.hook_points import HookPoint
from undersong.model.generation import generate
from undersong.model.kv_cache import WindowCache
from undersong.model.load import load_model
from undersong.model.sampling import Sampler
from undersong.model.tokens import decode
from undersong.sae.load import load_sae
from undersong.text.typography import plain

from .small_corpus import write_corpus, write_shipped

LENGTH = 48


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus")


@pytest.fixture(scope="module")
def books(corpus):
    return read_heldout_books(corpus)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    return write_shipped(tmp_path_factory.mktemp("shipped"))


@pytest.fixture(scope="module")
def model(shipped):
    return load_model(shipped / "model", "cpu")


# --- the text --------------------------------------------------------------------------------------------------


def test_tokens_spell_the_books_and_count_their_characters(model, books):
    text = tokens_of(model, ordinary(books))
    assert decode(model.tokenizer, text.ids.tolist()) == "".join(book.text + "\n" for book in books)
    for book, begin, end in zip(books, text.books[:-1], text.books[1:], strict=True):
        assert text.characters[begin:end].sum() == len(book.text) + 1


def test_the_plain_reading_of_the_typographic_copy_has_its_characters_and_the_books_tokens(model, books):
    dressed = typographic(books)
    assert "“It’s nothing" in dressed[0][0] and "—as grey as slate… " in dressed[0][0]
    text = tokens_of(model, dressed, plain)
    assert text.ids.tolist() == tokens_of(model, ordinary(books)).ids.tolist()
    assert text.characters.sum() == sum(len(prose) + 1 for proses in dressed for prose in proses)
    as_written = tokens_of(model, dressed)
    assert len(as_written.ids) > len(text.ids) and as_written.characters.sum() == text.characters.sum()


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.integers(2, 20))
def test_every_token_is_in_one_window_and_no_window_in_two_books(sizes, length):
    borders = array([0, *sizes]).cumsum()
    text = Text(arange(1, borders[-1] + 1), arange(borders[-1]) % 3, borders)
    cut = windows(text, length, bos=0)
    rows = [row[1 : n + 1] for row, n in zip(cut.ids.tolist(), cut.tokens.tolist(), strict=True)]
    assert [token for row in rows for token in row] == text.ids.tolist()
    assert all(row[0] == 0 for row in cut.ids.tolist())
    assert cut.characters.sum() == text.characters.sum()
    for own in rows:
        assert not any(own[0] <= border < own[-1] for border in borders)
    assert whole(cut).tokens.tolist() == [length - 1] * sum(size // (length - 1) for size in sizes)


def test_a_sample_of_windows_runs_from_the_first_to_the_last():
    cut = windows(Text(arange(90), arange(90), array([0, 90])), 10, bos=0)
    assert spread(cut, 4).ids[:, 1].tolist() == [0, 27, 54, 81]
    assert len(spread(cut, None)) == len(spread(cut, 99)) == 10


# --- the model -------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_prediction_is_what_reading_token_by_token_gives(model, books):
    text = tokens_of(model, ordinary(books))
    found = predicted(model, text, LENGTH, None)
    nats = 0.0
    for begin, end in zip(text.books[:-1], text.books[1:], strict=True):
        for start in range(begin, end, LENGTH - 1):
            seen = [0]
            for token in text.ids[start : min(start + LENGTH - 1, end)].tolist():
                nats -= float(model.network(torch.tensor([seen])).logits[0, -1].log_softmax(-1)[token])
                seen.append(token)
    assert found["nats_per_token"].value == pytest.approx(nats / len(text.ids), rel=1e-5)
    characters = sum(len(book.text) + 1 for book in books)
    assert found["bits_per_character"].value == pytest.approx(nats / math.log(2) / characters, rel=1e-5)
    assert found["bits_per_character"].error > 0


def test_samples_are_the_same_each_time_and_the_first_of_a_larger_lot(model):
    few, more = write_samples(model, 3), write_samples(model, 10)
    assert more[:3] == few and few[0] != few[1]
    written = {token for sample in more for token in sample}
    assert not written & model.special_ids and all("\n" not in decode(model.tokenizer, [token]) for token in written)


def test_a_sample_is_what_the_engine_writes_after_its_opening(shipped, monkeypatch, tmp_path):
    monkeypatch.setenv("UNDERSONG_CACHE_DIR", str(tmp_path))
    *_, loaded = load(str(shipped / "model"), (str(shipped / "saes/1"),), "cpu", lambda *said: None)
    passages = PassageReader(loaded.encode, "plain", "\n", loaded.model.context)
    samples = write_samples(loaded.model, len(OPENINGS))
    for number, opening in enumerate(OPENINGS):
        window = WindowCache(loaded.model, [HookPoint(0)])
        window.extend(Reader(loaded).prompt_ids(passages.read(opening).atoms))
        generation = generate(
            loaded.model,
            window,
            window.length,
            [Sampler(WritingSettings().temperature, WritingSettings().top_p, 0, number)],
            max_tokens=100,
            banned=loaded.model.special_ids | loaded.line_break_ids,
        )
        for _ in generation:
            pass
        assert generation.ids == [samples[number]]


@pytest.mark.parametrize(
    ("sample", "n", "expected"), [([1, 2, 3, 4], 1, 1), ([1, 1, 1, 1], 1, 0.25), ([1, 2, 1, 2, 1], 2, 0.5)]
)
def test_distinct_n_grams(sample, n, expected):
    assert distinct(sample, n) == expected


def test_repetition_is_the_share_of_4_grams_that_came_before():
    loop, fresh = [1, 2, 3, 4] * 5, list(range(20))
    found = variety([loop, fresh])
    assert found["repetition"].value == pytest.approx((13 / 17 + 0) / 2)
    assert found["distinct_1"].value == pytest.approx((4 / 20 + 1) / 2)


# --- the SAEs --------------------------------------------------------------------------------------------------


@torch.no_grad()
def slowly(model, sae, rows):
    """The figures of a token SAE by one forward pass a window and replacement."""
    inputs, outputs, codes = [], [], []
    nats = {"clean": 0.0, "sae": 0.0, "zero": 0.0}
    for ids in rows.ids:
        states = model.network(ids[None], output_hidden_states=True).hidden_states
        x = states[sae.hook_layer + 1][0]
        code = sae.encode(x)
        hat = sae.decode(code)
        for name, replaced in (("clean", x), ("sae", hat), ("zero", torch.zeros_like(x))):
            whole_stream = torch.cat([x[:1], replaced[1:]])[None]
            handle = model.blocks.modules[sae.hook_layer].register_forward_hook(lambda *_, new=whole_stream: new)
            logprobs = model.network(ids[None]).logits[0].log_softmax(-1)
            handle.remove()
            nats[name] -= sum(float(logprobs[at, ids[at + 1]]) for at in range(len(ids) - 1))
        inputs.append(x[1:])
        outputs.append(hat[1:])
        codes.append(code[1:])
    plain_figures = compared(sae, torch.cat(inputs).double(), torch.cat(outputs).double(), torch.cat(codes))
    return plain_figures | {"ce_score": (nats["zero"] - nats["sae"]) / (nats["zero"] - nats["clean"])}


def compared(sae, x, hat, codes):
    centre = sae.b_dec.double()
    top = sum(float((h - centre) @ (v - centre)) for h, v in zip(hat, x, strict=True))
    bottom = sum(float((v - centre) @ (v - centre)) for v in x)
    frequency = (codes > 0).double().mean(0)
    return {
        "explained_variance": 1
        - float((x - hat).var(0, correction=0).sum() + (x - hat).mean(0).square().sum())
        / float(x.var(0, correction=0).sum()),
        "L0": float((codes > 0).sum(1).double().mean()),
        "dead": float((codes == 0).all(0).double().mean()),
        "dense": float((frequency > 0.1).double().mean()),
        "shrinkage": top / bottom,
        "norm_ratio": float((hat.norm(dim=1) / x.norm(dim=1)).mean()),
    }


@pytest.mark.parametrize(("architecture", "layer"), [("topk", 1), ("topk", 0), ("jumprelu", 2)])
def test_figures_of_a_token_sae(model, books, tmp_path, architecture, layer):
    sae = load_sae(write_sae(tmp_path, architecture=architecture, layer=layer))
    rows = whole(windows(tokens_of(model, ordinary(books)), LENGTH, 0))
    found = figures.estimates(measure_saes(model, {"x": sae}, rows)["x"])
    assert {name: each.value for name, each in found.items()} == pytest.approx(slowly(model, sae, rows), rel=1e-4)


def test_several_saes_are_measured_in_one_reading_as_each_alone(model, shipped, books):
    saes = parts(shipped).saes
    rows = spread(whole(windows(tokens_of(model, ordinary(books)), 80, 0)), 3)
    together = measure_saes(model, saes, rows)
    for name, sae in saes.items():
        assert measure_saes(model, {name: sae}, rows)[name] == together[name]


def test_means_of_passages_leave_out_the_first_and_the_rest():
    resid = torch.arange(11.0)[None, :, None].expand(2, 11, 3)
    assert segment_means(resid, 4)[0, :, 0].tolist() == [5.5]
    assert segment_means(resid, 3)[1, :, 0].tolist() == [4.0, 7.0]


@torch.no_grad()
def test_figures_of_a_dictionary_of_passages(model, books, shipped):
    sae = load_sae(shipped / "saes/p2")
    rows = whole(windows(tokens_of(model, ordinary(books)), 100, 0))
    found = figures.estimates(measure_saes(model, {"p2": sae}, rows)["p2"])
    means = []
    for ids in rows.ids:
        x = model.network(ids[None], output_hidden_states=True).hidden_states[sae.hook_layer + 1][0]
        means += [x[32:64].mean(0), x[64:96].mean(0)]
    x, codes = torch.stack(means), sae.encode(torch.stack(means))
    expected = compared(sae, x.double(), sae.decode(codes).double(), codes)
    assert {name: each.value for name, each in found.items()} == pytest.approx(expected, rel=1e-4)


# --- the catalogue, and all together ---------------------------------------------------------------------------


def test_the_catalogue_is_counted(tmp_path, shipped):
    file = tmp_path / "catalogue.sqlite"
    rows = [
        changed(row("1.0", "the sea"), detection=0.7, steers=True),
        changed(row("1.1", "grief"), detection=0.9, steers=False),
        changed(row("p2.4", "letters"), detection=None, steers=True),
        changed(row("2.3", "hidden", shown=False), detection=0.1, steers=True),
        changed(row("2.5", "doors"), detection=0.8, steers=None),
    ]
    write_catalogue(file, rows)
    there = parts(shipped)
    reading = Parts(there.model, there.saes, frozenset({"1", "p2"}), file)
    found = {name: each.value for name, each in figures.estimates(measure_catalogue(file, reading)).items()}
    assert found == {
        "named_features": 4,
        "named_features_read": 3,
        "passage_share": 0.25,
        "median_detection": 0.8,
        "steers_measured": 3,
        "steers_share": pytest.approx(2 / 3),
    }


def test_of_a_catalogue_without_scores_and_effects_none_are_told(tmp_path, shipped):
    file = tmp_path / "catalogue.sqlite"
    write_catalogue(file, [changed(row("1.0", "the sea"), detection=None)])
    found = figures.estimates(measure_catalogue(file, parts(shipped)))
    assert set(found) == {"named_features", "named_features_read", "passage_share", "steers_measured"}


def test_weights_are_measured_with_and_without_a_manifest(shipped, corpus, tmp_path):
    for part in ("model", "saes"):
        (tmp_path / part).symlink_to(shipped / part)
    budget = Budget(2, 4)
    assert numbers(measure(shipped, corpus, budget)) == numbers(measure(tmp_path, corpus, budget))


def test_figures_are_shipped_in_the_manifest_and_in_the_cfg_of_each_sae(tmp_path, corpus, monkeypatch):
    folder = write_shipped(tmp_path / "weights")
    found, short = measure(folder, corpus, Budget(2, 4)), measure(folder, corpus, Budget(1, 2))
    written = {}
    monkeypatch.setattr(figures, "write_manifest", lambda path, measured: written.update({path: measured}))
    monkeypatch.setattr(figures, "SHORT_FIGURES", tmp_path / "short.json")
    ship(folder, found, short)
    assert json.loads((tmp_path / "short.json").read_text()) == numbers(short) != numbers(found)
    assert written == {folder: numbers(found)["measured"]}
    config = json.loads((folder / "saes/p2/cfg.json").read_text())
    assert config["metadata"]["measured"] == numbers(found)["saes"]["p2"]
    # Six digits are kept, and a count is kept whole.
    assert written[folder]["parameters"] == sum(
        p.numel() for p in load_model(folder / "model", "cpu").network.parameters()
    )
    assert written[folder]["nats_per_token"] == pytest.approx(tables(found)[""]["nats_per_token"].value, rel=1e-5)
