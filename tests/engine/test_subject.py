"""The joint between a model and an SAE's evaluation, on random models."""

from __future__ import annotations

import pytest
import torch

from tests.support.tiny_models import D_MODEL, sae_tensors, tiny_network, tiny_tokenizer
from undersong.engine.spelling import residuals_of_words, single_token_words
from undersong.engine.subject import ModelSubject
from undersong.errors import WeightsFormat
from undersong.hook_points import HookPoint
from undersong.model.language_model import LanguageModel, describe
from undersong.model.tokens import encode
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.architectures.cross_layer_transcoder import CLTConfig, CrossLayerTranscoder, HeldDecoders
from undersong.sae.base import SAE, SAEConfig
from undersong.sae.evaluation.joined import JoinedCLT
from undersong.sae.evaluation.measure import measure, measure_inputs

TEXT = "The sea was calm, and the ship went on through the morning without a sound. " * 6


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return describe(tiny_network("llama"), tiny_tokenizer(), "tiny")


def sae_at(hook_name: str, layer: int = 1, architecture: str = "standard", **config: object) -> SAE:
    stated = SAEConfig(architecture, D_MODEL, 64, hook_name, layer, **config)  # pyright: ignore[reportArgumentType]
    return ARCHITECTURES[architecture](str(layer), stated, sae_tensors("standard", D_MODEL, 64))


@pytest.mark.parametrize(
    "name", ["blocks.1.hook_resid_post", "blocks.3.hook_resid_post", "blocks.2.hook_mlp_out", "blocks.2.hook_attn_out"]
)
def test_what_was_there_put_back_changes_nothing(model: LanguageModel, name: str) -> None:
    subject = ModelSubject(model, sae_at(name, int(name.split(".")[1])))
    ids = torch.stack(list(subject.windows([TEXT], 24, 90)))
    seen = subject.seen(ids)
    torch.testing.assert_close(subject.logits(ids, seen.held), seen.logits, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(subject.logits(ids, torch.zeros_like(seen.held)), seen.logits, atol=1e-2)


def test_skipping_the_blocks_below_is_the_same_as_replacing(model: LanguageModel) -> None:
    subject = ModelSubject(model, sae_at("blocks.1.hook_resid_post"))
    ids = torch.stack(list(subject.windows([TEXT], 24, 60)))
    rebuilt = subject.sae.rebuild(subject.seen(ids).read)
    with model.sites.replaced(HookPoint(1), lambda _: rebuilt):
        expected = model.network(input_ids=ids, use_cache=False).logits
    torch.testing.assert_close(subject.logits(ids, rebuilt), expected, atol=1e-4, rtol=1e-4)


def test_a_transcoder_is_judged_by_what_it_writes(model: LanguageModel) -> None:
    sae = sae_at("blocks.2.mlp.hook_in", 2, "transcoder", hook_out="blocks.2.hook_mlp_out", apply_b_dec_to_input=False)
    subject = ModelSubject(model, sae)
    ids = torch.stack(list(subject.windows([TEXT], 24, 60)))
    seen = subject.seen(ids)
    assert not torch.allclose(seen.read, seen.held)
    found = measure(sae, subject, [ids])
    left = (seen.held - sae.decode(sae.encode(seen.read)))[:, 1:]
    assert found.fidelity.mse.value == pytest.approx(float(left.square().sum(-1).mean()), rel=1e-4)


def test_a_crosscoder_is_judged_at_all_its_places_at_once(model: LanguageModel) -> None:
    places = [{"hook_name": f"blocks.{layer}.hook_resid_post", "width": D_MODEL} for layer in (0, 2)]
    config = SAEConfig(
        "crosscoder", 2 * D_MODEL, 64, "blocks.0.hook_resid_post", 0,
        apply_b_dec_to_input=False, extras={"undersong": {"sites": places}},
    )  # fmt: skip
    sae = ARCHITECTURES["crosscoder"]("c", config, sae_tensors("standard", 2 * D_MODEL, 64))
    subject = ModelSubject(model, sae)
    ids = torch.stack(list(subject.windows([TEXT], 24, 60)))
    seen = subject.seen(ids)
    assert seen.read.shape[-1] == 2 * D_MODEL
    with model.sites.captured([HookPoint(2)]) as found:
        model.network(input_ids=ids, use_cache=False)
    torch.testing.assert_close(seen.held[..., D_MODEL:], found[HookPoint(2)])
    torch.testing.assert_close(subject.logits(ids, seen.held), seen.logits, atol=1e-4, rtol=1e-4)
    rebuilt = sae.rebuild(seen.read)
    with model.sites.replaced(HookPoint(2), lambda _: rebuilt[..., D_MODEL:]):
        expected = model.network(input_ids=ids, use_cache=False).logits
    torch.testing.assert_close(subject.logits(ids, rebuilt), expected, atol=1e-4, rtol=1e-4)


def test_a_cross_layer_transcoder_is_judged_by_all_that_it_writes(model: LanguageModel) -> None:
    random = torch.Generator().manual_seed(0)
    n, features = 4, 12
    weights = {
        "W_enc": torch.randn(n, D_MODEL, features, generator=random),
        "b_enc": torch.zeros(n, features),
        "b_dec": torch.randn(n, D_MODEL, generator=random),
    }
    rows = [torch.randn(features, n - layer, D_MODEL, generator=random) for layer in range(n)]
    stated = CLTConfig(n, D_MODEL, features, D_MODEL, "mlp_in", "mlp_out")
    clt = CrossLayerTranscoder("clt", stated, weights, HeldDecoders(rows))
    joined = JoinedCLT(clt)
    subject = ModelSubject(model, joined)
    ids = torch.stack(list(subject.windows([TEXT], 24, 60)))
    seen = subject.seen(ids)
    expected = clt.rebuild(seen.read.reshape(-1, n, D_MODEL).transpose(0, 1)).transpose(0, 1)
    torch.testing.assert_close(joined.rebuild(seen.read).reshape(-1, n, D_MODEL), expected, atol=1e-4, rtol=1e-4)
    codes = joined.encode(seen.read)
    torch.testing.assert_close(
        codes[..., features : 2 * features], clt.encode(1, seen.read[..., D_MODEL : 2 * D_MODEL])
    )
    torch.testing.assert_close(subject.logits(ids, seen.held), seen.logits, atol=1e-4, rtol=1e-4)
    found = measure(joined, subject, [ids])
    error = (seen.held - joined.rebuild(seen.read))[:, 1:].square().sum(-1).mean()
    assert found.fidelity.mse.value == pytest.approx(float(error), rel=1e-4)
    assert found.behaviour is not None and found.features.density.shape == (n * features,)


def test_windows_begin_as_the_sae_expects(model: LanguageModel) -> None:
    with_bos = ModelSubject(model, sae_at("blocks.1.hook_resid_post"))
    without = ModelSubject(model, sae_at("blocks.1.hook_resid_post", prepend_bos=False))
    rows = list(with_bos.windows([TEXT], 16, 45))
    assert [len(row) for row in rows] == [16, 16, 16] and all(row[0] == model.bos_id for row in rows)
    bare = next(without.windows([TEXT], 16, 16))
    assert bare[:15].tolist() == rows[0][1:].tolist()
    assert list(with_bos.windows(["short"], 64, 100)) == []


def test_a_text_is_read_without_its_bos(model: LanguageModel) -> None:
    subject = ModelSubject(model, sae_at("blocks.1.hook_resid_post"))
    found = subject.codes("the sea")
    assert found is not None and subject.codes("") is None
    assert len(found.codes) == len(found.tokens) == len(found.read)
    codes, read = subject.means(["the sea", ""])
    torch.testing.assert_close(codes[0], found.codes.mean(0))
    torch.testing.assert_close(read[0], found.read.mean(0))
    assert not codes[1].any()
    assert subject.strongest(["the sea", ""], 3) == [pytest.approx(float(found.codes[:, 3].max())), 0]


def test_a_dictionary_of_passages_reads_means(model: LanguageModel) -> None:
    extras = {"undersong": {"grain": "passage", "segment_tokens": 8}}
    sae = sae_at("blocks.1.hook_resid_post", grain="passage", extras=extras, prior_tokens=2)
    subject = ModelSubject(model, sae)
    ids = torch.stack(list(subject.windows([TEXT], 25, 70)))
    read = subject.segments(ids)
    assert read.shape == (len(ids), 2, D_MODEL)
    expected = sae.pool(subject.read(ids)[0, 8:16].sum(0), 8)[0]
    torch.testing.assert_close(read[0, 0], expected)
    found = measure_inputs(sae, [read])
    assert found.behaviour is None and found.tokens == 2 * len(ids)


def test_an_sae_of_another_width_or_place_is_refused(model: LanguageModel) -> None:
    with pytest.raises(WeightsFormat, match=r"expected d_in 48, the model's at blocks\.1\.mlp\.hook_post; found 32"):
        ModelSubject(model, sae_at("blocks.1.mlp.hook_post"))
    with pytest.raises(WeightsFormat, match="expected a block from 0 to 3, found 9"):
        ModelSubject(model, sae_at("blocks.9.hook_resid_post", 9))


def test_words_of_one_token_are_read_where_a_prompt_spells_others(model: LanguageModel) -> None:
    subject = ModelSubject(model, sae_at("blocks.1.hook_resid_post"))
    assert single_token_words(subject, 100) == ["the"]
    found = residuals_of_words(subject, ["the"] * 3, batch=2)
    prompt = "\n the: T" * 3 + "\n"
    ids = [model.bos_id or 0, *encode(model.tokenizer, prompt).ids, *encode(model.tokenizer, " the").ids]
    expected = subject.read(torch.tensor([ids]))[0, -1]
    torch.testing.assert_close(found, expected.expand(3, -1), atol=1e-5, rtol=1e-5)
