"""SAEs at each site of each architecture: what is read there, and what is refused."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.engine.conftest import Bench, play
from tests.engine.plain_hooks import (
    D_SAE,
    MODULES,
    PARAGRAPHS,
    SAES,
    TRANSCODER,
    at,
    opening,
    slow_encode,
    slow_read,
    some_ids,
    whole,
    written,
)
from tests.support.tiny_models import D_MODEL, write_model
from undersong.engine.presence import PSEUDO_TOKENS
from undersong.engine.steering import turned
from undersong.errors import BadStrength, WeightsFormat
from undersong.hook_points import HookPoint
from undersong.model.kv_cache import WindowCache
from undersong.sae.architectures.cross_layer_transcoder import CLTConfig
from undersong.sae.config import SAEConfig
from undersong.sae.writing import write_clt
from undersong.wire import Dial


@pytest.mark.parametrize("architecture", MODULES)
def test_readings_are_those_of_plain_hooks(opened, tmp_path, architecture):
    loaded = opened(architecture)
    bench = Bench(loaded, tmp_path)
    draft = bench.draft(*PARAGRAPHS)
    watched = [f"{name}.{index}" for name in loaded.dictionaries for index in range(D_SAE)]
    for paragraph in range(len(PARAGRAPHS)):
        (reading,) = play(bench.reader.read(draft.outline, (paragraph,), watched))
        found = {feature.feature: feature.mean for feature in reading.features}
        for name in loaded.dictionaries:
            expected = slow_strengths(bench, draft, paragraph, name)
            for index in expected.nonzero()[:, 0].tolist():
                assert found[f"{name}.{index}"] == pytest.approx(float(expected[index]), abs=1e-4), (name, index)


def slow_strengths(bench: Bench, draft, paragraph: int, name: str) -> Tensor:
    """presence.py's figure of every feature, each sentence's window run through the whole model by itself."""
    outline = draft.outline
    parts: list[Tensor] = []
    for a in outline.paragraph_atoms(paragraph):
        window = outline.windows[outline.homes[a]]
        ids = bench.reader.prompt_ids(outline.atoms[window.lead : a + 1])
        read = slow_read(bench.loaded, name, ids)[len(ids) - len(outline.atoms[a].ids) :]
        opens = a == outline.firsts[paragraph]
        parts.append(read[len(bench.loaded.encode(bench.loaded.paragraph_break)[0]) if opens else 0 :])
    read = torch.cat(parts)
    if SAES[name].grain == "passage":
        return slow_encode(bench.loaded, name, read.mean(0))
    return slow_encode(bench.loaded, name, read).sum(0) / (len(read) + PSEUDO_TOKENS)


@pytest.mark.parametrize("architecture", MODULES)
def test_reading_in_chunks_and_after_a_crop_is_reading_anew(opened, architecture):
    loaded = opened(architecture)
    ids = some_ids(loaded)
    window = WindowCache(loaded.model, [one.reads for one in loaded.dictionaries.values()])
    for start in range(0, 30, 7):
        window.extend(ids[start : start + 7])
    window.crop(11)
    window.extend(ids[11:])
    for name, one in loaded.dictionaries.items():
        torch.testing.assert_close(window.read(one.reads), slow_read(loaded, name, ids), atol=1e-5, rtol=1e-5)
    assert window.read(HookPoint(2), 3, 3).shape == (0, D_MODEL)


@pytest.mark.parametrize(
    ("points", "highest"),
    [
        ([HookPoint(0, "resid_pre")], 0),
        ([HookPoint(1, "attn_out"), HookPoint(0)], 1),
        ([HookPoint(2, "mlp_in"), HookPoint(1)], 2),
    ],
)
def test_blocks_above_the_highest_site_are_run_only_when_a_text_is_written(opened, points, highest):
    loaded = opened("llama")
    ids, ran = some_ids(loaded), []
    window = WindowCache(loaded.model, points)
    with ExitStack() as stack:
        for layer, block in enumerate(loaded.model.blocks.modules):
            hook = block.self_attn.register_forward_hook(lambda *_, layer=layer: ran.append(layer))
            stack.callback(hook.remove)
        window.extend(ids)
        assert ran == list(range(highest + 1))
        cache = window.fork(len(ids) - 1, 1)
        assert ran == list(range(4))
    with torch.no_grad():
        logits = loaded.model.logits(loaded.model.tensor([ids[-1:]]), cache)[0, -1]
    torch.testing.assert_close(logits, whole(loaded, ids)[-1], atol=1e-4, rtol=1e-4)


def test_a_window_knows_the_width_of_a_place_before_anything_passed_there(opened):
    neurons = HookPoint(1, "mlp_post")
    window = WindowCache(opened("llama").model, [neurons])
    assert window.extend([])[neurons].shape == (0, 48)
    assert window.extend([1, 2])[neurons].shape == (2, 48)


# --- what does not fit ---------------------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("UNDERSONG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("undersong.engine.reference.reference_passages", lambda: ["The sea was gray.", "It rained."])
    return write_model(tmp_path / "model")


def test_where_nothing_joins_the_stream_an_sae_reads_and_does_not_steer(model, tmp_path):
    loaded = opening(model, written(tmp_path / "sae", at("blocks.1.attn.hook_z")))
    name = "1-attn_z"
    assert loaded.dictionaries[name].roles == ("read",)
    bench = Bench(loaded, tmp_path)
    assert bench.read(bench.draft(*PARAGRAPHS))[0].features
    with pytest.raises(BadStrength, match=r"“1-attn_z\.3” reads, does not steer"):
        turned(loaded, Dial(f"{name}.3", 0.5))
    assert turned(loaded, Dial(f"{name}.3", -1.0)).share == 0


REFUSED: dict[str, tuple[SAEConfig, str]] = {
    "a block that is not there": (at("blocks.4.hook_mlp_out"), "expected a block from 0 to 3, found 4"),
    "an input of another width": (
        at("blocks.1.mlp.hook_post"),
        r"d_in 48, the model's at blocks.1.mlp.hook_post; found 32",
    ),
    "an output of another width": (
        replace(TRANSCODER, hook_out="blocks.1.mlp.hook_post"),
        r"d_out 48, the model's at blocks.1.mlp.hook_post; found 32",
    ),
    "an output before its input": (
        replace(TRANSCODER, hook_out="blocks.0.hook_mlp_out"),
        r"writes after it reads \(blocks.1.mlp.hook_in\); found blocks.0.hook_mlp_out",
    ),
    "a crosscoder": (
        at(
            "blocks.0.hook_mlp_out",
            architecture="crosscoder",
            extras={"undersong": {"sites": [{"hook_name": f"blocks.{n}.hook_mlp_out", "width": 16} for n in (0, 1)]}},
        ),
        "reads one place of the model and writes one; found a crosscoder of 2 places, which is for comparing layers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_an_sae_that_fits_nowhere_is_refused_with_the_reason(model, tmp_path, case):
    config, says = REFUSED[case]
    with pytest.raises(WeightsFormat, match=says):
        opening(model, written(tmp_path / "sae", config))


def circuit_tracers(folder: Path) -> Path:
    config = CLTConfig(2, D_MODEL, 8, D_MODEL, "resid_mid", "mlp_out")
    shapes = {"W_enc": (2, D_MODEL, 8), "b_enc": (2, 8), "b_dec": (2, D_MODEL), "threshold": (2, 8)}
    shapes |= {"W_dec_0": (8, 2, D_MODEL), "W_dec_1": (8, 1, D_MODEL)}
    return write_clt(folder, config, {name: torch.ones(shape) for name, shape in shapes.items()}, {})


def gemma_scope_2s(folder: Path) -> Path:
    folder.mkdir()
    for layer in range(2):
        save_file({"w_enc": torch.ones(D_MODEL, 8)}, folder / f"params_layer_{layer}.safetensors")
    return folder


@pytest.mark.parametrize("make", [circuit_tracers, gemma_scope_2s])
def test_a_cross_layer_transcoder_is_refused(model, tmp_path, make):
    with pytest.raises(WeightsFormat, match=r"expected an SAE of one place; found a .* cross-layer transcoder"):
        opening(model, make(tmp_path / "clt"))


def test_a_site_that_an_architecture_lacks_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("UNDERSONG_CACHE_DIR", str(tmp_path / "cache"))
    model = write_model(tmp_path / "model", "gpt-neox")
    with pytest.raises(WeightsFormat, match=r"blocks.1.hook_resid_mid: expected one of embed, .* found resid_mid"):
        opening(model, written(tmp_path / "sae", at("blocks.1.hook_resid_mid")))
