"""An SAE that stands for a tiny model's stream exactly; then each usual mistake made with it on purpose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.sae.formats.samples import SAMPLES
from tests.support.tiny_models import D_MODEL, tiny_network, tiny_tokenizer
from undersong.engine.self_check import check, check_once
from undersong.errors import BadText, WeightsFormat
from undersong.model.language_model import LanguageModel, describe
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.architectures.cross_layer_transcoder import CLTConfig, CrossLayerTranscoder, HeldDecoders
from undersong.sae.base import SAE
from undersong.sae.config import SAEConfig
from undersong.sae.evaluation.joined import JoinedCLT
from undersong.sae.folding import fold_scale
from undersong.sae.load import read

TEXT = "The sea was calm that day, and the boats went out early; nobody on the shore thought of anything else. " * 8


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return describe(tiny_network("llama"), tiny_tokenizer(), "tiny")


def exact(b_dec: Tensor | None = None, **config: Any) -> tuple[SAEConfig, dict[str, Tensor]]:
    """Features for each coordinate of x - b_dec and for its negative: half of them are active, all is explained."""
    eye = torch.eye(D_MODEL)
    weights = {
        "W_enc": torch.cat([eye, -eye], dim=1), "W_dec": torch.cat([eye, -eye]),
        "b_enc": torch.zeros(2 * D_MODEL), "b_dec": torch.zeros(D_MODEL) if b_dec is None else b_dec,
    }  # fmt: skip
    stated = {"published_l0": float(D_MODEL), **config}
    return SAEConfig("standard", D_MODEL, 2 * D_MODEL, "blocks.1.hook_resid_post", 1, **stated), weights


def made(config: SAEConfig, weights: dict[str, Tensor]) -> SAE:
    return ARCHITECTURES[config.architecture]("1", config, weights)


def test_an_sae_that_is_read_as_it_was_meant_gives_no_warning(model: LanguageModel) -> None:
    found = check(model, made(*exact()), TEXT)
    assert found.warnings == () and found.tokens > 100
    assert found.l0 == pytest.approx(D_MODEL)
    assert found.explained_variance == pytest.approx(1, abs=1e-5)
    assert found.ce_score == pytest.approx(1, abs=1e-4)
    assert found.facts["L0"] == f"32.0 on {found.tokens} tokens; 32 published"


def test_our_own_text_will_do(model: LanguageModel) -> None:
    assert check(model, made(*exact())).explained_variance == pytest.approx(1, abs=1e-5)


def test_another_l0_than_was_published_is_said_with_no_cause_where_none_is_known(model: LanguageModel) -> None:
    found = check(model, made(*exact(published_l0=9.0)), TEXT)
    assert found.warnings == (
        "32.0 features are active on a token where 9 are published: none of the usual mistakes explains it: is tiny "
        "the model that it was trained on?",
    )


def test_the_model_that_a_file_names_is_said_where_nothing_else_explains_it(model: LanguageModel) -> None:
    [warning] = check(model, made(*exact(published_l0=9.0, model_name="gemma-2-2b")), TEXT).warnings
    assert warning.endswith("is tiny the model gemma-2-2b, which its file names?")


def test_a_row_that_begins_without_bos_is_judged_without_its_first_token(model: LanguageModel) -> None:
    with_bos, without = (check(model, made(*exact(prepend_bos=begun)), TEXT) for begun in (True, False))
    assert with_bos.tokens % 63 == without.tokens % 63 == 0


def test_what_is_no_number_is_told_of(model: LanguageModel) -> None:
    config, weights = exact()
    weights["b_dec"] = torch.full((D_MODEL,), torch.nan)
    [warning] = check(model, made(config, weights), TEXT).warnings
    assert "only nan of the variance is explained" in warning


def test_a_block_that_was_taken_for_another_is_found_out() -> None:
    """A stream whose first half is all that block 0 leaves, and whose other half the blocks above write."""
    network = tiny_network("llama")
    half = D_MODEL // 2
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "embed_tokens" in name:
                parameter[:, half:] = 0
            elif name.endswith(("o_proj.weight", "down_proj.weight")):
                written = slice(half, None) if ".layers.0." in name else slice(half)
                parameter[written] = 0
                parameter *= 3
    model = describe(network, tiny_tokenizer(), "halves")
    config, weights = exact(published_l0=float(half))
    weights["W_dec"][:, half:] = 0
    weights["W_enc"][half:] = 0
    right = replace(config, hook_name="blocks.0.hook_resid_post", hook_layer=0)
    assert check(model, made(right, weights), TEXT).warnings == ()
    for layer in (2, 3):
        wrong = replace(config, hook_name=f"blocks.{layer}.hook_resid_post", hook_layer=layer)
        [warning] = check(model, made(wrong, weights), TEXT).warnings
        assert "likely because it was trained at blocks.0.hook_resid_post (then 16.0 active, 1.00 explained)" in warning


def test_a_b_dec_that_was_left_in_is_found_out(model: LanguageModel) -> None:
    config, weights = exact(3 * torch.ones(D_MODEL))
    assert check(model, made(config, weights), TEXT).warnings == ()
    wrong = made(replace(config, apply_b_dec_to_input=False), weights)
    [warning] = check(model, wrong, TEXT).warnings
    assert "of the variance is explained: likely because b_dec is to be subtracted before encoding" in warning


def gated(**config: Any) -> tuple[SAEConfig, dict[str, Tensor]]:
    """As `exact`, for what is past 0.3: most of it where coordinates are of order 1, nothing where they are tiny."""
    stated, weights = exact(published_l0=24.0, **config)
    return replace(stated, architecture="jumprelu"), {**weights, "threshold": torch.full((2 * D_MODEL,), 0.3)}


@pytest.fixture(scope="module")
def quiet() -> LanguageModel:
    """A model whose stream is short."""
    network = tiny_network("llama")
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "embed_tokens" in name or name.endswith(("o_proj.weight", "down_proj.weight")):
                parameter *= 0.02
    return describe(network, tiny_tokenizer(), "quiet")


def test_a_normalisation_that_was_left_out_is_found_out(quiet: LanguageModel) -> None:
    config, weights = gated(normalization="layer_norm")
    right = check(quiet, made(config, weights), TEXT)
    assert right.warnings == () and right.explained_variance > 0.9
    [warning] = check(quiet, made(replace(config, normalization="none"), weights), TEXT).warnings
    assert "0.0 features are active on a token where 24 are published" in warning
    assert "because each input is normalised (layer_norm)" in warning


def test_a_scale_that_was_not_folded_is_found_out(quiet: LanguageModel) -> None:
    from undersong.engine.subject import ModelSubject

    config, weights = gated()
    seen = ModelSubject(quiet, made(config, weights)).read(quiet.tensor([[0, *range(5, 60)]]))[0, 1:]
    scale = D_MODEL**0.5 / float(seen.norm(dim=-1).mean())
    assert check(quiet, made(config, fold_scale(weights, scale)), TEXT).explained_variance > 0.9
    [warning] = check(quiet, made(config, weights), TEXT).warnings
    assert "because activations were scaled to a norm of sqrt(d_in), here times" in warning


@pytest.mark.parametrize("name", SAMPLES)
def test_an_sae_of_another_width_than_the_models_is_refused_whatever_its_format(
    model: LanguageModel, name: str, tmp_path: Path
) -> None:
    held = read(SAMPLES[name][3](tmp_path).path)
    at = {"hook_name": str(replace(held.config.point, layer=0)), "hook_layer": 0}
    if held.config.hook_out is not None:
        at["hook_out"] = str(replace(held.config.point_out, layer=0))
    with pytest.raises(WeightsFormat, match=r"expected d_in \d+, the model's at .*; found 24"):
        check(model, made(replace(held.config, **at), held.weights), TEXT)


def test_a_cross_layer_transcoder_is_checked_too(model: LanguageModel) -> None:
    """Features for each coordinate of what the MLPs put out, read where they are written: an exact one."""
    eye = torch.eye(D_MODEL)
    n = model.n_layers
    held = {
        "W_enc": torch.cat([eye, -eye], dim=1).expand(n, -1, -1), "b_enc": torch.zeros(n, 2 * D_MODEL),
        "b_dec": torch.zeros(n, D_MODEL),
    }  # fmt: skip
    # Each feature writes to its own layer and to none above.
    decoders = [torch.zeros(2 * D_MODEL, n - layer, D_MODEL) for layer in range(n)]
    for decoder in decoders:
        decoder[:, 0] = torch.cat([eye, -eye])
    config = CLTConfig(n, D_MODEL, 2 * D_MODEL, D_MODEL, "mlp_out", "mlp_out", published_l0=float(n * D_MODEL))
    found = check(model, JoinedCLT(CrossLayerTranscoder("clt", config, held, HeldDecoders(decoders))), TEXT)
    assert found.warnings == () and found.explained_variance == pytest.approx(1, abs=1e-5)
    assert found.l0 == pytest.approx(n * D_MODEL, abs=1)


def test_a_crosscoder_that_does_not_fit_is_told_of_too(model: LanguageModel) -> None:
    sites = [{"hook_name": f"blocks.{layer}.hook_resid_post", "width": D_MODEL} for layer in (0, 2)]
    config = SAEConfig(
        "crosscoder", 2 * D_MODEL, 8, "blocks.0.hook_resid_post", 0,
        apply_b_dec_to_input=False, published_l0=1.0, extras={"undersong": {"sites": sites}},
    )  # fmt: skip
    weights = {
        "W_enc": torch.ones(2 * D_MODEL, 8), "W_dec": torch.zeros(8, 2 * D_MODEL),
        "b_enc": torch.full((8,), 100.0), "b_dec": torch.zeros(2 * D_MODEL),
    }  # fmt: skip
    [warning] = check(model, made(config, weights), TEXT).warnings
    assert "8.0 features are active on a token where 1 are published" in warning


def test_what_was_found_is_kept_and_a_broken_file_is_made_anew(model: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "checks" / "1.json"
    sae = made(*exact(published_l0=9.0))
    found = check_once(model, sae, path)
    assert len(found.warnings) == 1
    kept = path.read_text("utf-8")
    assert check_once(model, made(*exact()), path) == found
    for broken in ("", "[]", "{}", kept.replace("l0", "l1")):
        path.write_text(broken, "utf-8")
        assert check_once(model, sae, path) == found
        assert path.read_text("utf-8") == kept


def test_a_text_of_next_to_nothing_and_a_dictionary_of_passages_are_refused(model: LanguageModel) -> None:
    with pytest.raises(BadText, match=r"expected some sentences"):
        check(model, made(*exact()), "a")
    with pytest.raises(BadText, match=r"found a dictionary of passages"):
        check(model, made(*exact(grain="passage")), TEXT)
